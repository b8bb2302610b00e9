"""The scene before the camera: one picture in linear levels, and what a defect must know about it.

Planes are float32 ``[C, H, W]`` with C = 1 (gray) or 3 (RGB), levels 0–1; alphas ``[h, w]`` serve all planes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.outlines import Points

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Item:
    """Something that belongs where it is: `window` holds it, `kind` says what it is."""

    window: Window
    kind: str


@dataclass(frozen=True)
class Cloth:
    """Threads: their distance in pixels and the direction of the warp (radians)."""

    pitch: float
    angle: float


@dataclass(eq=False)
class Scene:
    """A drawn ground.

    Attributes:
        planes: float32 ``[C, H, W]``, the picture without light and camera.
        light: x and y of the lamp's direction times its strength; slopes that face it are bright.
        unit: pixels that a length of one pixel in a picture of 320 takes here.
        grain: direction of the texture's streaks (radians), None where it has none.
        under, over: the planes below and those of the upper layer, where there are two.
        cover: float32 ``[H, W]``, where the upper layer lies.
        clip: whether marks of the surface lie on the upper layer alone.
        solid: whether the layers have no levels between them, as after a threshold.
        items: what can be missing or turned.
        cloth: the threads of a woven or knitted ground.
    """

    planes: FloatArray
    light: tuple[float, float]
    unit: float
    grain: float | None = None
    under: FloatArray | None = None
    over: FloatArray | None = None
    cover: FloatArray | None = None
    clip: bool = False
    solid: bool = False
    items: list[Item] = field(default_factory=list)
    cloth: Cloth | None = None

    @property
    def size(self) -> int:
        """Side of the square picture in pixels."""
        return int(self.planes.shape[1])

    @property
    def whole(self) -> Window:
        """The window of the picture."""
        return Window.whole(self.size)

    def place(self, rng: Generator, margin: float = 0.03) -> Points:
        """A random point, on the upper layer where marks lie on that alone."""
        point: Points = rng.uniform(margin, 1 - margin, 2) * self.size
        if self.clip and self.cover is not None:
            for _ in range(12):
                if self.cover[int(point[1]), int(point[0])] > 0.9:
                    break
                point = rng.uniform(margin, 1 - margin, 2) * self.size
        return point

    def level(self, window: Window) -> float:
        """Mean level in a window, from a few of its pixels."""
        part = self.planes[:, window.y0 : window.y1 : 5, window.x0 : window.x1 : 5]
        return float(part.mean())

    def relight(self, factor: FloatArray | float, more: FloatArray | float = 0.0) -> None:
        """Light all layers again: multiplied by `factor`, plus `more`."""
        self.planes = self.planes * factor + more
        if self.under is not None:
            self.under = self.under * factor + more
        if self.over is not None:
            self.over = self.over * factor + more

    def patch(self, window: Window) -> Patch:
        """A copy of a window to draw on."""
        return Patch(self, window)


class Patch:
    """A window of a scene with planes of its own: what a defect draws on, taken over only if it can be seen."""

    def __init__(self, scene: Scene, window: Window) -> None:
        self.scene, self.window = scene, window
        self.rows, self.columns = window.within(scene.whole)
        self.planes: FloatArray = scene.planes[:, self.rows, self.columns].copy()
        self._kept = scene.cover[self.rows, self.columns] if scene.clip and scene.cover is not None else None

    def part(self, planes: FloatArray) -> FloatArray:
        """This window of planes or an alpha of the whole picture."""
        return planes[..., self.rows, self.columns]

    def _on(self, alpha: FloatArray) -> FloatArray:
        return alpha if self._kept is None else alpha * self._kept

    def tint(self, alpha: FloatArray, factor: float | Color) -> None:
        """Multiply the levels, texture kept."""
        change = self._color(factor) - np.float32(1)
        self.planes *= 1 + change * self._on(alpha)

    def modulate(self, change: FloatArray) -> None:
        """Make the levels brighter by a share of themselves that differs from pixel to pixel."""
        self.planes *= 1 + self._on(change)

    def paint(self, alpha: FloatArray, color: float | Color | FloatArray) -> None:
        """Lay a colour (or planes ``[C, h, w]``) over the levels."""
        target = color if isinstance(color, np.ndarray) else self._color(color)
        self.planes += (target - self.planes) * self._on(alpha)

    def emboss(self, height: FloatArray, *, gloss: float = 0.0) -> None:
        """Shade by the slopes of `height` (pixels, above the surface); `gloss` adds light of its own."""
        slope = lit(self._on(height), self.scene.light)
        self.planes *= np.clip(1 + slope, 0.3, 2.2)
        if gloss:
            self.planes += np.float32(gloss) * np.maximum(slope, 0)

    def reveal(self, alpha: FloatArray) -> None:
        """Take the upper layer away."""
        if self.scene.under is not None:
            self.planes += (self.part(self.scene.under) - self.planes) * alpha

    def cover(self, alpha: FloatArray) -> None:
        """Lay the upper layer down."""
        if self.scene.over is not None:
            self.planes += (self.part(self.scene.over) - self.planes) * alpha

    def _color(self, color: float | Color) -> FloatArray:
        return in_planes(color, len(self.planes))


def in_planes(color: float | Color, count: int) -> FloatArray:
    """A level or a colour as ``[C, 1, 1]``."""
    values = np.broadcast_to(np.asarray(color, np.float32), (3,))
    if count == 1:
        values = np.array([0.3 * values[0] + 0.59 * values[1] + 0.11 * values[2]], np.float32)
    return np.asarray(values[:, None, None], np.float32)


def lit(height: FloatArray, light: tuple[float, float]) -> FloatArray:
    """How much brighter each slope of a height map (pixels) is: 0 on flat ground."""
    x, y = np.float32(light[0] / 8), np.float32(light[1] / 8)
    kernel = np.array([[x + y, 2 * y, y - x], [2 * x, 0, -2 * x], [x - y, -2 * y, -x - y]], np.float32)
    return np.asarray(cv2.filter2D(height, cv2.CV_32F, kernel), np.float32)
