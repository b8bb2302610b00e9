"""Small sets of pictures with one class each: drawn dots that a network can tell apart, and rendered parts."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from small_training import make_trainer


@pytest.fixture(autouse=True, scope="session")
def _one_thread(_traced_once: None) -> None:
    torch.set_num_threads(1)


def draw_part(kind: str, rng: np.random.Generator, side: int = 48) -> np.ndarray:
    """A gray disc on a noisy ground; a bad one has a dark hole somewhere in it."""
    image = rng.normal(90, 8, (side, side)).clip(0, 255).astype(np.uint8)
    centre = (side // 2 + int(rng.integers(-2, 3)), side // 2 + int(rng.integers(-2, 3)))
    cv2.circle(image, centre, side // 3, int(rng.integers(160, 200)), -1)
    if kind == "bad":
        shift = rng.integers(-side // 6, side // 6 + 1, 2)
        cv2.circle(image, (centre[0] + int(shift[0]), centre[1] + int(shift[1])), side // 8, 20, -1)
    return np.repeat(image[..., None], 3, axis=2)


@pytest.fixture(scope="session")
def part_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of 36 good and 12 bad pictures to train on, 8 and 6 to validate, 6 and 6 to test."""
    root = tmp_path_factory.mktemp("parts") / "set"
    rng = np.random.default_rng(0)
    for split, counts in {"train": (36, 12), "val": (8, 6), "test": (6, 6)}.items():
        for kind, count in zip(("good", "bad"), counts, strict=True):
            (root / split / kind).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(draw_part(kind, rng)).save(root / split / kind / f"{number}.png")
    (root / "set.yaml").write_text(
        "format: folders\nclasses: [good, bad]\nsplits: {train: train, val: val, test: test}\n"
    )
    return root / "set.yaml"


@pytest.fixture(scope="session")
def model(part_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small classifier that tells the parts apart."""
    folder = tmp_path_factory.mktemp("model")
    make_trainer(part_set, folder, ["train.epochs=12"]).fit()
    return folder / "best.safetensors"


@pytest.fixture(scope="session")
def rendered_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of rendered parts with and without defects, sorted into folders by whether they have boxes."""
    from lightdet.data.synthetic import SyntheticPlan, write_synthetic

    folder = tmp_path_factory.mktemp("rendered")
    write_synthetic(folder / "boxes", SyntheticPlan(images=36, imgsz=96, seed=5, val=0.3, clean=0.5))
    root = folder / "classes"
    for label in sorted((folder / "boxes" / "labels").rglob("*.txt")):
        picture = next((folder / "boxes" / "images" / label.parent.name).glob(f"{label.stem}.*"))
        place = root / label.parent.name / ("defective" if label.read_text().strip() else "clean")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place)
    (root / "set.yaml").write_text("format: folders\nsplits: {train: train, val: val}\n")
    return root / "set.yaml"
