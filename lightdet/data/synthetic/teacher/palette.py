"""Colours of things, and how a texture takes one."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.teacher.scene import Color, in_planes

GRAY_SHARE = 0.45
"""How often a ground is drawn without colour."""


def level(rng: Generator, low: float, high: float) -> float:
    """A level in a range."""
    return float(rng.uniform(low, high))


def metal(rng: Generator) -> Color:
    """Steel, aluminium, brass, copper, or dark oxide."""
    base = level(rng, 0.18, 0.8)
    hue = ((1.0, 1.0, 1.0), (0.96, 1.0, 1.05), (1.04, 1.0, 0.94), (1.12, 0.98, 0.62), (1.15, 0.85, 0.68))
    weight = hue[int(rng.choice(5, p=(0.45, 0.2, 0.15, 0.1, 0.1)))]
    return base * weight[0], base * weight[1], base * weight[2]


def paint(rng: Generator, *, light: tuple[float, float] = (0.1, 0.92)) -> Color:
    """Any colour, grays and whites often."""
    saturation = 0.0 if rng.random() < 0.3 else float(rng.uniform(0.05, 0.85))
    return colorsys.hsv_to_rgb(float(rng.random()), saturation, level(rng, *light))


def earth(rng: Generator, low: float = 0.2, high: float = 0.85) -> Color:
    """Browns, beiges and grays, as of wood, stone, leather and clay."""
    return colorsys.hsv_to_rgb(float(rng.uniform(0.03, 0.13)), float(rng.uniform(0.0, 0.6)), level(rng, low, high))


def apart(rng: Generator, color: Color, least: float = 0.18) -> Color:
    """A colour whose lightness is at least `least` from another's."""
    other = paint(rng)
    for _ in range(8):
        if abs(sum(other) - sum(color)) / 3 >= least:
            return other
        other = paint(rng)
    return (0.9, 0.9, 0.9) if sum(color) < 1.5 else (0.08, 0.08, 0.08)


def colored(texture: FloatArray, color: Color, *, gray: bool) -> FloatArray:
    """Planes ``[C, h, w]`` of a texture that is one on average."""
    return texture * in_planes(color, 1 if gray else 3)


def two_toned(texture: FloatArray, low: Color, high: Color, *, gray: bool) -> FloatArray:
    """Planes of a texture between two colours: 0 is `low`, 1 is `high`."""
    count = 1 if gray else 3
    first = in_planes(low, count)
    return texture * (in_planes(high, count) - first) + first


def is_gray(rng: Generator) -> bool:
    """Whether a ground is drawn without colour."""
    return bool(rng.random() < GRAY_SHARE)


def draw_light(rng: Generator) -> tuple[float, float]:
    """Direction and strength of the lamp, from flat to grazing."""
    angle, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0.25, 1.3)
    return float(strength * math.cos(angle)), float(strength * math.sin(angle))


def draw_unit(rng: Generator, size: int) -> float:
    """Pixels of one length unit: the picture's side and how near the camera stands."""
    return size / 320 * float(np.exp(rng.normal(0, 0.3)))
