"""Wood, stone, ceramics, concrete, glass, paint, plastics: grounds without layers."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.teacher.bank import cut, smooth
from lightdet.data.synthetic.teacher.palette import (
    apart,
    colored,
    draw_light,
    draw_unit,
    earth,
    is_gray,
    paint,
    two_toned,
)
from lightdet.data.synthetic.teacher.scene import Scene, in_planes, lit
from lightdet.data.synthetic.teacher.shapes import to_alpha


def wood(rng: Generator, size: int) -> Scene:
    """Bands of growth along the grain, with fine pores."""
    unit = draw_unit(rng, size)
    angle = rng.normal(0, 0.05) + int(rng.integers(2)) * math.pi / 2
    shape = (size, size)
    bands = cut(rng, "rings", shape, unit * rng.uniform(0.6, 2.4), angle) * np.float32(rng.uniform(0.04, 0.2))
    texture = 1 - bands + np.float32(rng.uniform(0.02, 0.08)) * cut(rng, "lines", shape, unit, angle)
    return Scene(colored(texture, earth(rng, 0.35, 0.95), gray=is_gray(rng)), draw_light(rng), unit, angle)


def marble(rng: Generator, size: int) -> Scene:
    """Polished stone with veins."""
    unit = draw_unit(rng, size)
    veins = cut(rng, "veins", (size, size), unit * rng.uniform(0.6, 2), rng.uniform(0, math.pi))
    texture = 1 + veins * np.float32(rng.uniform(0.03, 0.14))
    color = earth(rng, 0.5, 0.95) if rng.random() < 0.7 else paint(rng)
    return Scene(colored(texture, color, gray=is_gray(rng)), draw_light(rng), unit)


def granite(rng: Generator, size: int) -> Scene:
    """Grains of several tones: granite, terrazzo, cork, chipboard."""
    unit = draw_unit(rng, size)
    flakes = cut(rng, "flakes", (size, size), unit * rng.uniform(0.7, 2.5))
    first = earth(rng, 0.25, 0.8)
    blend = np.clip(0.5 + flakes * np.float32(rng.uniform(0.12, 0.35)), 0, 1.2)
    planes = two_toned(blend, first, apart(rng, first, 0.12), gray=is_gray(rng))
    return Scene(planes, draw_light(rng), unit)


def concrete(rng: Generator, size: int) -> Scene:
    """Concrete, plaster, asphalt: blotches and a sandy grain."""
    unit, light = draw_unit(rng, size), draw_light(rng)
    shape = (size, size)
    texture = 1 + np.float32(rng.uniform(0.03, 0.12)) * cut(rng, "clouds", shape, unit)
    texture += np.float32(rng.uniform(0.03, 0.14)) * cut(rng, "rough", shape, unit)
    texture += np.float32(rng.uniform(0.0, 0.5)) * lit(cut(rng, "medium", shape, unit * 0.8) * np.float32(unit), light)
    return Scene(colored(texture, earth(rng, 0.2, 0.85), gray=is_gray(rng)), light, unit)


def ceramic(rng: Generator, size: int) -> Scene:
    """A glazed tile or enamel: nearly even, with joints at times."""
    unit = draw_unit(rng, size)
    texture = 1 + np.float32(rng.uniform(0.0, 0.03)) * cut(rng, "clouds", (size, size), unit)
    texture += np.float32(rng.uniform(0.0, 0.02)) * cut(rng, "medium", (size, size), unit)
    scene = Scene(colored(texture, paint(rng, light=(0.3, 0.98)), gray=is_gray(rng)), draw_light(rng), unit)
    if rng.random() < 0.4:
        _joints(rng, scene)
    return scene


def _joints(rng: Generator, scene: Scene) -> None:
    size = scene.size
    canvas = np.zeros((size, size), np.uint8)
    width, step = max(2, round(rng.uniform(2, 6) * scene.unit)), max(24, int(rng.uniform(0.35, 1.1) * size))
    for position in range(int(rng.integers(step)), size, step):
        cv2.line(canvas, (position, 0), (position, size), 255, width, cv2.LINE_AA)
        if rng.random() < 0.8:
            cv2.line(canvas, (0, position), (size, position), 255, width, cv2.LINE_AA)
    alpha = to_alpha(canvas)
    level = in_planes(float(rng.uniform(0.15, 0.8)), len(scene.planes))
    scene.planes += (level - scene.planes) * alpha


def glass(rng: Generator, size: int) -> Scene:
    """Glass, film, displays, wafers: even, dark or bright, with soft reflections."""
    unit = draw_unit(rng, size)
    texture = 1 + np.float32(rng.uniform(0.02, 0.2)) * smooth(rng, (size, size), int(rng.integers(2, 4)))
    if rng.random() < 0.5:
        texture += np.float32(rng.uniform(0.05, 0.4)) * _reflection(rng, size)
    color = paint(rng, light=(0.06, 0.3)) if rng.random() < 0.5 else paint(rng, light=(0.45, 0.95))
    return Scene(colored(texture, color, gray=is_gray(rng)), draw_light(rng), unit)


def _reflection(rng: Generator, size: int) -> FloatArray:
    """A band of light across the picture."""
    x, y = Window.whole(size).coordinates()
    angle = rng.uniform(0, 2 * math.pi)
    along = (x * math.cos(angle) + y * math.sin(angle)) / size - rng.uniform(-0.5, 0.9)
    half, soft = rng.uniform(0.04, 0.3), rng.uniform(0.005, 0.2)
    band = np.clip((half - np.abs(along)) / soft + 0.5, 0, 1)
    return np.asarray(band, np.float32)


def painted(rng: Generator, size: int) -> Scene:
    """Paint and lacquer: smooth or orange peel, some with metallic flakes."""
    unit, light = draw_unit(rng, size), draw_light(rng)
    shape = (size, size)
    height = cut(rng, "coarse", shape, unit * rng.uniform(0.5, 1.5)) * np.float32(rng.uniform(0.0, 0.5) * unit)
    texture = 1 + lit(height, light)
    if rng.random() < 0.3:
        texture += np.float32(rng.uniform(0.03, 0.12)) * np.maximum(cut(rng, "white", shape), 0)
    texture *= 1 + np.float32(rng.uniform(0.0, 0.1)) * smooth(rng, shape, 3)
    return Scene(colored(texture, paint(rng), gray=is_gray(rng)), light, unit)


def plastic(rng: Generator, size: int) -> Scene:
    """Moulded or coated parts with a fine even grain."""
    unit, light = draw_unit(rng, size), draw_light(rng)
    shape = (size, size)
    height = cut(rng, "medium", shape, unit * rng.uniform(0.6, 1.6)) * np.float32(rng.uniform(0.05, 0.4) * unit)
    texture = np.clip(1 + lit(height, light), 0.4, 1.8)
    texture *= 1 + np.float32(rng.uniform(0.0, 0.15)) * smooth(rng, shape, 2)
    return Scene(colored(texture, paint(rng, light=(0.05, 0.95)), gray=is_gray(rng)), light, unit)
