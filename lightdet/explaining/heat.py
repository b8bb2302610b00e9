"""Heat over the pixels of a picture, and numbers that describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lightdet.arrays import FloatArray
from lightdet.geometry.letterbox import LetterboxTransform


@dataclass(frozen=True, eq=False)
class Heat:
    """Where the evidence is.

    Attributes:
        values: float32 ``[H, W]`` in [0, 1], one per pixel of the picture; the largest is 1, or all are 0 if
            the picture holds no evidence for what was asked.
    """

    values: FloatArray

    @property
    def is_empty(self) -> bool:
        """Whether the picture holds no evidence for what was asked."""
        return not self.values.any()

    @property
    def peak(self) -> tuple[int, int] | None:
        """Column and row of the hottest pixel; None where nothing is hot."""
        if self.is_empty:
            return None
        row, column = np.unravel_index(int(self.values.argmax()), self.values.shape)
        return int(column), int(row)

    def share_in(self, box: FloatArray) -> float | None:
        """The share of all heat in a box x1, y1, x2, y2 in pixels; None if there is no heat at all."""
        total = float(self.values.sum(dtype=np.float64))
        if total <= 0:
            return None
        height, width = self.values.shape
        across = _covered(float(box[0]), float(box[2]), width)
        down = _covered(float(box[1]), float(box[3]), height)
        return float((down[:, None] * self.values * across).sum()) / total

    def area_share(self, box: FloatArray) -> float:
        """The share of the picture's area in a box: the share that uniform heat would have there."""
        height, width = self.values.shape
        across = float(_covered(float(box[0]), float(box[2]), width).sum())
        down = float(_covered(float(box[1]), float(box[3]), height).sum())
        return across * down / float(width * height)


def picture_heat(density: FloatArray, transform: LetterboxTransform, size: tuple[int, int]) -> Heat:
    """Turn heat over the network's input into heat over the picture; heat on the border is left out.

    Args:
        density: float32 ``[H, W]`` over the input's pixels, at least 0.
        transform: how the picture became the input.
        size: width and height of the picture.
    """
    width = max(1, round(size[0] * transform.scale_x))
    height = max(1, round(size[1] * transform.scale_y))
    x, y = transform.offset_x, transform.offset_y
    inside = np.ascontiguousarray(density[y : y + height, x : x + width], dtype=np.float32)
    shrinks = size[0] < width or size[1] < height
    values: FloatArray = np.asarray(
        cv2.resize(inside, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), dtype=np.float32
    )
    largest = float(values.max())
    # Rounding errors are not evidence.
    return Heat((values / largest if largest > 1e-30 else np.zeros_like(values)).astype(np.float32))


def hottest(heats: Sequence[Heat]) -> Heat:
    """Combine several heat maps of one picture: the largest value per pixel."""
    return Heat(np.maximum.reduce([heat.values for heat in heats]))


def _covered(start: float, end: float, pixels: int) -> NDArray[np.float64]:
    """The share of each pixel between start and end, float64 ``[pixels]`` in [0, 1]."""
    edges = np.arange(pixels, dtype=np.float64)
    covered: NDArray[np.float64] = np.clip(np.minimum(edges + 1, end) - np.maximum(edges, start), 0.0, 1.0)
    return covered
