"""Windows of a picture and anti-aliased shapes in them.

Points are float64 ``[N, 2]`` x, y in picture pixels, continuous as in `lightdet.structures` (the centre of
pixel 0 lies at 0.5). Every shape comes back as its alpha: float32 ``[h, w]`` in [0, 1], of the window's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.outlines import Points

_SHIFT = 4
"""Fractional bits of the corner coordinates that OpenCV draws with: a sixteenth of a pixel."""


@dataclass(frozen=True)
class Window:
    """The pixels ``x0 <= x < x1``, ``y0 <= y < y1`` of a picture."""

    x0: int
    y0: int
    x1: int
    y1: int

    @staticmethod
    def whole(size: int) -> Window:
        """The window of a whole square picture."""
        return Window(0, 0, size, size)

    @staticmethod
    def around(points: Points, margin: float, size: int) -> Window | None:
        """The part of the picture within `margin` of the points' bounds; None where that is outside."""
        low = np.floor(points.min(axis=0) - margin).astype(int)
        high = np.ceil(points.max(axis=0) + margin).astype(int)
        window = Window(max(int(low[0]), 0), max(int(low[1]), 0), min(int(high[0]), size), min(int(high[1]), size))
        return window if window.width > 0 and window.height > 0 else None

    @property
    def width(self) -> int:
        """Pixels in x."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Pixels in y."""
        return self.y1 - self.y0

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.height, self.width

    def grown(self, pixels: int, inside: Window) -> Window:
        """This window with `pixels` more on each side, as far as `inside` reaches."""
        return Window(
            max(self.x0 - pixels, inside.x0),
            max(self.y0 - pixels, inside.y0),
            min(self.x1 + pixels, inside.x1),
            min(self.y1 + pixels, inside.y1),
        )

    def overlaps(self, other: Window) -> bool:
        """Whether the two share a pixel."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1

    def lies_in(self, other: Window) -> bool:
        """Whether `other` holds all of this one."""
        return other.x0 <= self.x0 and other.y0 <= self.y0 and self.x1 <= other.x1 and self.y1 <= other.y1

    def within(self, other: Window) -> tuple[slice, slice]:
        """Row and column slices of this window in an array that covers `other`."""
        return (
            slice(self.y0 - other.y0, self.y1 - other.y0),
            slice(self.x0 - other.x0, self.x1 - other.x0),
        )

    def coordinates(self) -> tuple[FloatArray, FloatArray]:
        """Pixel centres: x ``[1, w]`` and y ``[h, 1]``, for formulas that broadcast."""
        x = np.arange(self.x0, self.x1, dtype=np.float32) + np.float32(0.5)
        y = np.arange(self.y0, self.y1, dtype=np.float32) + np.float32(0.5)
        return x[None, :], y[:, None]

    def distance(self, center: Points) -> FloatArray:
        """Distance of each pixel centre from a point, ``[h, w]`` in pixels."""
        x, y = self.coordinates()
        return np.sqrt((x - np.float32(center[0])) ** 2 + (y - np.float32(center[1])) ** 2).astype(np.float32)

    def polygon(self, *outlines: Points) -> FloatArray:
        """Alpha of closed outlines, each ``[N, 2]``; where two overlap the area is empty (even-odd)."""
        canvas = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(canvas, [self._fixed(points) for points in outlines], (255,), cv2.LINE_AA, _SHIFT)
        return _to_alpha(canvas)

    def union(self, outlines: list[Points]) -> FloatArray:
        """Alpha of closed outlines that may overlap: what any of them covers."""
        canvas = np.zeros(self.shape, np.uint8)
        for points in outlines:
            cv2.fillPoly(canvas, [self._fixed(points)], (255,), cv2.LINE_AA, _SHIFT)
        return _to_alpha(canvas)

    def lines(self, paths: list[Points], width: float, *, closed: bool = False) -> FloatArray:
        """Alpha of open or closed paths drawn `width` pixels wide (at least one)."""
        canvas = np.zeros(self.shape, np.uint8)
        thickness = max(1, round(width))
        fixed = [self._fixed(points) for points in paths]
        cv2.polylines(canvas, fixed, closed, (255,), thickness, cv2.LINE_AA, _SHIFT)
        return _to_alpha(canvas)

    def disc(self, center: Points, radius: float, softness: float = 1.0) -> FloatArray:
        """Alpha of a disc whose edge fades over `softness` pixels."""
        return np.asarray(np.clip((radius - self.distance(center)) / softness + 0.5, 0.0, 1.0), dtype=np.float32)

    def ring(self, center: Points, inner: float, outer: float, softness: float = 1.0) -> FloatArray:
        """Alpha of the area between two circles."""
        distance = self.distance(center)
        outside = np.clip((outer - distance) / softness + 0.5, 0.0, 1.0)
        inside = np.clip((distance - inner) / softness + 0.5, 0.0, 1.0)
        return np.asarray(outside * inside, dtype=np.float32)

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        # OpenCV puts the centre of pixel 0 at 0, we at 0.5.
        local = (points - np.array([self.x0 + 0.5, self.y0 + 0.5])) * (1 << _SHIFT)
        return np.asarray(np.round(np.clip(local, -1e6, 1e6)), dtype=np.int32)


def blurred(alpha: FloatArray, sigma: float) -> FloatArray:
    """A softened copy of an ``[h, w]`` map; `sigma` in pixels."""
    if sigma <= 0.2:
        return alpha
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), sigma), dtype=np.float32)


def _to_alpha(canvas: NDArray[np.uint8]) -> FloatArray:
    return np.multiply(canvas, np.float32(1 / 255), dtype=np.float32)
