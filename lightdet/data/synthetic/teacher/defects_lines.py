"""Cracks, scratches and fibres: defects that are lines.

Every defect takes a scene, a random stream, its length in pixels and its strength (0–1, from barely to plainly
visible); it returns the changed patch, or None where it finds no place.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.outlines import Points
from lightdet.data.synthetic.teacher.bank import cut, field
from lightdet.data.synthetic.teacher.scene import Patch, Scene
from lightdet.data.synthetic.teacher.shapes import (
    arc,
    cloud,
    draw_stroke,
    envelope,
    stroke,
    to_alpha,
    wander,
    window_around,
)

Paths = list[tuple[Points, np.ndarray]]


def _patch_of(scene: Scene, paths: Paths, margin: float) -> Patch | None:
    window = Window.around(np.concatenate([path for path, _ in paths]), margin, scene.size)
    return None if window is None else scene.patch(window)


def _alpha_of(window: Window, paths: Paths) -> np.ndarray:
    canvas = np.zeros(window.shape, np.uint8)
    for path, widths in paths:
        draw_stroke(canvas, window, path, widths)
    return to_alpha(canvas)


def dark_share(rng: Generator, scene: Scene, window: Window) -> bool:
    """Whether a mark is darker than its ground: mostly so on bright ground, mostly not on dark."""
    return bool(rng.random() < np.clip(scene.level(window) * 1.5, 0.15, 0.85))


def crack(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A jagged dark line that thins out, often with branches."""
    center, angle = scene.place(rng), rng.uniform(0, math.pi)
    unit = scene.unit
    main = wander(rng, center, angle, reach, rng.uniform(0.05, 0.35), int(np.clip(reach / 3, 10, 60)))
    width = rng.uniform(0.7, 1.3) * unit * (1 + reach / (90 * unit)) * (0.6 + strength)
    paths: Paths = [(main, np.linspace(width, 0.4 * width, len(main)))]
    for _ in range(int(rng.integers(0, 5))):
        root = main[int(rng.integers(len(main)))]
        turn = angle + rng.choice((-1, 1)) * rng.uniform(0.3, 1.2)
        length = reach * rng.uniform(0.12, 0.45)
        middle = root + 0.5 * length * np.array([math.cos(turn), math.sin(turn)])
        branch = wander(rng, middle, turn, length, 0.2, 12)
        branch += root - branch[0]
        paths.append((branch, np.linspace(0.7 * width, 0.25 * width, len(branch))))
    patch = _patch_of(scene, paths, 4)
    if patch is None:
        return None
    alpha = _alpha_of(patch.window, paths)
    if scene.level(patch.window) > 0.15 and rng.random() < 0.9:
        patch.tint(alpha, 1 - 0.35 - 0.55 * strength)
    else:
        patch.paint(alpha * np.float32(0.3 + 0.6 * strength), float(rng.uniform(0.5, 0.95)))
    if rng.random() < 0.3:
        patch.emboss(blurred(alpha, 0.8 * unit) * np.float32(-1.5 * unit))
    return patch


def star(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Cracks that run out from a blow, with broken rings, as in glass or glaze."""
    center, unit = scene.place(rng), scene.unit
    paths: Paths = []
    turn = rng.uniform(0, math.pi)
    for k in range(int(rng.integers(4, 10))):
        angle = turn + k * 2.4 + rng.normal(0, 0.3)
        length = reach * rng.uniform(0.25, 0.6)
        middle = center + 0.5 * length * np.array([math.cos(angle), math.sin(angle)])
        ray = wander(rng, middle, angle, length, 0.08, 10)
        paths.append((ray, np.linspace(1.6 * unit, 0.4 * unit, len(ray))))
    patch = _patch_of(scene, paths, 4)
    if patch is None:
        return None
    alpha = _alpha_of(patch.window, paths)
    alpha = np.maximum(alpha, patch.window.disc(center, rng.uniform(0, 0.06) * reach + 1))
    dark = dark_share(rng, scene, patch.window)
    patch.paint(alpha * np.float32(0.3 + 0.65 * strength), 0.04 if dark else 0.95)
    return patch


def crazing(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A net of fine cracks over an area."""
    center = scene.place(rng)
    radii, angle = (reach / 2, reach / 2 * rng.uniform(0.4, 1.0)), rng.uniform(0, math.pi)
    window = window_around(center, radii, angle, 2, scene.size)
    if window is None:
        return None
    patch, unit = scene.patch(window), scene.unit
    name = "cells" if rng.random() < 0.45 else "ridges"
    lie = (scene.grain or 0.0) + (0.0 if rng.random() < 0.5 else math.pi / 2)
    net = cut(rng, name, window.shape, unit * rng.uniform(0.5, 2.2), lie, rng.uniform(1, 2.5))
    if name == "cells":
        lines = np.clip(-net - np.float32(rng.uniform(0.3, 1.2)), 0, 1)
    else:
        top = field("ridges").max()
        lines = np.clip(1 - (top - net) * np.float32(rng.uniform(1.2, 3.0)), 0, 1)
    if rng.random() < 0.6:  # torn here and there
        lines *= np.clip(rng.uniform(0.2, 1) + cut(rng, "coarse", window.shape, unit * rng.uniform(0.6, 2)), 0, 1)
    alpha = lines * cloud(rng, window, center, radii, angle, rough=0.25, soft=0.25, scale=2 * unit)
    if dark_share(rng, scene, window) or rng.random() < 0.5:
        patch.tint(alpha, 1 - 0.3 - 0.6 * strength)
    else:
        patch.paint(alpha * np.float32(0.2 + 0.6 * strength), 0.9)
    if rng.random() < 0.3:
        patch.emboss(alpha * np.float32(-unit))
    return patch


def _scratch_angle(scene: Scene, rng: Generator) -> float:
    if scene.grain is None or rng.random() < 0.35:
        return float(rng.uniform(0, math.pi))
    return scene.grain + float(rng.normal(0, 0.05))


def _lay_lines(
    scene: Scene, rng: Generator, paths: Paths, strength: float, *, bright: float = 0.6, deep: float = 0.5
) -> Patch | None:
    patch = _patch_of(scene, paths, 4)
    if patch is None:
        return None
    alpha = _alpha_of(patch.window, paths)
    if rng.random() < deep:
        patch.emboss(blurred(alpha, 0.6 * scene.unit) * np.float32(-2.5 * strength * scene.unit))
    if rng.random() < bright:
        patch.paint(alpha * np.float32(0.2 + 0.75 * strength), float(rng.uniform(0.75, 1.0)))
    else:
        patch.tint(alpha, 1 - 0.25 - 0.6 * strength)
    return patch


def scratch(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A straight or bent line, fading at its ends and here and there on the way."""
    path = arc(rng, scene.place(rng), _scratch_angle(scene, rng), reach, abs(rng.normal(0, 0.35)), 26)
    width = rng.uniform(0.6, 2.6) * scene.unit
    fade = np.sin(np.linspace(0.12, math.pi - 0.05, len(path))) ** rng.uniform(0.3, 1.0)
    broken = np.clip(rng.normal(1, 0.3, len(path)), 0.3, 1.3)
    return _lay_lines(scene, rng, [(path, width * fade * broken)], strength)


def scratches(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A bundle of nearly parallel scratches."""
    center, angle = scene.place(rng), _scratch_angle(scene, rng)
    side = np.array([-math.sin(angle), math.cos(angle)])
    ahead = np.array([math.cos(angle), math.sin(angle)])
    wide = reach * rng.uniform(0.05, 0.3)
    bend = abs(rng.normal(0, 0.2))
    paths: Paths = []
    for _ in range(int(rng.integers(3, 12))):
        length = reach * rng.uniform(0.3, 1.0)
        middle = center + side * rng.uniform(-0.5, 0.5) * wide + ahead * rng.uniform(-0.5, 0.5) * (reach - length)
        path = arc(rng, middle, angle + rng.normal(0, 0.02), length, bend, 14)
        fade = np.sin(np.linspace(0.15, math.pi - 0.1, len(path)))
        paths.append((path, rng.uniform(0.5, 2.0) * scene.unit * fade))
    return _lay_lines(scene, rng, paths, strength)


def gouge(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A broad groove or strip, torn and shiny or dark, as of metal dragged along."""
    path = arc(rng, scene.place(rng), _scratch_angle(scene, rng), reach, abs(rng.normal(0, 0.2)), 26)
    width = max(reach * rng.uniform(0.04, 0.14), 3)
    ends = np.sin(np.linspace(0.15, math.pi - 0.05, len(path))) ** rng.uniform(0.2, 0.9)
    waver = np.clip(1 + np.cumsum(rng.normal(0, 0.12, len(path))), 0.5, 1.6)
    window = Window.around(path, width + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    alpha = blurred(stroke(window, path, np.maximum(width * waver * ends, 1)), 0.7)
    patch.emboss(alpha * np.float32(rng.choice((-1, 1)) * (1 + 3 * strength) * scene.unit))
    torn = np.clip(0.7 + 0.35 * cut(rng, "streaks", window.shape, scene.unit, _scratch_angle(scene, rng)), 0, 1)
    dark = dark_share(rng, scene, window)
    patch.paint(alpha * torn * np.float32(0.2 + 0.6 * strength), 0.08 if dark else 0.92)
    return patch


def scuff(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """An area rubbed by something rough: many short faint lines in one direction."""
    center, angle = scene.place(rng), rng.uniform(0, math.pi)
    radii = (reach / 2, reach / 2 * rng.uniform(0.15, 0.6))
    window = window_around(center, radii, angle, 2, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    lines = cut(rng, "streaks", window.shape, scene.unit * rng.uniform(0.7, 1.6), angle)
    alpha = np.clip(lines * 0.9 - 0.2, 0, 1) * envelope(window, center, radii, angle, 0.5)
    patch.paint(alpha * np.float32(0.25 + 0.6 * strength), 0.06 if dark_share(rng, scene, window) else 0.95)
    return patch


def fibre(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A hair or thread that lies on the surface, curled, with a faint shadow."""
    path = arc(rng, scene.place(rng), rng.uniform(0, math.pi), reach, rng.uniform(-4.5, 4.5), 40)
    width = rng.uniform(0.7, 2.4) * scene.unit
    patch = _patch_of(scene, [(path, np.full(len(path), width))], 6)
    if patch is None:
        return None
    if rng.random() < 0.4:
        shadow = stroke(patch.window, path + 2 * scene.unit, 1.5 * width)
        patch.tint(blurred(shadow, scene.unit), 0.7)
    color = (0.05, 0.95)[int(not dark_share(rng, scene, patch.window))]
    tone = tuple(float(np.clip(color + rng.normal(0, 0.1), 0, 1)) for _ in range(3))
    patch.paint(stroke(patch.window, path, width) * np.float32(0.35 + 0.6 * strength), (tone[0], tone[1], tone[2]))
    return patch


def crease(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A fold, wrinkle or kink: a line with one bright and one dark flank."""
    path = arc(rng, scene.place(rng), rng.uniform(0, math.pi), reach, rng.normal(0, 0.4), 26)
    width = rng.uniform(1.5, 5) * scene.unit
    window = Window.around(path, 3 * width + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    fade = np.sin(np.linspace(0.1, math.pi - 0.1, len(path)))
    ridge = blurred(stroke(window, path, np.maximum(width * fade, 0.3)), width / 2)
    patch.emboss(ridge * np.float32(rng.choice((-1, 1)) * width * (0.8 + 2.5 * strength)))
    return patch
