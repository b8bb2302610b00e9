"""``lightdet data convert`` and ``audit`` as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lightdet.cli.app import main

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    """Two pictures in each split; returns the YAML."""
    for split in ("train", "val"):
        for name, level in (("a", 40), ("b", 200)):
            picture = tmp_path / "set" / "images" / split / f"{name}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            noise = Image.effect_noise((64, 48), level)  # drawn anew each time
            noise.save(picture)
            label = tmp_path / "set" / "labels" / split / f"{name}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 0.5 0.5 0.5 0.5\n")
    text = "format: yolo\nclasses: ['[bold]x']\nsplits: {train: images/train, val: images/val}\n"
    (tmp_path / "set" / "small.yaml").write_text(text)
    return tmp_path / "set" / "small.yaml"


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main(["data", *(str(arg) for arg in args)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def test_convert(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "r.json"
    code, out, _ = run(capsys, "convert", "-d", small_set, "-f", "voc", "-o", tmp_path / "out", "--json", report)
    assert code == 0 and f"data set: {tmp_path / 'out' / 'small.yaml'}" in out
    parsed = json.loads(report.read_text())
    assert parsed["splits"] == {"train": {"pictures": 2, "boxes": 2}, "val": {"pictures": 2, "boxes": 2}}
    assert run(capsys, "audit", "-d", parsed["yaml"])[0] == 0


def test_convert_says_what_is_left_out(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = small_set.parent / "labels" / "train" / "a.txt"
    bad.write_text("3 .5 .5 .5 .5\n")
    options = ("convert", "-d", small_set, "-f", "coco", "-o", tmp_path / "out")
    code, _, err = run(capsys, *options)
    assert code == 2 and err == f"error: {bad}:1: class id 3 is out of range: the one class has id 0\n"
    code, out, _ = run(capsys, *options, "--on-error", "skip", "--link")
    assert code == 0 and "left out 1 with faults" in out and f"{bad}:1: class id 3" in out


def test_audit_exit_codes(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "audit", "--data", small_set, "--imgsz", 320)
    assert code == 0 and not err
    assert "[bold]x" in out and "0 errors, 1 warning, " in out
    bad = small_set.parent / "labels" / "val" / "b.txt"
    bad.write_text("0 .5 .5 .5 .5\n1 .5 .5 .5 .5\n")
    page, report = tmp_path / "a.html", tmp_path / "a.json"
    code, out, _ = run(capsys, "audit", "-d", small_set, "--json", report, "--output", page)
    assert code == 1
    assert "labels/val/b.txt:2: class id 1 is out of range" in out
    assert json.loads(report.read_text())["errors"] == 1 and page.read_text().startswith("<!doctype html>")


def test_audit_shows_few_or_all(small_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small_set.parent / "labels" / "val" / "b.txt").write_text("1 .5 .5 .5 .5\n" * 9)
    out = run(capsys, "audit", "-d", small_set)[1]
    assert out.count("class id 1 is out of range") == 5 and "... and 4 more" in out
    assert run(capsys, "audit", "-d", small_set, "--examples", 0)[1].count("class id 1 is out of range") == 9


def test_audit_counts_in_words_and_names_every_kind_of_picture(
    small_set: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (small_set.parent / "labels" / "val" / "b.txt").write_text("1 .5 .5 .5 .5\n")
    picture = Image.effect_noise((64, 48), 90)
    for suffix in ("bmp", "gif", "jpg", "tif"):
        picture.save(small_set.parent / "images" / "train" / f"{suffix}.{suffix}")
    out = run(capsys, "audit", "-d", small_set)[1]
    assert out.splitlines()[-1].startswith("1 error, ")
    assert " and 2 more" in next(line for line in out.splitlines() if "train" in line and "PNG L" in line)


def test_audit_hints_at_a_missing_validation_split(small_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = small_set.read_text()
    assert "no split 'val'" not in run(capsys, "audit", "-d", small_set)[1]
    small_set.write_text(text.replace(", val: images/val", ""))
    code, out, _ = run(capsys, "audit", "-d", small_set)
    assert code == 0 and "there is no split 'val': no epoch of a training is scored" in out
    small_set.write_text(text.replace("val: images/val", "Valid: images/val"))
    code, out, _ = run(capsys, "audit", "-d", small_set)
    assert code == 1 and "there is no split 'val', but 'Valid'" in out
    small_set.write_text(text.replace("train: images/train, ", ""))
    code, out, _ = run(capsys, "audit", "-d", small_set)
    assert code == 0 and "there is no split 'train'" in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("audit",), "Missing option '--data'"),
        (("audit", "-d", "none.yaml"), "none.yaml: no such file"),
        (("audit", "-d", "SET", "--imgsz", "100"), "100 is not a multiple of 32"),
        (("audit", "-d", "SET", "-o", "report.pdf"), "report.pdf: --output names the page"),
        (("audit", "-d", "SET", "--data-root", "nowhere"), "nowhere: the folder given with --data-root"),
        (("convert", "-d", "SET", "-o", "x", "-f", "pascal"), "'pascal' is not one of"),
        (("convert", "-d", "SET", "-f", "voc"), "Missing option '--output'"),
        (("convert", "-d", "SET", "-f", "voc", "-o", "FOLDER"), "the folder is not empty"),
        (("convert", "-d", "SET", "-f", "voc", "-o", "FOLDER/new"), "lies inside the source"),
        (("nonsense",), "No such command"),
    ],
)
def test_mistakes_end_with_one_line(
    args: tuple[str, ...], message: str, small_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"SET": str(small_set), "FOLDER": str(small_set.parent.parent), "FOLDER/new": str(small_set.parent / "new")}
    code, _, err = run(capsys, *(known.get(arg, arg) for arg in args))
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err


def test_door_and_help_are_quick_and_need_no_torch() -> None:
    code = "import sys, runpy; sys.argv = ['data.py', 'audit', '--help']\n"
    code += f"try: runpy.run_path({str(REPOSITORY / 'tools' / 'data.py')!r}, run_name='__main__')\n"
    code += "except SystemExit as e: assert not e.code\n"
    code += "heavy = {'torch', 'cv2', 'matplotlib', 'PIL'} & set(sys.modules); assert not heavy, heavy"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit code 1 if there are errors" in done.stdout
