"""Boxes around shapes, against pixels and pycocotools."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from lightdet.data.formats.coco_outlines import OutlineFault, outline_box
from lightdet.data.formats.enclosing import ShapeError, ellipse_box, rotated_box, runs_box

masks = arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1))
angles = st.floats(-720, 720)


def runs_of(line: np.ndarray) -> list[int]:
    """Runs of 0, 1, 0, ..., the first of which may be empty."""
    runs, last = [0], 0
    for value in line.tolist():
        if value != last:
            runs.append(0)
        runs[-1] += 1
        last = value
    return runs


def box_of(pixels: np.ndarray) -> list[int]:
    ys, xs = np.nonzero(pixels)
    return [xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()]


@given(pixels=masks)
def test_masks_as_runs_and_as_text(pixels: np.ndarray) -> None:
    """Rows as CVAT writes them, columns as COCO does, and the text of pycocotools."""
    height, width = pixels.shape
    text = coco_mask.encode(np.asfortranarray(pixels))["counts"].decode()
    columns = {"size": [height, width], "counts": runs_of(pixels.T.ravel())}
    if not pixels.any():
        assert outline_box(columns) == "the mask is empty"
        return
    assert outline_box(columns) == outline_box(columns | {"counts": text}) == box_of(pixels)
    x1, y1, x2, y2 = runs_box(runs_of(pixels.ravel()), width, height)
    assert [x1, y1, x2 - x1, y2 - y1] == box_of(pixels)


@given(text=st.text(max_size=30), size=st.lists(st.integers(-2, 10**10), max_size=3))
def test_any_text_is_a_box_or_a_fault(text: str, size: list[int]) -> None:
    found = outline_box({"size": size, "counts": text})
    assert isinstance(found, OutlineFault) or (len(found) == 4 and min(found) >= 0)


def test_a_mask_of_any_size_costs_only_its_runs() -> None:
    assert outline_box({"size": [13_000, 13_000], "counts": [13_000 * 6_000 + 5, 1, 13_000 * 7_000 - 6]}) == [
        6000,
        5,
        1,
        1,
    ]
    assert "pixels; from 1 to" in str(outline_box({"size": [10**9, 10**9], "counts": [1, 1]}))


@pytest.mark.parametrize("runs", [[1, 2], [1, -2, 99], [200], [0, 1]])
def test_runs_must_fit(runs: list[int]) -> None:
    with pytest.raises(ShapeError):
        runs_box(runs, 10, 10)


@given(degrees=angles, rx=st.floats(0, 100), ry=st.floats(0, 100))
def test_an_ellipse_touches_its_box(degrees: float, rx: float, ry: float) -> None:
    t, turn = np.linspace(0, 2 * math.pi, 3600), math.radians(degrees)
    x = 5 + rx * np.cos(t) * math.cos(turn) - ry * np.sin(t) * math.sin(turn)
    y = 7 + rx * np.cos(t) * math.sin(turn) + ry * np.sin(t) * math.cos(turn)
    assert np.allclose(ellipse_box(5, 7, rx, ry, degrees), (x.min(), y.min(), x.max(), y.max()), atol=1e-3)


@given(degrees=angles)
def test_a_rotated_box_keeps_its_middle_and_turns_clockwise(degrees: float) -> None:
    x1, y1, x2, y2 = rotated_box((10, 20, 50, 30), degrees, (30, 25))
    assert math.isclose((x1 + x2) / 2, 30, abs_tol=1e-9) and math.isclose((y1 + y2) / 2, 25, abs_tol=1e-9)
    assert np.allclose(rotated_box((0, 0, 4, 2), 90, (0, 0)), (-2, 0, 0, 4))  # y points down
