"""Annotations and detections in a line, for the tests of the evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightdet.structures import Annotation, Detections

NAMES = ("crack", "dent", "Kratzer ü")


def annotation(boxes, labels, crowd=None, image="picture.png", size=(200, 200)):
    return Annotation(
        Path(image),
        size,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        crowd=None if crowd is None else np.array(crowd, bool),
    )


def detections(rows, size=(200, 200)):
    """Rows of (x1, y1, x2, y2, score, label), in any order."""
    rows = sorted(rows, key=lambda row: -row[4])
    return Detections(
        np.array([row[:4] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[4] for row in rows], np.float32),
        np.array([row[5] for row in rows], np.int64),
        size=size,
    )
