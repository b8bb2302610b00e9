"""Materials of parts and of the surfaces they lie on: colours and textures."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic import textures
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Points, Pose
from lightdet.data.synthetic.scene import Scene

Finish = Literal["brushed", "turned", "cast", "plain"]

STEEL, ALUMINIUM, IRON = (0.55, 0.56, 0.58), (0.66, 0.67, 0.68), (0.40, 0.40, 0.41)
BRASS, BRONZE, OXIDE = (0.66, 0.55, 0.32), (0.55, 0.42, 0.30), (0.26, 0.265, 0.28)
PAINTS = ((0.25, 0.36, 0.52), (0.30, 0.45, 0.36), (0.60, 0.30, 0.24), (0.66, 0.57, 0.28), (0.46, 0.48, 0.50))


def shade_of(rng: Generator, *colors: tuple[float, float, float]) -> Points:
    """One of the colours, a little lighter or darker, a little off in hue."""
    color = np.array(colors[int(rng.integers(len(colors)))])
    return np.clip(color * rng.uniform(0.88, 1.12) * rng.normal(1, 0.015, 3), 0.03, 0.95)


def finish_of(rng: Generator, size: int, pose: Pose, finish: Finish) -> FloatArray:
    """A gray texture ``[size, size]`` of mean one for a finish."""
    pixel = size / 320
    blotches = textures.clouds(rng, size, rng.uniform(40, 110) * pixel, rng.uniform(0.01, 0.035))
    if finish == "brushed":
        angle = pose.angle + (0.0 if rng.random() < 0.7 else math.pi / 2)
        return blotches * textures.brushed(rng, size, angle, rng.uniform(0.025, 0.065), rng.uniform(1.0, 1.8) * pixel)
    if finish == "turned":
        return blotches * textures.turned(rng, size, pose.center, rng.uniform(2, 4) * pixel, rng.uniform(0.02, 0.05))
    if finish == "cast":
        coarse = textures.clouds(rng, size, 7 * pixel, rng.uniform(0.01, 0.03))
        return blotches * coarse * textures.grain(rng, size, rng.uniform(0.04, 0.09), rng.uniform(1.2, 2.2) * pixel)
    return blotches * textures.grain(rng, size, rng.uniform(0.008, 0.02), 1.3 * pixel)


def _ground(rng: Generator, size: int, luminance: float) -> FloatArray:
    """What the part lies on, clearly darker or lighter than the part: belt, table or mat."""
    pixel = size / 320
    darker = luminance > 0.45 or (luminance > 0.33 and rng.random() < 0.3)
    level = rng.uniform(0.10, max(0.14, luminance - 0.27)) if darker else rng.uniform(luminance + 0.27, 0.86)
    color = np.clip(level * rng.normal(1, 0.04, 3), 0.02, 0.95)
    texture = textures.clouds(rng, size, rng.uniform(50, 120) * pixel, 0.03)
    kind = rng.random()
    if kind < 0.35:
        texture = texture * textures.weave(size, rng.uniform(0, math.pi), rng.uniform(5, 9) * pixel, 0.06)
    elif kind < 0.75:
        texture = texture * textures.grain(rng, size, 0.05, 1.5 * pixel)
    return textures.colored(texture, color)


def new_scene(rng: Generator, size: int, pose: Pose, color: Points, finish: Finish) -> Scene:
    """Ground and material of a part that covers nothing yet."""
    texture = finish_of(rng, size, pose, finish)
    layers = Layers(
        Window.whole(size),
        _ground(rng, size, float(color.mean())),
        textures.colored(texture, color),
        np.zeros((size, size), np.float32),
        np.zeros((size, size), np.float32),
    )
    return Scene(size, layers, pose, grain=pose.angle if finish == "brushed" else None)
