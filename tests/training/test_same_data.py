"""A training continues only with the very pictures and labels that it was started with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.config import YamlFile
from lightdet.errors import UserError
from lightdet.runs.resume import check_same_data, facts_of_data
from lightdet.runs.trained_on import digests_of
from lightdet.tasks import CLASSIFICATION, DETECTION
from lightdet.training.checkpoint import METADATA_KEY, STATE_FILE, Progress, TrainingState


def boxes_set(folder: Path) -> Path:
    """Six pictures to train on and two to validate with, each with one box."""
    for split, count in (("train", 6), ("val", 2)):
        for number in range(count):
            pixels = np.full((64, 80, 3), 20 * number + 3, np.uint8)
            (folder / split / "images").mkdir(parents=True, exist_ok=True)
            (folder / split / "labels").mkdir(parents=True, exist_ok=True)
            Pil.fromarray(pixels).save(folder / split / "images" / f"{number}.png")
            row = f"{number % 2} 0.{3 + number % 3} 0.4 0.2 0.2\n"
            (folder / split / "labels" / f"{number}.txt").write_text(row)
    (folder / "data.yaml").write_text("path: .\ntrain: train/images\nval: val/images\nnames: [dent, scratch]\n")
    return folder / "data.yaml"


def classes_set(folder: Path) -> Path:
    for split, count in (("train", 6), ("val", 4)):
        for number in range(count):
            place = folder / split / ("good", "bad")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            Pil.fromarray(np.full((64, 80, 3), 20 * number + 3, np.uint8)).save(place / f"{number}.png")
    (folder / "data.yaml").write_text(
        "format: folders\nroot: .\nclasses: [good, bad]\nsplits:\n  train: {images: train}\n  val: {images: val}\n"
    )
    return folder / "data.yaml"


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def repaint(picture: Path) -> None:
    Pil.fromarray(np.full((64, 80, 3), 255, np.uint8)).save(picture)


BOXES: dict[str, Callable[[Path], object]] = {
    "labels of two pictures swapped": lambda at: swap(at / "train/labels/0.txt", at / "train/labels/1.txt"),
    "labels of two pictures to validate with": lambda at: swap(at / "val/labels/0.txt", at / "val/labels/1.txt"),
    "two classes swapped": lambda at: (
        (at / "train/labels/0.txt").write_text("1 0.3 0.4 0.2 0.2\n"),
        (at / "train/labels/1.txt").write_text("0 0.4 0.4 0.2 0.2\n"),
    ),
    "a box moved as far as another, the other way": lambda at: (
        (at / "train/labels/0.txt").write_text("0 0.35 0.4 0.2 0.2\n"),
        (at / "train/labels/1.txt").write_text("1 0.35 0.4 0.2 0.2\n"),
    ),
    "two pictures swapped": lambda at: swap(at / "train/images/0.png", at / "train/images/1.png"),
    "a picture replaced": lambda at: repaint(at / "train/images/4.png"),
    "a picture to validate with": lambda at: repaint(at / "val/images/1.png"),
    "two pictures under other names": lambda at: [
        (at / f"train/{kind}/2.{end}").rename(at / f"train/{kind}/2b.{end}")
        for kind, end in (("images", "png"), ("labels", "txt"))
    ],
}
CLASSES: dict[str, Callable[[Path], object]] = {
    "two pictures swapped": lambda at: swap(at / "train/good/0.png", at / "train/bad/1.png"),
    "a picture replaced": lambda at: repaint(at / "train/good/4.png"),
    "a picture to validate with": lambda at: repaint(at / "val/bad/3.png"),
}
CASES = [(DETECTION, boxes_set, change) for change in BOXES.items()]
CASES += [(CLASSIFICATION, classes_set, change) for change in CLASSES.items()]


def state(run: Mapping[str, Any]) -> TrainingState:
    return TrainingState({}, Progress(), 0, {}, {}, dict(run))


def facts(task: Any, yaml: Path) -> dict[str, Any]:
    config = task.configuration(YamlFile({}), ["imgsz=64", "train.workers=1"])
    data = task.training.training_data(config, load_dataset(yaml), on_error="stop")
    return {"names": list(data.names), "data": facts_of_data(task, data, digests_of(data))}


@pytest.mark.parametrize(
    ("task", "drawn", "change"),
    [pytest.param(*case[:2], case[2][1], id=f"{case[0].name}: {case[2][0]}") for case in CASES],
)
def test_whatever_has_changed_is_noticed(
    task: Any, drawn: Callable[[Path], Path], change: Callable[[Path], object], tmp_path: Path
) -> None:
    yaml = drawn(tmp_path / "set")
    started = state(facts(task, yaml))
    shutil.copytree(tmp_path / "set", tmp_path / "elsewhere")
    check_same_data(task, started, facts(task, tmp_path / "elsewhere" / "data.yaml"), tmp_path)  # a set may move
    change(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"other pictures or labels than when .* started; restore them, or train into"):
        check_same_data(task, started, facts(task, tmp_path / "elsewhere" / "data.yaml"), tmp_path)


@pytest.mark.parametrize(("task", "drawn"), [(DETECTION, boxes_set), (CLASSIFICATION, classes_set)])
def test_a_training_of_an_earlier_version_is_compared_as_then(
    task: Any, drawn: Callable[[Path], Path], tmp_path: Path
) -> None:
    now = facts(task, drawn(tmp_path / "set"))
    before = {split: {k: v for k, v in mark.items() if k != "sha256"} for split, mark in now["data"].items()}
    assert before != now["data"]
    check_same_data(task, state(now | {"data": before}), now, tmp_path)
    for wrong in (before | {"train": before["train"] | {"pictures": 7}}, {"train": before["train"]}, None):
        with pytest.raises(UserError, match="other pictures or labels"):
            check_same_data(task, state(now | {"data": wrong}), now, tmp_path)


def test_the_command_refuses_before_it_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yaml = boxes_set(tmp_path / "set")
    tiny = ["imgsz=64", "train.epochs=2", "train.batch=4", "train.start=chance", "train.workers=1"]
    command = ["train", "--data", str(yaml), "--output", str(tmp_path / "out"), "--device", "cpu"]
    assert main([*command, *tiny, "model.name=lightdet-nano"]) == 0
    repaint(tmp_path / "set/train/images/3.png")
    capsys.readouterr()
    file = tmp_path / "out" / STATE_FILE
    with safe_open(file, "np") as kept:
        record = json.loads(kept.metadata()[METADATA_KEY])
    record["progress"]["done"] = False
    save_file(load_file(file), file, {METADATA_KEY: json.dumps(record)})
    assert main([*command, "--resume"]) == 2
    error = capsys.readouterr().err
    assert "other pictures or labels" in error and error.count("\n") == 1
