"""Repeating patterns: one tile, laid out with irregular rows and columns, turned and scaled into the picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.teacher.shapes import to_alpha

_CELL = 16
"""Pixels of a tile per thread or element."""


@cache
def tile(name: str, cell: int) -> tuple[FloatArray, FloatArray]:
    """Height (0–1) and thread (0 warp, 1 weft; or 0 ground, 1 element) of a pattern, `cell` pixels per thread."""
    height, thread = TILES[name]()
    if cell == _CELL:
        return height, thread
    side = len(height) * cell // _CELL
    small = [
        np.asarray(cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA), np.float32)
        for plane in (height, thread)
    ]
    return small[0], small[1]


@dataclass(frozen=True)
class Layout:
    """How a pattern lies: pixels per element, the angle, and how uneven its rows and columns are."""

    pitch: float
    angle: float
    uneven: float


def lay(rng: Generator, name: str, size: int, layout: Layout) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Height, thread and tone (0 on average, by row and column) of a pattern over a whole picture."""
    cell = next((c for c in (_CELL, 8) if c <= 1.3 * layout.pitch), 4)
    height, thread = tile(name, cell)
    step = layout.pitch / cell
    times = math.ceil((size * 1.45 / step + len(height)) / len(height))
    threads = np.tile(thread, (times, times))
    tone = _thread_tone(rng, threads, cell) * np.float32(layout.uneven)
    c, s = math.cos(layout.angle) / step, math.sin(layout.angle) / step
    back = np.array([[c, s, 0.0], [-s, c, 0.0]])
    back[:, 2] = (len(threads) + rng.uniform(-1, 0, 2) * len(height)) / 2
    back[:, 2] -= back[:, :2] @ np.array([size / 2, size / 2])
    laid = [
        cv2.warpAffine(
            plane, back, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
        )
        for plane in (np.tile(height, (times, times)), threads, tone)
    ]
    return np.asarray(laid[0], np.float32), np.asarray(laid[1], np.float32), np.asarray(laid[2], np.float32)


def _thread_tone(rng: Generator, threads: FloatArray, cell: int) -> FloatArray:
    """A tone for each thread, of the weft by row and of the warp by column."""
    count = len(threads) // cell + 1
    tones = np.repeat(rng.standard_normal((2, count), dtype=np.float32), cell, axis=1)[:, : len(threads)]
    rows, columns = tones[0][:, None], tones[1][None, :]
    return np.asarray((rows - columns) * threads + columns, np.float32)


def _interlaced(over: list[list[int]]) -> tuple[FloatArray, FloatArray]:
    """A weave: 1 where the weft (along x) lies above the warp."""
    plan = np.array(over)
    n = len(plan)
    across = np.abs(np.sin(np.pi * (np.arange(_CELL) + 0.5) / _CELL))
    profile = np.tile(across, n).astype(np.float32)
    up = np.kron(plan, np.ones((_CELL, _CELL))).astype(np.float32)
    blend = np.asarray(cv2.GaussianBlur(np.tile(up, (3, 3)), (0, 0), 2.5), np.float32)
    blend = blend[n * _CELL : 2 * n * _CELL, n * _CELL : 2 * n * _CELL]
    weft, warp = profile[:, None] * blend, profile[None, :] * (1 - blend)
    return np.maximum(weft, warp), np.asarray((weft > warp), np.float32)


def _knit() -> tuple[FloatArray, FloatArray]:
    """Columns of loops, each a V."""
    side = 2 * _CELL
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    fold = np.abs((x % _CELL) - _CELL / 2)
    phase = (y + fold * 1.3) % _CELL
    height = np.sin(np.pi * phase / _CELL) * np.clip(fold / 2.5, 0, 1)
    return height.astype(np.float32), np.asarray((x // _CELL) % 2, np.float32)


def _dots(radius: float, softness: float) -> tuple[FloatArray, FloatArray]:
    """A round element in the middle of each cell."""
    y, x = np.mgrid[0:_CELL, 0:_CELL].astype(np.float32) - (_CELL - 1) / 2
    body = np.clip((radius - np.sqrt(x * x + y * y)) / softness + 0.5, 0, 1).astype(np.float32)
    four: FloatArray = np.tile(body, (2, 2))
    return four, four


def _treads() -> tuple[FloatArray, FloatArray]:
    """Lens-shaped bars, every other one turned by a right angle."""
    side = 2 * _CELL
    canvas = np.zeros((side, side), np.uint8)
    for k, (x, y) in enumerate(((8, 8), (24, 8), (8, 24), (24, 24))):
        turn = 45 if k in (0, 3) else 135
        cv2.ellipse(canvas, (x * 16, y * 16), (7 * 16, 2 * 16), turn, 0, 360, 255, -1, cv2.LINE_AA, 4)
    body = to_alpha(canvas)
    return body, body


def _ribs() -> tuple[FloatArray, FloatArray]:
    """Parallel rounded ribs along x."""
    profile = np.abs(np.sin(np.pi * (np.arange(2 * _CELL) + 0.5) / _CELL)).astype(np.float32)
    ribs = np.repeat(profile[:, None], 2 * _CELL, axis=1)
    return ribs, np.ones_like(ribs)


TILES: dict[str, Callable[[], tuple[FloatArray, FloatArray]]] = {
    "plain": lambda: _interlaced([[1, 0], [0, 1]]),
    "twill": lambda: _interlaced([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]]),
    "satin": lambda: _interlaced([[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]),
    "basket": lambda: _interlaced([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]),
    "knit": _knit,
    "dots": lambda: _dots(4.0, 1.5),
    "studs": lambda: _dots(6.0, 5.0),
    "treads": _treads,
    "ribs": _ribs,
}
"""The patterns by name."""
