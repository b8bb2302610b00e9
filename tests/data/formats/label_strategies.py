"""Random annotations for write-then-read properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from lightdet.structures import Annotation

CLASSES = ("scratch", "rolled-in_scale", 'größe <&> "x"')


@st.composite
def annotations(draw: st.DrawFn, whole: bool = False) -> Annotation:
    """A picture of any size with up to eight boxes inside it, sides of at least a hundredth (or one) pixel."""
    width, height = draw(st.integers(1, 20_000)), draw(st.integers(1, 20_000))
    rows, labels = [], []
    for _ in range(draw(st.integers(0, 8))):
        row = []
        for side in (width, height):
            if whole:
                low = draw(st.integers(0, side - 1))
                row.append((low, draw(st.integers(low + 1, side))))
            else:
                low = draw(st.floats(0, side * 0.9))
                row.append((low, min(float(side), low + draw(st.floats(max(0.02, side / 1000), side)))))
        rows.append([row[0][0], row[1][0], row[0][1], row[1][1]])
        labels.append(draw(st.integers(0, len(CLASSES) - 1)))
    boxes = np.array(rows, np.float32).reshape(-1, 4)
    return Annotation(Path("é.png"), (width, height), boxes, np.array(labels, np.int64))


def check_equal(read: Annotation, written: Annotation, tolerance: float) -> None:
    assert read.size == written.size
    assert np.array_equal(read.labels, written.labels)
    assert read.boxes.shape == written.boxes.shape
    assert np.abs(read.boxes.astype(float) - written.boxes).max(initial=0) <= tolerance
