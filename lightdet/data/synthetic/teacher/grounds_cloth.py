"""Cloth, mesh, leather, rubber, paper: what is woven, knitted or moulded."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.teacher.bank import cut, smooth
from lightdet.data.synthetic.teacher.palette import (
    apart,
    colored,
    draw_light,
    draw_unit,
    earth,
    is_gray,
    level,
    metal,
    paint,
    two_toned,
)
from lightdet.data.synthetic.teacher.patterns import Layout, lay
from lightdet.data.synthetic.teacher.scene import Cloth, Scene, in_planes, lit

_WEAVES = ("plain", "plain", "twill", "satin", "basket")


def woven(rng: Generator, size: int) -> Scene:
    """Threads over and under, of one colour or two."""
    return _threads(rng, size, _WEAVES[int(rng.integers(len(_WEAVES)))], (2.5, 11))


def knitted(rng: Generator, size: int) -> Scene:
    """Columns of loops."""
    return _threads(rng, size, "knit", (4, 16))


def _threads(rng: Generator, size: int, name: str, pitches: tuple[float, float]) -> Scene:
    unit = size / 320
    pitch = math.exp(rng.uniform(math.log(pitches[0]), math.log(pitches[1]))) * unit
    angle = rng.normal(0, 0.06) + (rng.uniform(0, math.pi) if rng.random() < 0.25 else 0.0)
    height, thread, tone = lay(rng, name, size, Layout(pitch, angle, rng.uniform(0.02, 0.1)))
    gray, first, light = is_gray(rng), paint(rng, light=(0.2, 0.95)), draw_light(rng)
    second = apart(rng, first, 0.12) if rng.random() < 0.3 else first
    depth = np.float32(rng.uniform(0.25, 0.85))
    texture = (1 - depth) + depth * height + tone
    if pitch > 3 * unit:
        texture *= np.clip(1 + np.float32(0.25) * lit(height * np.float32(pitch / 2), light), 0.4, 1.7)
    texture += np.float32(rng.uniform(0.02, 0.1)) * cut(rng, "fine", (size, size), unit)
    texture *= 1 + np.float32(rng.uniform(0.0, 0.06)) * smooth(rng, (size, size), 4)
    planes = two_toned(thread, first, second, gray=gray) * texture
    scene = Scene(planes, light, unit, angle, cloth=Cloth(pitch, angle))
    dark = rng.uniform(0.02, 0.3) if rng.random() < 0.75 else rng.uniform(0.7, 0.95)
    scene.under = np.broadcast_to(in_planes(dark, len(planes)), planes.shape)
    return scene


def mesh(rng: Generator, size: int) -> Scene:
    """Perforated sheet, studs, tread plate or ribs: the elements are the upper layer."""
    unit, light = size / 320, draw_light(rng)
    name = ("dots", "studs", "treads", "ribs")[int(rng.integers(4))]
    pitch = math.exp(rng.uniform(math.log(8), math.log(48))) * unit
    angle = rng.normal(0, 0.03) + (rng.uniform(0, math.pi) if rng.random() < 0.4 else 0.0)
    height, body, tone = lay(rng, name, size, Layout(pitch, angle, 0.02))
    gray, color = is_gray(rng), metal(rng) if rng.random() < 0.6 else paint(rng)
    texture = 1 + tone + np.float32(rng.uniform(0.02, 0.08)) * cut(rng, "fine", (size, size), unit)
    if name == "dots":
        under = colored(texture, color, gray=gray)
        over = colored(1 + np.float32(0.3) * (texture - 1), apart(rng, color, 0.15), gray=gray)
        planes = under + (over - under) * body
        return Scene(planes, light, unit, angle, under=under, over=over, cover=body)
    texture *= np.clip(1 + lit(height * np.float32(pitch * rng.uniform(0.08, 0.3)), light), 0.35, 1.9)
    return Scene(colored(texture, color, gray=gray), light, unit, angle)


def leather(rng: Generator, size: int) -> Scene:
    """Leather, moulded plastics, rubber: rounded grain or wrinkles."""
    unit, light = draw_unit(rng, size), draw_light(rng)
    name = ("pebbles", "cells", "pebbles", "ridges")[int(rng.integers(4))]
    height = cut(rng, name, (size, size), unit * rng.uniform(0.5, 1.8), rng.uniform(0, math.pi), rng.uniform(1, 1.6))
    texture = np.clip(1 + lit(height * np.float32(rng.uniform(0.2, 1.0) * unit), light), 0.35, 1.9)
    texture += np.float32(rng.uniform(0.01, 0.05)) * cut(rng, "fractal", (size, size), unit)
    color = earth(rng, 0.12, 0.8) if rng.random() < 0.6 else paint(rng)
    return Scene(colored(texture, color, gray=is_gray(rng)), light, unit)


def paper(rng: Generator, size: int) -> Scene:
    """Paper, cardboard, felt, nonwoven: fibres without order."""
    unit = draw_unit(rng, size)
    shape = (size, size)
    texture = 1 + np.float32(rng.uniform(0.01, 0.07)) * cut(rng, "rough", shape, unit * rng.uniform(0.7, 2))
    angles = rng.uniform(0, math.pi, 2)
    for angle in angles:
        texture += np.float32(rng.uniform(0.0, 0.06)) * cut(rng, "streaks", shape, unit, float(angle))
    color = earth(rng, 0.5, 0.98) if rng.random() < 0.7 else paint(rng)
    return Scene(colored(texture, color, gray=is_gray(rng)), draw_light(rng), unit)


def carpet(rng: Generator, size: int) -> Scene:
    """Pile, sponge, foam: deep, soft, uneven."""
    unit, light = draw_unit(rng, size), draw_light(rng)
    shape = (size, size)
    height = cut(rng, "medium", shape, unit * rng.uniform(0.6, 1.6)) * np.float32(0.6 * unit)
    texture = np.clip(1 + lit(height, light), 0.35, 1.9) + np.float32(level(rng, 0.02, 0.15)) * cut(
        rng, "fine", shape, unit
    )
    return Scene(colored(texture, paint(rng), gray=is_gray(rng)), light, unit)
