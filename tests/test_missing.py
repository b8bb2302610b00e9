"""What is said of a file that is missing, a folder, locked or on a drive that is gone: by every command alike."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.missing import near, require_file, why_missing

TOO_LONG = "x" * 5000


def refused(path: Path, **say: str) -> str:
    with pytest.raises(UserError) as caught:
        require_file(path, **say)
    assert caught.value.path == path
    return caught.value.message


def test_a_file_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").touch()
    require_file(tmp_path / "best.safetensors")
    require_file(str(tmp_path / "best.safetensors"))


NAMES = ["best.safetensors", "last.safetensors", "data set.yaml", "run.yml", "line.onnx", "note.txt"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bset.safetensors", "best.safetensors"),
        ("best.safetensor", "best.safetensors"),
        ("Last.safetensors", "last.safetensors"),
        ("data.yaml", "data set.yaml"),
        ("run.yaml", "run.yml"),
        ("lines.onnx", "line.onnx"),
        ("not.txt", "note.txt"),
    ],
)
def test_a_name_much_like_it_is_named(tmp_path: Path, written: str, meant: str) -> None:
    for name in NAMES:
        (tmp_path / name).touch()
    if (tmp_path / written).exists():
        pytest.skip("this file system does not tell upper from lower case")
    assert refused(tmp_path / written) == f"no such file; did you mean {tmp_path / meant}?"


def test_nothing_is_named_where_nothing_is_alike(tmp_path: Path) -> None:
    (tmp_path / "parts.onnx").touch()
    (tmp_path / "model.saved").mkdir()
    (tmp_path / "mine.yaml").touch()
    assert refused(tmp_path / "thread.yaml", note="; see --help") == "no such file; see --help"
    assert refused(tmp_path / "model.save") == "no such file"  # a folder is none
    assert near(tmp_path / "model.save", folders=True) == f"; did you mean {tmp_path / 'model.saved'}?"


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "a" / "b.onnx") == f"no such file (the folder {tmp_path / 'a'} does not exist either)"
    assert refused(tmp_path / "file" / "b.onnx") == f"no such file ({tmp_path / 'file'} is no folder)"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path, give="the .onnx in it", note="; it is the model") == (
        "is a folder; give the .onnx in it; it is the model"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a file" in refused(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EACCES, "permission denied; give this account access to it"),
        (errno.EROFS, "read-only"),
        (errno.ESTALE, "check that the drive or network share is connected"),
        (errno.ENAMETOOLONG, "the name is longer than the system allows"),
        (errno.ELOOP, f"cannot be read: {os.strerror(errno.ELOOP)}"),
    ],
)
def test_what_the_system_says_is_not_called_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, told: str
) -> None:
    def fail(path: Path, **_: object) -> os.stat_result:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "stat", fail)
    assert told in refused(Path("model.onnx"))
    assert main(["profile", "--weights", "model.onnx"]) == 2
    assert capsys.readouterr().err.startswith("error: model.onnx: ")


@given(st.text(max_size=300))
def test_any_name_has_one_line(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / "none" / name
    with pytest.raises(UserError) as caught:
        require_file(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_zero_byte_is_in_no_name() -> None:
    assert why_missing(Path("a\0b"), ValueError("embedded null byte")) == "no file can have this name"


COMMANDS = [
    ["train", "--data"],
    ["train", "--data", "README.md", "--weights"],
    ["train", "--data", "README.md", "--config"],
    ["val", "--data", "README.md", "--weights"],
    ["val", "--data", "README.md", "--predictions"],
    ["detect", "README.md", "--weights"],
    ["detect", "--weights", "README.md"],
    ["explain", "README.md", "--weights"],
    ["profile", "--weights"],
    ["profile", "--config"],
    ["export", "--data", "README.md", "--weights"],
    ["calibrate", "--data", "README.md", "--escape-rate", "0.1", "--weights"],
    ["compare", "--data", "README.md"],
    ["data", "audit", "--data"],
    ["data", "convert", "--format", "coco", "--output", "out", "--data"],
    ["label"],
    ["line"],
    ["serve"],
    ["records", "verify", "--database"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "name", [TOO_LONG, f"{TOO_LONG}.safetensors", f"{TOO_LONG}/a.yaml"], ids=["long", "model", "in"]
)
def test_a_name_that_no_file_can_have_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("not what is wanted")
    assert main([*command, name]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
