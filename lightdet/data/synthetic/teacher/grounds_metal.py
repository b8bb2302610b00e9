"""Bare metal: rolled, brushed, ground, cast, blasted, turned, milled, plated, welded."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.teacher.bank import cut, smooth
from lightdet.data.synthetic.teacher.palette import colored, draw_light, draw_unit, is_gray, metal
from lightdet.data.synthetic.teacher.scene import Scene, lit


def _finish(rng: Generator, texture: FloatArray, unit: float, grain: float | None = None) -> Scene:
    return Scene(colored(texture, metal(rng), gray=is_gray(rng)), draw_light(rng), unit, grain)


def _right_angle(rng: Generator) -> float:
    """Mostly along a side of the picture, as machines feed sheets."""
    straight = int(rng.integers(2)) * math.pi / 2
    return straight + (rng.normal(0, 0.02) if rng.random() < 0.7 else rng.uniform(0, math.pi))


def rolled(rng: Generator, size: int) -> Scene:
    """Hot-rolled steel: clouds, a fine or coarse grain, faint streaks of rolling."""
    unit, angle = draw_unit(rng, size), _right_angle(rng)
    shape = (size, size)
    texture = 1 + np.float32(rng.uniform(0.02, 0.16)) * smooth(rng, shape, int(rng.integers(2, 6)))
    texture += np.float32(rng.uniform(0.0, 0.12)) * cut(rng, "rough", shape, unit * rng.uniform(0.8, 2.0))
    grain = rng.exponential(0.06)
    texture += np.float32(grain) * cut(rng, "fine", shape, unit * rng.uniform(0.8, 1.8), angle, rng.uniform(1, 3))
    if rng.random() < 0.6:
        texture += np.float32(rng.uniform(0.01, 0.12)) * cut(rng, "streaks", shape, 1.5 * unit, angle)
    return _finish(rng, texture, unit, angle)


def brushed(rng: Generator, size: int) -> Scene:
    """Brushed or cold-rolled sheet: long fine lines."""
    unit, angle = draw_unit(rng, size), _right_angle(rng)
    shape = (size, size)
    texture = 1 + np.float32(rng.uniform(0.03, 0.16)) * cut(rng, "lines", shape, unit * rng.uniform(0.7, 2.2), angle)
    texture += np.float32(rng.uniform(0.0, 0.06)) * cut(rng, "streaks", shape, unit, angle)
    return _finish(rng, texture, unit, angle)


def ground_flat(rng: Generator, size: int) -> Scene:
    """Ground metal: two crossing sets of short lines."""
    unit, angle = draw_unit(rng, size), rng.uniform(0, math.pi)
    shape = (size, size)
    texture = 1 + np.float32(rng.uniform(0.03, 0.12)) * cut(rng, "streaks", shape, unit * rng.uniform(0.6, 1.4), angle)
    crossing = angle + rng.uniform(0.2, 1.2)
    texture += np.float32(rng.uniform(0.02, 0.1)) * cut(rng, "streaks", shape, unit * rng.uniform(0.6, 1.4), crossing)
    return _finish(rng, texture, unit, angle)


def cast(rng: Generator, size: int) -> Scene:
    """Raw casting or forging: a rough skin in grazing light."""
    unit, light = draw_unit(rng, size), draw_light(rng)
    shape = (size, size)
    height = cut(rng, "rough", shape, unit * rng.uniform(1.0, 3.0)) * np.float32(rng.uniform(0.15, 0.7) * unit)
    texture = np.clip(1 + lit(height, light), 0.3, 1.9)
    texture += np.float32(rng.uniform(0.02, 0.12)) * cut(rng, "fractal", shape, unit)
    return Scene(colored(texture, metal(rng), gray=is_gray(rng)), light, unit)


def blasted(rng: Generator, size: int) -> Scene:
    """Sand-blasted or pickled metal: an even fine grain."""
    unit = draw_unit(rng, size)
    shape = (size, size)
    texture = 1 + np.float32(rng.uniform(0.03, 0.2)) * cut(rng, "medium", shape, unit * rng.uniform(0.5, 1.2))
    texture += np.float32(rng.uniform(0.02, 0.08)) * smooth(rng, shape, 4)
    return _finish(rng, texture, unit)


def turned(rng: Generator, size: int) -> Scene:
    """A faced or lathed surface: rings about a centre in or out of the picture, with a fan of reflections."""
    unit = draw_unit(rng, size)
    center = rng.uniform(-0.6, 1.6, 2) * size
    window = Window.whole(size)
    distance = window.distance(center)
    low = int(distance.min())
    count = int(distance.max()) - low + 2
    rings = np.repeat(rng.standard_normal(count), max(1, round(rng.uniform(1, 4) * unit)))[:count]
    profile = rings.astype(np.float32) * np.float32(rng.uniform(0.03, 0.14))
    texture = 1 + profile[distance.astype(np.int32) - low]
    if rng.random() < 0.6:
        x, y = window.coordinates()
        turn = np.arctan2(y - np.float32(center[1]), x - np.float32(center[0]))
        texture *= 1 + np.float32(rng.uniform(0.05, 0.3)) * np.cos(2 * turn + np.float32(rng.uniform(0, 6)))
    return _finish(rng, texture, unit)


def milled(rng: Generator, size: int) -> Scene:
    """Overlapping arcs of a milling cutter, evenly spaced."""
    unit, angle = draw_unit(rng, size), _right_angle(rng)
    window = Window.whole(size)
    x, y = window.coordinates()
    c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    u, v = x * c + y * s, (y * c - x * s - np.float32(size / 2)) / np.float32(size)
    pitch = np.float32(rng.uniform(4, 14) * unit)
    phase = u / pitch + np.float32(rng.uniform(-8, 8)) * v * v
    texture = 1 + np.float32(rng.uniform(0.03, 0.14)) * np.sin(phase * np.float32(2 * math.pi))
    texture += np.float32(rng.uniform(0.01, 0.06)) * cut(rng, "fine", window.shape, unit)
    return _finish(rng, texture, unit)


def galvanized(rng: Generator, size: int) -> Scene:
    """Zinc flowers or crystals: cells of slightly different tone."""
    unit = draw_unit(rng, size)
    shape = (size, size)
    texture = 1 + np.float32(rng.uniform(0.02, 0.1)) * cut(rng, "cells", shape, unit * rng.uniform(0.6, 2.5))
    texture += np.float32(rng.uniform(0.03, 0.12)) * cut(rng, "flakes", shape, unit * rng.uniform(2, 5))
    return _finish(rng, texture, unit)


def welded(rng: Generator, size: int) -> Scene:
    """A sheet with a bead of ripples along it; the bead is the upper layer."""
    scene = brushed(rng, size) if rng.random() < 0.5 else rolled(rng, size)
    unit, window = scene.unit, scene.whole
    angle = rng.uniform(0, math.pi)
    middle = np.array([size / 2, size / 2]) + rng.normal(0, size / 10, 2)
    half = np.float32(rng.uniform(0.06, 0.2) * size)
    x, y = window.coordinates()
    c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    dx, dy = x - np.float32(middle[0]), y - np.float32(middle[1])
    sway = np.float32(0.08) * half * smooth(rng, window.shape, 5)
    u, v = dx * c + dy * s, (dy * c - dx * s + sway) / half
    pitch = np.float32(max(float(rng.uniform(0.2, 0.6) * half), 4.0))
    crown = np.sqrt(np.clip(1 - v * v, 0, 1))
    ripple = np.sin((u / pitch + v * v) * np.float32(2 * math.pi)) * np.float32(rng.uniform(0.05, 0.16)) * pitch
    height = (half * np.float32(rng.uniform(0.2, 0.5)) + ripple) * crown
    shade = np.clip(1 + lit(height, scene.light), 0.35, 1.9)
    halo = np.clip(1.8 - np.abs(v), 0, 0.6) * np.float32(rng.uniform(-0.6, 0.3))
    scene.under = scene.planes * (1 + halo)
    scene.over = shade * scene.planes.mean(axis=(1, 2), keepdims=True) * np.float32(rng.uniform(0.7, 1.25))
    scene.over *= 1 + np.float32(0.05) * cut(rng, "fine", window.shape, unit)
    scene.cover = np.clip((1 - np.abs(v)) * half / 2, 0, 1)
    scene.planes = scene.under + (scene.over - scene.under) * scene.cover
    scene.grain = angle
    return scene
