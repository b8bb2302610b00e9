"""The scene before the camera, as layers that parts and defects draw on.

A `Layers` covers a `Window` of the picture. `Layers.view` shares the arrays (a part draws through it),
`Layers.copy` owns them (a defect draws on a copy, which is taken over only if the defect is accepted).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.outlines import Points


@dataclass(frozen=True, eq=False)
class Layers:
    """The scene in a window of height h and width w; all float32, colour planes first (one alpha serves all three).

    Attributes:
        window: where in the picture.
        background: ``[3, h, w]``, the reflectance of what the part lies on, 0–1 RGB.
        material: ``[3, h, w]``, the reflectance of the part (known beyond its outline, too).
        coverage: ``[h, w]``, how much of a pixel the part covers, 0–1.
        relief: ``[h, w]``, the height of the part's surface in pixels; its slope makes light and shade.
    """

    window: Window
    background: FloatArray
    material: FloatArray
    coverage: FloatArray
    relief: FloatArray

    def view(self, window: Window) -> Layers:
        """Views of the same arrays through a smaller window."""
        rows, columns = window.within(self.window)
        return Layers(
            window,
            self.background[:, rows, columns],
            self.material[:, rows, columns],
            self.coverage[rows, columns],
            self.relief[rows, columns],
        )

    def copy(self) -> Layers:
        """Copies of the arrays; the background is shared, because nothing draws on it any more."""
        return Layers(self.window, self.background, self.material.copy(), self.coverage.copy(), self.relief.copy())

    def overlaid(self, patch: Layers) -> Layers:
        """A copy of this window with `patch`, which lies inside it, in its place."""
        result = self.copy()
        result.take(patch)
        return result

    def take(self, patch: Layers) -> None:
        """Write `patch` over the same pixels here."""
        rows, columns = patch.window.within(self.window)
        self.material[:, rows, columns] = patch.material
        self.coverage[rows, columns] = patch.coverage
        self.relief[rows, columns] = patch.relief

    def paint(self, alpha: FloatArray, color: Points | FloatArray) -> None:
        """Lay a colour (``[3]`` or ``[3, h, w]``) over the material."""
        rows, columns = _touched(alpha)
        material = self.material[:, rows, columns]
        material += (_planes(color, rows, columns) - material) * alpha[rows, columns]

    def tint(self, alpha: FloatArray, factor: Points | FloatArray | float) -> None:
        """Multiply the material by a factor (one number, ``[3]`` or ``[h, w]``), texture kept."""
        rows, columns = _touched(alpha)
        change = _planes(factor, rows, columns) - np.float32(1)
        self.material[:, rows, columns] *= 1 + change * alpha[rows, columns]

    def emboss(self, alpha: FloatArray, height: float) -> None:
        """Raise (or, below 0, press in) the surface."""
        rows, columns = _touched(alpha)
        self.relief[rows, columns] += np.float32(height) * alpha[rows, columns]

    def smooth(self, alpha: FloatArray) -> None:
        """Flatten the surface where `alpha` is one."""
        self.relief[...] *= 1 - alpha

    def carve(self, alpha: FloatArray) -> None:
        """Take the part away: the background shows."""
        rows, columns = _touched(alpha)
        self.coverage[rows, columns] *= 1 - alpha[rows, columns]

    def extend(self, alpha: FloatArray) -> None:
        """Let the part cover this as well."""
        np.maximum(self.coverage, alpha, out=self.coverage)

    def restore(self, alpha: FloatArray, below: Layers) -> None:
        """Restore what was there before (`below`, the same window) where `alpha` is one."""
        self.material[...] += (below.material - self.material) * alpha
        self.coverage[...] += (below.coverage - self.coverage) * alpha
        self.relief[...] += (below.relief - self.relief) * alpha


def _touched(alpha: FloatArray) -> tuple[slice, slice]:
    """Rows and columns outside which `alpha` is zero: most shapes are small in their window."""
    x, y, width, height = cv2.boundingRect((alpha != 0).view(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def _planes(value: Points | FloatArray | float, rows: slice, columns: slice) -> FloatArray:
    """A number, a colour ``[3]``, a map ``[h, w]`` or planes ``[3, h, w]``, ready to broadcast with ``[3, h', w']``."""
    array = np.asarray(value, dtype=np.float32)
    if array.ndim == 1:
        return array[:, None, None]
    return array if array.ndim == 0 else array[..., rows, columns]
