"""Another content of a model file: it takes over if it can, and the old one goes on until then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from plain_judge import put, results, run_once, running, section, wait_for

from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.line.line import Line
from lightdet.line.model_file import ModelFile
from lightdet.line.proof import kept_pictures
from lightdet.seal import SEAL_KEY

SEAL = f" {SEAL_KEY}"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.line.model_file.LOOK", 0.1)


@contextmanager
def judging(folder: Path, **changes: Any) -> Iterator[Line]:
    with running(section(folder, **changes)) as line:
        put(folder / "left", first="OK")
        wait_for(lambda: len(results(folder)) == 1)
        yield line


def said(folder: Path, name: str) -> tuple[str, str]:
    """The verdict on a new picture, and the version of the model."""
    put(folder / "left", **{name: "OK"})
    found = wait_for(lambda: [each for each in results(folder) if each["picture"] == f"{name}.png"])[0]
    return found["verdict"], found["models"]["plain"]["version"]


def test_a_new_file_takes_over_while_the_line_runs(tmp_path: Path) -> None:
    with judging(tmp_path) as line:
        before = line._models["plain"].version
        (tmp_path / "plain.onnx").write_text(f"0.0 strict{SEAL}", encoding="utf-8")
        wait_for(lambda: line._models["plain"].version != before)
        verdict, version = said(tmp_path, "a")
        assert verdict == "NG"
        assert version == line._models["plain"].version
        assert "has taken over" in line.status("up")["models"]["plain"]["change"]
        wait_for(lambda: len(line._models["plain"].processes) == 1)


@pytest.mark.parametrize(("content", "why"), [("0.0 bad" + SEAL, "the model is bad"), ("0.0 good", "no check sum")])
def test_a_file_that_cannot_be_used_is_refused_and_the_old_one_goes_on(tmp_path: Path, content: str, why: str) -> None:
    with judging(tmp_path) as line:
        before = line._models["plain"].version
        (tmp_path / "plain.onnx").write_text(content, encoding="utf-8")
        wait_for(lambda: why in line.status("up")["models"]["plain"]["change"])
        assert said(tmp_path, "a") == ("OK", before)


def test_a_file_that_cannot_be_used_does_not_keep_a_line_from_starting(tmp_path: Path) -> None:
    slow = tmp_path / "slow.onnx"
    slow.write_text("0.0 waits", encoding="utf-8")
    with running(section(tmp_path, models={"slow": {"file": str(slow)}})) as line:
        model = wait_for(lambda: getattr(line, "_models", {}).get("plain"))
        wait_for(lambda: model.ready)
        before = model.version
        (tmp_path / "plain.onnx").write_text(f"0.0 bad{SEAL}", encoding="utf-8")
        wait_for(lambda: "the model is bad" in model.change)
        assert not line._models["slow"].ready
        (tmp_path / "go").touch()
        assert said(tmp_path, "a") == ("OK", before)


def test_an_openvino_model_may_be_copied_its_xml_first(tmp_path: Path) -> None:
    xml = tmp_path / "m.xml"
    xml.write_text("old", encoding="utf-8")
    xml.with_suffix(".bin").write_bytes(b"1")
    file = ModelFile("m", xml, make_folder(tmp_path / "copies"), verified=False)
    xml.write_text(f"new{SEAL}", encoding="utf-8")
    half = wait_for(file.other)
    assert half.file.with_suffix(".bin").read_bytes() == b"1"  # what its checksum refuses
    xml.with_suffix(".bin").write_bytes(b"22")
    whole = wait_for(file.other)
    assert whole.file.with_suffix(".bin").read_bytes() == b"22"
    assert file.other() is None


def test_a_file_that_could_not_be_copied_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.line.model_file.AGAIN", 0.1)
    (tmp_path / "m.onnx").write_text("old", encoding="utf-8")
    copies = make_folder(tmp_path / "copies")
    file = ModelFile("m", tmp_path / "m.onnx", copies, verified=False)
    copies.rename(tmp_path / "away")  # as a disk that is full: nothing can be written
    (tmp_path / "m.onnx").write_text(f"new{SEAL}", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be written"):
        wait_for(file.other)
    (tmp_path / "away").rename(copies)
    assert wait_for(file.other).file.read_text(encoding="utf-8") == f"new{SEAL}"


def test_a_model_is_proved_on_kept_pictures_before_it_takes_over(tmp_path: Path) -> None:
    for verdict in ("OK", "NG"):
        (tmp_path / "kept" / verdict).mkdir(parents=True)
        put(tmp_path / "kept" / verdict, one=verdict, two=verdict)
    changes: dict[str, Any] = {"plain": {"proof": {"folder": str(tmp_path / "kept")}}}
    with judging(tmp_path, **dict(changes)) as line:
        before = line._models["plain"].version
        (tmp_path / "plain.onnx").write_text(f"0.0 strict{SEAL}", encoding="utf-8")
        wait_for(lambda: "2 of 4 kept pictures" in line.status("up")["models"]["plain"]["change"])
        assert said(tmp_path, "a") == ("OK", before)
    put(tmp_path / "left", b="OK")
    run_once(section(tmp_path, **dict(changes)))  # a start is no way past the proof
    found = [each for each in results(tmp_path) if each["picture"] == "b.png"]
    assert [(each["verdict"], each["models"]["plain"]["version"]) for each in found] == [("OK", before)]


def test_the_kept_pictures_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "OK").mkdir()
    with pytest.raises(UserError, match="put some in it that are OK"):
        kept_pictures(tmp_path)
