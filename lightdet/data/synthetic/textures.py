"""Textures of materials: gray, with mean one, float32 ``[h, w]``, made from small random grids."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.outlines import Points


def noise(rng: Generator, shape: tuple[int, ...]) -> FloatArray:
    """Standard normal values."""
    return rng.standard_normal(shape, dtype=np.float32)


def _scaled(grid: FloatArray, width: int, height: int, how: int = cv2.INTER_CUBIC) -> FloatArray:
    return np.asarray(cv2.resize(grid, (width, height), interpolation=how), dtype=np.float32)


def clouds(rng: Generator, size: int, cell: float, strength: float) -> FloatArray:
    """Smooth blotches about `cell` pixels wide; `strength` is their standard deviation."""
    count = max(3, math.ceil(size / max(cell, 1.0)) + 2)
    return 1 + strength * _scaled(noise(rng, (count, count)), size, size)


def grain(rng: Generator, size: int, strength: float, scale: float) -> FloatArray:
    """A sand-like grain about `scale` pixels wide, as of a raw casting."""
    count = max(8, round(size / max(scale, 1.0)))
    fine = noise(rng, (count, count))
    rough = fine + np.float32(0.9) * _scaled(noise(rng, (count // 2 + 2, count // 2 + 2)), count, count)
    return 1 + np.float32(strength * 0.74) * _scaled(rough, size, size, cv2.INTER_LINEAR)


def brushed(rng: Generator, size: int, angle: float, strength: float, scale: float) -> FloatArray:
    """Long fine streaks in the direction `angle` (radians), as of brushed or rolled sheet."""
    side = math.ceil(size * 1.45)
    lines = max(8, round(side / max(scale, 1.0)))
    streaks = noise(rng, (lines, max(4, side // 48)))
    streaks += np.float32(0.6) * _scaled(noise(rng, (lines // 6 + 2, 3)), streaks.shape[1], lines)
    long = _scaled(streaks, side, side, cv2.INTER_LINEAR)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -math.degrees(angle), 1.0)
    turn = np.asarray(turn, np.float64) + np.array([[0, 0, (size - side) / 2]] * 2)
    turned = cv2.warpAffine(long, turn, (size, size), borderMode=cv2.BORDER_REFLECT)
    return 1 + np.float32(strength * 0.86) * np.asarray(turned, dtype=np.float32)


def turned(rng: Generator, size: int, center: Points, pitch: float, strength: float) -> FloatArray:
    """Concentric tool marks `pitch` pixels apart around `center`: a lathe's, or a face mill's from far away."""
    distance = Window.whole(size).distance(center)
    reach = int(distance.max()) + 2
    rings = noise(rng, (1, max(4, math.ceil(reach / max(pitch, 1.0)))))
    profile = _scaled(rings, reach, 1).ravel() + np.float32(0.5) * noise(rng, (reach,))
    return 1 + np.float32(strength * 0.8) * profile[distance.astype(np.int32)]


def weave(size: int, angle: float, pitch: float, strength: float) -> FloatArray:
    """A regular cross-hatch, as of a rubber mat or a belt."""
    x, y = Window.whole(size).coordinates()
    c, s = math.cos(angle), math.sin(angle)
    step = 2 * math.pi / max(pitch, 3.0)
    u, v = (x * c + y * s) * step, (y * c - x * s) * step
    return (1 + strength * (np.sin(u) * np.sin(v))).astype(np.float32)


def colored(texture: FloatArray, color: Points) -> FloatArray:
    """A gray texture ``[h, w]`` in one colour: planes ``[3, h, w]``."""
    return texture * color.astype(np.float32)[:, None, None]
