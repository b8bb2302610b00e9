"""An output is no input: what a command would write over a file that it reads, or of another kind, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.options.outputs import json_file, list_file, refuse_inputs
from lightdet.options.val import ValOptions


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "images/a.png")
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (tmp_path / "list.txt").write_text("images/a.png\n")
    (tmp_path / "set.yaml").write_text("format: yolo\nclasses: [dent]\nimages: images\nsplits: {train: list.txt}\n")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    return tmp_path


AUDIT = "data audit --data set.yaml"
PICK = "data pick list.txt -w model.safetensors"


@pytest.mark.parametrize(
    ("command", "victim"),
    [
        (f"{AUDIT} --json set.yaml", "set.yaml"),
        (f"{AUDIT} --json labels/a.txt", "labels/a.txt"),
        (f"{AUDIT} --json images/a.png", "images/a.png"),
        (f"{AUDIT} -w model.safetensors --order labels/a.txt", "labels/a.txt"),
        (f"{AUDIT} -w model.safetensors --order set.yaml", "set.yaml"),
        (f"{AUDIT} -w model.safetensors --order list.txt", "list.txt"),
        (f"{PICK} -o set.yaml", "set.yaml"),
        (f"{PICK} -o labels/a.txt", "labels/a.txt"),
        (f"{PICK} -o list.txt", "list.txt"),
        (f"{PICK} -o ./images/../list.txt", "list.txt"),
        (f"{PICK} --json model.safetensors", "model.safetensors"),
        ("data convert --data set.yaml -f voc -o new --json set.yaml", "set.yaml"),
        ("calibrate -w model.safetensors -d set.yaml --escape-rate 0.1 -o set.yaml", "set.yaml"),
        ("calibrate -w model.safetensors -d set.yaml --escape-rate 0.1 -o images/a.png", "images/a.png"),
        ("val -w model.safetensors -d set.yaml --json set.yaml", "set.yaml"),
        ("detect images/a.png -w model.safetensors --json images/a.png", "images/a.png"),
        ("archive query . --csv set.yaml", "set.yaml"),
        ("archive query . --sheet set.yaml", "set.yaml"),
        ("archive summary . -o set.yaml", "set.yaml"),
    ],
)
def test_what_is_there_stays(here: Path, capsys: pytest.CaptureFixture[str], command: str, victim: str) -> None:
    before = (here / victim).read_bytes()
    assert main(command.split()) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "give another name" in told
    assert (here / victim).read_bytes() == before


def test_an_output_of_its_own_kind_is_replaced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["data", "audit", "--data", "set.yaml", "--json", "audit.json"]) in (0, 1)
    json_file(None, here / "audit.json")
    list_file(None, here / "list.txt")
    list_file(None, here / "next.txt")


def test_options_compare_all_their_files(here: Path) -> None:
    (here / "found.json").write_text("[]")
    with pytest.raises(UserError, match=r"found\.json: json would replace|--json would replace"):
        ValOptions(data="set.yaml", predictions="found.json", json="found.json")
    ValOptions(data="set.yaml", predictions="found.json", json="other.json")


def test_two_outputs_are_two_files(here: Path) -> None:
    with pytest.raises(UserError, match="same file as another option"):
        refuse_inputs({"--json": "a.json", "--csv": here / "a.json"}, [])
