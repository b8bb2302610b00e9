"""Mirrors and quarter turns: exact, no resampling."""

from __future__ import annotations

import cv2
import numpy as np

from lightdet.arrays import Image
from lightdet.data.augment.gray import as_rgb, stored
from lightdet.structures import Sample


def _flip(image: Image, axis: int) -> Image:
    # A rotated view costs nothing here, but copying it later takes forty times as long.
    return as_rgb(np.asarray(cv2.flip(stored(image), axis), dtype=np.uint8))


def flip_lr(sample: Sample) -> Sample:
    """Mirror left and right."""
    width = sample.image.shape[1]
    boxes = sample.boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32)
    return Sample(_flip(sample.image, 1), boxes + np.array([width, 0, width, 0], np.float32), sample.labels)


def flip_ud(sample: Sample) -> Sample:
    """Mirror top and bottom."""
    height = sample.image.shape[0]
    boxes = sample.boxes[:, [0, 3, 2, 1]] * np.array([1, -1, 1, -1], np.float32)
    return Sample(_flip(sample.image, 0), boxes + np.array([0, height, 0, height], np.float32), sample.labels)


def rotate_90(sample: Sample) -> Sample:
    """Rotate by a quarter turn counter-clockwise: ``(x, y)`` → ``(y, width - x)``; width and height are swapped."""
    width = sample.image.shape[1]
    x1, y1, x2, y2 = sample.boxes.T
    boxes = np.stack((y1, width - x2, y2, width - x1), axis=1).astype(np.float32)
    return Sample(np.rot90(sample.image), boxes, sample.labels)
