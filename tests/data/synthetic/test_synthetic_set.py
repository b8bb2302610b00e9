"""A rendered data set on disk: splits, formats, errors, an end in the middle, the command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.data.synthetic import CLASSES, SCALABLE, SyntheticPlan, render_sample, write_synthetic
from lightdet.errors import UserError

SMALL = 96


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("form", ["yolo", "voc", "coco"])
def test_set_reads_back_as_it_was_rendered(tmp_path: Path, form: str) -> None:
    plan = SyntheticPlan(12, seed=4, imgsz=SMALL, format=form, val=0.25)  # type: ignore[arg-type]
    done = write_synthetic(tmp_path / "set", plan)
    spec = load_dataset(done.yaml)
    assert spec.classes == CLASSES
    seen = {}
    for split in ("train", "val"):
        annotations, skipped = read_split(spec, split)
        assert not skipped
        assert len(annotations) == done.pictures[split]
        for annotation in annotations:
            seen[int(annotation.image.stem)] = split
            sample = render_sample(4, int(annotation.image.stem), SMALL)
            assert np.array_equal(read_image(annotation.image), sample.image)
            assert np.allclose(annotation.boxes, sample.boxes, atol=1e-3)
            assert np.array_equal(annotation.labels, sample.labels)
    assert seen == {index: plan.split_of(index) for index in range(12)}
    assert done.pictures == {"train": 9, "val": 3}
    assert sum(done.classes.values()) == sum(done.boxes.values())


def test_more_pictures_or_processes_change_no_picture(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "few", SyntheticPlan(6, seed=1, imgsz=SMALL))
    write_synthetic(tmp_path / "many", SyntheticPlan(14, seed=1, imgsz=SMALL), workers=2)
    few, many = files(tmp_path / "few"), files(tmp_path / "many")
    few.pop("dataset.yaml")
    assert len(few) == 12
    assert all(many[name] == data for name, data in few.items())


def test_jpeg_and_no_validation_split(tmp_path: Path) -> None:
    done = write_synthetic(tmp_path / "set", SyntheticPlan(3, imgsz=SMALL, val=0, picture="jpg"))
    assert done.pictures == {"train": 3}
    assert list(load_dataset(done.yaml).splits) == ["train"]
    picture = cv2.imread(str(tmp_path / "set/images/train/000000.jpg"))
    assert np.abs(picture[..., ::-1].astype(int) - render_sample(0, 0, SMALL).image).mean() < 6


@pytest.mark.parametrize("val", [0.1, 0.2, 1 / 3, 0.5, 0.9])
def test_share_of_validation_pictures_is_exact(val: float) -> None:
    plan = SyntheticPlan(1000, val=val)
    count = sum(plan.split_of(index) == "val" for index in range(1000))
    assert count == pytest.approx(1000 * val, abs=1)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"images": 0}, "number of pictures"),
        ({"seed": -1}, "seed"),
        ({"imgsz": 50}, "picture size"),
        ({"clean": 1.2}, "clean"),
        ({"clean": float("nan")}, "clean"),
        ({"val": 1.0}, "validation"),
        ({"val": float("nan")}, "validation"),
        ({"images": 4}, "--val 0"),
        ({"format": "xml"}, "yolo, voc, coco"),
        ({"picture": "gif"}, "png, jpg"),
    ],
)
def test_wrong_plans_are_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        SyntheticPlan(**({"images": 20} | changes))  # type: ignore[arg-type]


def test_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    plan = SyntheticPlan(5, imgsz=SMALL)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        write_synthetic(tmp_path, plan)
    assert files(tmp_path) == {"notes.txt": b"mine"}
    with pytest.raises(UserError, match="is a file"):
        write_synthetic(tmp_path / "notes.txt", plan)
    write_synthetic(tmp_path / "set", plan)
    with pytest.raises(UserError, match="already"):
        write_synthetic(tmp_path / "set", plan)
    with pytest.raises(UserError, match="folder"):
        write_synthetic(tmp_path / "notes.txt" / "below", plan)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_run_leaves_no_yaml_and_is_told_apart(tmp_path: Path) -> None:
    target = tmp_path / "set"
    program = (
        "from lightdet.data.synthetic import SyntheticPlan, write_synthetic\n"
        f"write_synthetic({str(target)!r}, SyntheticPlan(100000, imgsz=96))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        deadline = time.monotonic() + 60
        while not (target / "images/train/000003.png").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (target / "images/train/000003.png").exists()
    assert not (target / "dataset.yaml").exists()
    with pytest.raises(UserError, match="unfinished"):
        write_synthetic(target, SyntheticPlan(5, imgsz=SMALL))


def test_command_writes_set_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["data", "synth", "--output", str(tmp_path / "set"), "--images", "10", "--seed", "3", "--imgsz", "96"]
    assert main([*arguments, "--json", str(tmp_path / "out.json")]) == 0
    told = capsys.readouterr()
    assert "10 pictures of 96 x 96" in told.out
    assert told.err == ""
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["splits"]["train"]["pictures"] == 8
    assert Path(result["yaml"]).exists()
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert "already" in told.err


@pytest.mark.parametrize("wrong", [["--images", "0"], ["--imgsz", "20"], ["--format", "xml"], ["--val", "2"]])
def test_command_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    assert main(["data", "synth", "--output", str(tmp_path / "set"), *wrong]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert wrong[0] in told.err
    assert not (tmp_path / "set").exists()


def test_the_yaml_tells_how_to_make_the_set_again(tmp_path: Path) -> None:
    done = write_synthetic(tmp_path / "set", SyntheticPlan(5, seed=9, imgsz=SMALL, clean=0.1234567))
    text = done.yaml.read_text()
    assert "--images 5 --seed 9 --imgsz 96 --val 0.2 --clean 0.1234567 --format yolo --picture png" in text


INTERRUPTED_AT_THE_START = """
import sys, time
from multiprocessing.process import BaseProcess
from lightdet.data.synthetic import SyntheticPlan, write_synthetic

start = BaseProcess.start
kept = []

def interrupted(process):
    kept.append(process._args)  # the queues live on, as they do while an exception refers to them
    start(process)
    time.sleep(2)  # it is up and waits for work
    raise KeyboardInterrupt

if __name__ == "__main__":
    BaseProcess.start = interrupted
    try:
        write_synthetic(sys.argv[1], SyntheticPlan(64, imgsz=96), workers=2)
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_an_interrupt_while_the_processes_start_ends_it(tmp_path: Path) -> None:
    """The one that had started would wait for work for ever, and the interpreter for it."""
    script = tmp_path / "render.py"
    script.write_text(INTERRUPTED_AT_THE_START)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "set")], capture_output=True, timeout=60, check=False
    )
    assert done.stdout.strip() == b"interrupted"


def test_pictures_of_any_size_with_defects_of_given_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command; what the YAML says makes the same pictures again."""
    arguments = ["--size", "320x192", "--defects", "8-24", "--images", "8", "--clean", "0", "--val", "0.25"]
    for name in ("one", "two"):
        assert main(["data", "synth", *arguments, "--output", str(tmp_path / name)]) == 0
    assert "8 pictures of 320 x 192" in capsys.readouterr().out
    spec = load_dataset(tmp_path / "one" / "dataset.yaml")
    assert spec.classes == SCALABLE
    assert "--size 320x192 --defects 8-24" in (tmp_path / "one" / "dataset.yaml").read_text()
    found = [annotation for split in spec.splits for annotation in read_split(spec, split)[0]]
    assert sum(len(annotation) for annotation in found) >= 8
    for annotation in found:
        assert annotation.size == (320, 192)
        sides = annotation.boxes[:, 2:] - annotation.boxes[:, :2]
        assert (sides.max(axis=1) >= 8 - 1e-2).all() and (sides.max(axis=1) <= 24 + 1e-2).all()
        other = tmp_path / "two" / annotation.image.relative_to(tmp_path / "one")
        assert other.read_bytes() == annotation.image.read_bytes()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--size", "320"], "--size takes width and height, such as 2048x1536"),
        (["--size", "320x"], "--size takes width and height"),
        (["--size", "9999x100"], "picture size must lie in 96-4096"),
        (["--size", "320x192", "--imgsz", "96"], "either with --imgsz (square) or with --size"),
        (["--defects", "24-8"], "largest defect must lie in 24-80"),
        (["--defects", "8"], "--defects takes the smallest and the largest size"),
        (["--defects", "8-24", "--recipe", "teacher"], "use --recipe parts"),
    ],
)
def test_sizes_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str], words: str) -> None:
    assert main(["data", "synth", "--output", str(tmp_path / "set"), "--images", "8", *wrong]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "set").exists()
