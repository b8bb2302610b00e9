"""Small data sets made on the spot, and the real ones where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]


def _save_picture(path: Path, size: tuple[int, int] = (80, 60), seed: int | None = None, **options: object) -> Path:
    """Save blobs (smooth noise) drawn from `seed` (default: from the name) as RGB; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(sum(path.as_posix().encode()) if seed is None else seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    small.resize(size, Image.Resampling.BICUBIC).save(path, **options)
    return path


@pytest.fixture
def save_picture() -> Callable[..., Path]:
    return _save_picture


@pytest.fixture
def write() -> Callable[[Path, str], Path]:
    """Write a text file, its folders included."""

    def _write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return _write


@pytest.fixture
def yolo_set(tmp_path: Path) -> Path:
    """Three pictures in train (one background), two in val; returns the folder, its YAML is data.yaml."""
    root = tmp_path / "yolo-set"
    labels = {
        "train/a": "0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.125 0.2\n",
        "train/b": "1 0.5 0.5 0.5 0.5\n",
        "train/clean": "",
        "val/c": "0 0.5 0.5 0.25 0.5\n",
        "val/größe d": "1 0.75 0.5 0.25 0.5\n",
    }
    for name, text in labels.items():
        _save_picture(root / "images" / f"{name}.png")
        label = root / "labels" / f"{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(text)
    (root / "data.yaml").write_text(
        "format: yolo\nclasses: [scratch, dent]\nsplits:\n  train: images/train\n  val: images/val\n"
    )
    return root


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """The folder of a real data set; skips where it is missing, and sets the variable that the YAMLs use."""
    folder = Path(os.environ.get("LIGHTDET_DATASETS", REPOSITORY.parent / "shared" / "datasets"))

    def _find(name: str) -> Path:
        if not (folder / name).is_dir():
            pytest.skip(f"the data set {name} is not at hand: set LIGHTDET_DATASETS to the folder that holds it")
        monkeypatch.setenv("LIGHTDET_DATASETS", str(folder))
        return folder / name

    return _find
