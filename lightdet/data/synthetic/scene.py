"""A part in front of the camera, with the features that defects can affect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.arrays import BoolArray, FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Points, Pose, rectangle

DEFECT_SCALE = 215
"""Side of the picture for which the lengths of defects are given: smaller numbers make larger defects."""

_ON_SURFACE = 0.85
"""Share of a surface or material defect that must lie on open surface; the rest is cut off."""

Draw = Callable[[Layers, Pose], None]


@dataclass(frozen=True, eq=False)
class Hole:
    """A plain round hole through the part, in pixels."""

    center: Points
    radius: float


@dataclass(frozen=True, eq=False)
class Mounted:
    """Something that belongs at a place: it can be missing there, or sit wrong.

    Attributes:
        kind: what it is.
        pose: where and how large (its own units: a radius or half a side is about one).
        half: half width and half height of all that `draw` changes, in its own units.
        draw: draws it on layers, at a pose.
    """

    kind: Literal["screw", "nut", "component", "label", "contact"]
    pose: Pose
    half: tuple[float, float]
    draw: Draw

    def footprint(self, pose: Pose | None = None) -> Points:
        """The rectangle ``[4, 2]`` in pixels that it fills at `pose` (default: where it belongs)."""
        x, y = self.half
        return (pose or self.pose).points(rectangle(-x, -y, x, y))


@dataclass(frozen=True, eq=False)
class Weld:
    """A bead along `path` ``[N, 2]``, `width` pixels wide."""

    path: Points
    width: float


@dataclass(frozen=True, eq=False)
class Tooth:
    """A gear's tooth: `outline` ``[N, 2]`` from the root circle outwards and back; `axis` points outwards."""

    outline: Points
    base: Points
    axis: Points
    height: float
    width: float


@dataclass(frozen=True, eq=False)
class Thread:
    """A threaded rod: `start` to `stop` on its axis, radius and pitch in pixels, the colour of bare metal."""

    start: Points
    stop: Points
    radius: float
    pitch: float
    color: Points


@dataclass(frozen=True, eq=False)
class Trace:
    """A conductor on a board: a straight piece of it, its width and neighbour in pixels, and the colours."""

    start: Points
    stop: Points
    width: float
    spacing: float
    copper: Points
    mask: Points


@dataclass(eq=False)
class Scene:
    """A drawn part.

    Attributes:
        size: side of the square picture in pixels.
        layers: the whole picture's layers.
        pose: how the part lies.
        bare: the layers before anything was mounted or welded, where the part has such things.
        free: bool ``[H, W]``, open surface of the part, on which a surface or material defect may lie.
        outline: closed outline ``[N, 2]`` of the part, where (some of) it is in the picture.
        grain: direction of the texture's streaks (radians), None where it has none.
        defect_unit: what `defect_pixel` is; None: by the size of the picture.
    """

    size: int
    layers: Layers
    pose: Pose
    bare: Layers | None = None
    free: BoolArray = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    outline: Points | None = None
    grain: float | None = None
    defect_unit: float | None = None
    holes: list[Hole] = field(default_factory=list)
    mounted: list[Mounted] = field(default_factory=list)
    welds: list[Weld] = field(default_factory=list)
    teeth: list[Tooth] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)

    @property
    def pixel(self) -> float:
        """The picture's pixels for one pixel of a picture of 320: what all drawn lengths are multiplied with."""
        return self.size / 320

    @property
    def defect_pixel(self) -> float:
        """The same for the lengths of defects: they are drawn for a smaller picture, so they grow with one number."""
        return self.size / DEFECT_SCALE if self.defect_unit is None else self.defect_unit

    @property
    def whole(self) -> Window:
        """The window of the picture."""
        return self.layers.window

    def mount(self, *things: Mounted) -> None:
        """Keep the layers as they are for `bare` (the first time), then draw the things."""
        if self.bare is None:
            self.bare = self.layers.copy()
        for thing in things:
            window = Window.around(thing.footprint(), 2, self.size)
            if window is not None:
                thing.draw(self.layers.view(window), thing.pose)
                self.mounted.append(thing)

    def set_free(self, blocked: FloatArray | None = None) -> None:
        """Take as open surface what the part covers, less a rim and less what is `blocked` (alpha over 0.02)."""
        inside = (self.layers.coverage > 0.99).astype(np.uint8)
        if blocked is not None:
            inside[blocked > 0.02] = 0
        rim = 2 * max(1, round(2 * self.pixel)) + 1
        kernel = np.ones((rim, rim), np.uint8)
        self.free = np.asarray(cv2.erode(inside, kernel), dtype=np.bool_)

    def limit(self, view: Window) -> None:
        """Leave open surface only in `view`."""
        kept = np.zeros_like(self.free)
        kept[view.within(self.whole)] = self.free[view.within(self.whole)]
        self.free = kept

    def open_point(self, rng: Generator, tries: int = 24) -> Points | None:
        """A random place on the open surface, at least 3 % of the side away from the border; None if hard to find."""
        low, high = round(0.03 * self.size), round(0.97 * self.size)
        for x, y in rng.integers(low, high, (tries, 2)):
            if self.free[y, x]:
                return np.array([x + 0.5, y + 0.5])
        return None

    def patch(self, *points: Points, margin: float) -> Layers | None:
        """A copy of the layers around `points`, to draw a defect on; None where that is outside."""
        window = Window.around(np.concatenate([np.atleast_2d(p) for p in points]), margin, self.size)
        return None if window is None else self.layers.view(window).copy()

    def surface_patch(self, *outlines: Points, margin: float) -> Layers | None:
        """Like `patch`, for what must lie on open surface: None unless most of the closed outlines does."""
        patch = self.patch(*outlines, margin=margin)
        if patch is None:
            return None
        shape = patch.window.union(list(outlines))
        return patch if self.on_surface(patch, shape).sum() >= _ON_SURFACE * shape.sum() else None

    def on_surface(self, patch: Layers, alpha: FloatArray) -> FloatArray:
        """`alpha` cut to the open surface of the part."""
        rows, columns = patch.window.within(self.whole)
        return alpha * self.free[rows, columns]


def outward_normals(outline: Points) -> Points:
    """Unit normals ``[N, 2]`` of a closed outline, pointing out of it."""
    tangent = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
    length = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    x, y = outline[:, 0], outline[:, 1]
    area = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) / length * math.copysign(1.0, area)
