"""A bit that fell over on the way: no file that we wrote is judged by, whatever kind it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lightdet
from lightdet.errors import UserError

Exported = Callable[..., Path]
PICTURE = np.zeros((64, 64, 3), np.uint8)


def copied(source: Path, folder: Path) -> Path:
    for path in source.parent.glob(f"{source.stem}.*"):
        shutil.copy(path, folder / path.name)
    return folder / source.name


def flipped(path: Path, place: float) -> None:
    """Turn one bit of the byte at a share of the file's length."""
    with path.open("r+b") as file:
        at = int(place * (path.stat().st_size - 1))
        file.seek(at)
        [value] = file.read(1)
        file.seek(at)
        file.write(bytes([value ^ 4]))


SLOW = [pytest.param(place, marks=pytest.mark.slow) for place in (0.3, 0.9)]


@pytest.mark.parametrize("place", [0.0, 0.7, 1.0, *SLOW])
@pytest.mark.parametrize("kind", ["checkpoint", "onnx", "xml", "bin"])
def test_one_bit_is_enough(exported: Exported, checkpoint: Path, tmp_path: Path, kind: str, place: float) -> None:
    source = checkpoint if kind == "checkpoint" else exported("onnx" if kind == "onnx" else "xml")
    path = copied(source, tmp_path)
    lightdet.load(path, threads=1)
    flipped(path.with_suffix(".bin") if kind == "bin" else path, place)
    with pytest.raises(UserError) as caught:
        lightdet.load(path, threads=1)(PICTURE)
    assert "\n" not in str(caught.value)
