"""A data set's bit depth against that of the model: the line goes by the model's, so no figure may go by the other."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_detector import SIDE, save_small_detector

from lightdet.cli.app import main
from lightdet.models.weights import load_model, save_model
from lightdet.picking.looks import look
from lightdet.runs import pick

Make = Callable[[int, int, str], None]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Write a set with a bit depth, a model with another, and pictures: 8-bit, deep, deep but black, or one deep."""
    monkeypatch.chdir(tmp_path)

    def write(of_data: int, of_model: int, pictures: str) -> None:
        images, labels = tmp_path / "images", tmp_path / "labels"
        images.mkdir()
        labels.mkdir()
        draw = np.random.default_rng(0)
        for number in range(6):
            deep = pictures in ("deep", "black") or (pictures == "one deep" and number == 5)
            top = 1 if pictures == "black" else 4096 if deep else 256
            pixels = draw.integers(0, top, (SIDE, SIDE), dtype=np.uint16 if deep else np.uint8)
            cv2.imwrite(str(images / f"{number}.png"), pixels)
            (labels / f"{number}.txt").write_text("0 0.5 0.5 0.3 0.2\n" if number % 2 else "")
        text = f"format: yolo\nclasses: [dent, scratch]\nbit_depth: {of_data}\nsplits:\n"
        text += "".join(f"  {split}:\n    images: images\n    labels: labels\n" for split in ("train", "val"))
        (tmp_path / "set.yaml").write_text(text, encoding="utf-8")
        save_small_detector(tmp_path / "m.safetensors", ("dent", "scratch"))
        weights, card = load_model(tmp_path / "m.safetensors")
        changed = replace(card, preprocessing=replace(card.preprocessing, bit_depth=of_model))
        save_model(tmp_path / "m.safetensors", weights, changed)

    return write


VAL = ["val", "-w", "m.safetensors", "-d", "set.yaml", "-o", "out"]
COMMANDS = [
    VAL,
    [*VAL, "--on-error", "skip"],
    ["calibrate", "-w", "m.safetensors", "-d", "set.yaml", "--false-reject-rate", "0.9", "--confidence", "0.5"],
    ["export", "-w", "m.safetensors", "-d", "set.yaml", "-o", "m.onnx"],
    ["data", "audit", "-d", "set.yaml", "-w", "m.safetensors"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(w for w in words if "." not in w))
@pytest.mark.parametrize(("of_data", "of_model", "pictures"), [(12, 16, "deep"), (16, 12, "one deep")])
def test_two_depths_for_one_picture_are_refused(
    make: Make, capsys: pytest.CaptureFixture[str], command: list[str], of_data: int, of_model: int, pictures: str
) -> None:
    make(of_data, of_model, pictures)
    assert main(command) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    assert f"set.yaml says {of_data}" in told and f"bit depth of {of_model}" in told and ".png" in told
    assert not Path("out").exists() and not Path("m.onnx").exists()


@pytest.mark.parametrize(
    ("of_data", "of_model", "pictures"), [(12, 12, "deep"), (12, 16, "8-bit"), (16, 12, "8-bit"), (12, 16, "black")]
)
def test_where_the_depth_changes_no_pixel_it_may_differ(make: Make, of_data: int, of_model: int, pictures: str) -> None:
    make(of_data, of_model, pictures)
    assert main(VAL) == 0


@pytest.mark.parametrize("of_model", [12, 16])
def test_pictures_to_pick_are_decoded_as_the_model_reads_them(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, of_model: int
) -> None:
    make(12, of_model, "deep")
    cv2.imwrite("new.png", np.full((SIDE, SIDE), 3000, np.uint16))
    with zipfile.ZipFile("more.zip", "w") as archive:
        archive.write("new.png")
    seen: list[float] = []

    def recorded(predictor: Any, picture: Any) -> Any:
        seen.append(float(picture.mean()))
        return look(predictor, picture)

    monkeypatch.setattr(pick, "look", recorded)
    pick.pick(["new.png", "more.zip"], tmp_path / "m.safetensors", 1, data=tmp_path / "set.yaml")
    assert seen[:2] == [round(3000 * 255 / (2**of_model - 1))] * 2
    assert len(seen) == 8  # the labelled ones, of up to 4095
    assert all(value > 100 if of_model == 12 else value < 16 for value in seen[2:])
