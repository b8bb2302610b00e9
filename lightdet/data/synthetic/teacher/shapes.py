"""Where paint goes: alphas of strokes, clouds and specks in a window, float32 ``[h, w]`` in [0, 1]."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.outlines import Points
from lightdet.data.synthetic.teacher.bank import cut

_SHIFT = 4
_UNIT = 1 << _SHIFT


def wander(rng: Generator, center: Points, angle: float, length: float, sway: float, count: int = 28) -> Points:
    """A path ``[N, 2]`` through `center` whose sideways steps pile up to about `sway` times its length."""
    along = np.linspace(-0.5, 0.5, count)
    walk = np.cumsum(rng.standard_normal(count)) / math.sqrt(count)
    walk -= np.linspace(walk[0], walk[-1], count)
    c, s = math.cos(angle), math.sin(angle)
    local = np.stack([along * length, walk * (sway * length)], axis=1)
    return np.asarray(center + local @ np.array([[c, s], [-s, c]]))


def arc(rng: Generator, center: Points, angle: float, length: float, bend: float, count: int = 20) -> Points:
    """A smooth path through `center` that turns by `bend` radians along the way, sometimes the other way again."""
    steps = np.linspace(-0.5, 0.5, count)
    second = rng.uniform(-0.5, 0.5) * bend
    turns = angle + bend * steps + second * np.sin(2 * math.pi * steps)
    offsets = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0) * (length / count)
    return np.asarray(center + offsets - offsets[count // 2])


def stroke(window: Window, path: Points, widths: NDArray[np.float64] | float) -> FloatArray:
    """Alpha of a path of varying width; below one pixel a line grows fainter instead of thinner."""
    canvas = np.zeros(window.shape, np.uint8)
    draw_stroke(canvas, window, path, widths)
    return to_alpha(canvas)


def draw_stroke(canvas: NDArray[np.uint8], window: Window, path: Points, widths: NDArray[np.float64] | float) -> None:
    """Draw a path on a canvas of the window's size, 0–255."""
    corners = _fixed(window, path).tolist()
    sizes = np.broadcast_to(np.asarray(widths, np.float64), (len(path),))
    thick = np.maximum(1, np.round(sizes)).astype(int).tolist()
    levels = np.clip(sizes * 255, 0, 255).astype(int).tolist()
    for k in range(len(corners) - 1):
        if levels[k] > 4:
            cv2.line(canvas, corners[k], corners[k + 1], levels[k], thick[k], cv2.LINE_AA, _SHIFT)


def discs(window: Window, centers: Points, radii: NDArray[np.float64]) -> FloatArray:
    """Alpha of many small discs."""
    canvas = np.zeros(window.shape, np.uint8)
    middles = _fixed(window, centers).tolist()
    sizes = np.maximum(np.round(radii * _UNIT), 6).astype(int).tolist()
    for middle, size in zip(middles, sizes, strict=True):
        cv2.circle(canvas, middle, size, 255, -1, cv2.LINE_AA, _SHIFT)
    return to_alpha(canvas)


def ellipse_distance(window: Window, center: Points, radii: tuple[float, float], angle: float) -> FloatArray:
    """Distance from the centre in units of the ellipse's radii: one on its rim."""
    x, y = window.coordinates()
    dx, dy = x - np.float32(center[0]), y - np.float32(center[1])
    c, s = math.cos(angle), math.sin(angle)
    u = dx * np.float32(c / radii[0]) + dy * np.float32(s / radii[0])
    v = dy * np.float32(c / radii[1]) - dx * np.float32(s / radii[1])
    return np.asarray(np.sqrt(u * u + v * v), np.float32)


def cloud(
    rng: Generator,
    window: Window,
    center: Points,
    radii: tuple[float, float],
    angle: float = 0.0,
    *,
    rough: float = 0.3,
    soft: float = 0.1,
    texture: str = "fractal",
    scale: float = 1.0,
) -> FloatArray:
    """Alpha of an irregular area: an ellipse whose rim is moved by a texture; `soft` is its fade in radii."""
    inside = 1 - ellipse_distance(window, center, radii, angle)
    inside += np.float32(rough) * cut(rng, texture, window.shape, scale)
    inside *= np.float32(1 / max(soft, 1e-3))
    return np.clip(inside, 0, 1, out=inside)


def envelope(window: Window, center: Points, radii: tuple[float, float], angle: float, soft: float) -> FloatArray:
    """Alpha of an ellipse whose rim fades over `soft` radii, inwards."""
    inside = (1 - ellipse_distance(window, center, radii, angle)) * np.float32(1 / soft)
    return np.clip(inside, 0, 1, out=inside)


def scatter(rng: Generator, center: Points, radii: tuple[float, float], angle: float, count: int) -> Points:
    """`count` points within an ellipse, denser in its middle."""
    turn = rng.uniform(0, 2 * math.pi, count)
    reach = rng.uniform(0, 1, count) ** 0.6
    local = np.stack([reach * np.cos(turn) * radii[0], reach * np.sin(turn) * radii[1]], axis=1)
    c, s = math.cos(angle), math.sin(angle)
    return np.asarray(center + local @ np.array([[c, s], [-s, c]]))


def window_around(center: Points, radii: tuple[float, float], angle: float, margin: float, size: int) -> Window | None:
    """The window of an ellipse; None where that is outside of the picture."""
    c, s = abs(math.cos(angle)), abs(math.sin(angle))
    half = np.array([radii[0] * c + radii[1] * s, radii[0] * s + radii[1] * c])
    return Window.around(np.stack([center - half, center + half]), margin, size)


def _fixed(window: Window, points: Points) -> NDArray[np.int32]:
    local = (points - np.array([window.x0 + 0.5, window.y0 + 0.5])) * _UNIT
    return np.asarray(np.round(np.clip(local, -3e4, 3e4)), dtype=np.int32)


def to_alpha(canvas: NDArray[np.uint8]) -> FloatArray:
    """A canvas of 0–255 as an alpha."""
    return np.multiply(canvas, np.float32(1 / 255), dtype=np.float32)
