"""Defects of a weld: gap, undercut, spatter."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import blurred
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Points, blob, ribbon
from lightdet.data.synthetic.scene import Scene, Weld


def _piece_of_bead(scene: Scene, rng: Generator, length: float) -> tuple[Weld, Points, Points] | None:
    """A random piece of a bead inside the picture: the weld, its path there and the normal ``[2]``."""
    if not scene.welds:
        return None
    weld = scene.welds[int(rng.integers(len(scene.welds)))]
    path = weld.path
    step = float(np.hypot(*(path[1] - path[0])))
    if scene.defect_unit is not None and length < 6 * step:  # finer, for a short piece
        places = np.linspace(0, len(path) - 1, round((len(path) - 1) * 6 * step / length) + 1)
        path = np.stack([np.interp(places, np.arange(len(path)), path[:, axis]) for axis in (0, 1)], axis=1)
        step = length / 6
    count = max(4, round(length / step))
    low, high = 0.06 * scene.size, 0.94 * scene.size
    visible = np.flatnonzero(((path > low) & (path < high)).all(axis=1))
    if len(visible) <= count:
        return None
    start = int(visible[int(rng.integers(len(visible) - count))])
    piece = path[start : start + count]
    direction = (piece[-1] - piece[0]) / np.hypot(*(piece[-1] - piece[0]))
    return weld, piece, np.array([-direction[1], direction[0]])


def gap(scene: Scene, rng: Generator) -> Layers | None:
    """The bead is interrupted: the open seam shows between two rounded ends."""
    found = _piece_of_bead(scene, rng, rng.uniform(16, 34) * scene.defect_pixel)
    if found is None or scene.bare is None:
        return None
    weld, piece, normal = found
    bow = np.linspace(-1, 1, 11)
    half = 0.62 * weld.width
    # Both ends of the bead are round: the opening bulges inwards there.
    along = (piece[-1] - piece[0]) / np.hypot(*(piece[-1] - piece[0]))
    round_ = 0.35 * weld.width * (1 - bow**2)
    first = piece[0] + normal * (half * bow)[:, None] + along * round_[:, None]
    last = piece[-1] + normal * (half * bow[::-1])[:, None] - along * round_[:, None]
    opening = np.concatenate([first[::-1], last[::-1]])
    patch = scene.patch(opening, margin=4)
    if patch is None:
        return None
    alpha = patch.window.polygon(opening)
    patch.restore(alpha, scene.bare.view(patch.window))
    patch.tint(
        blurred(patch.window.polygon(ribbon(piece, np.full(len(piece), 0.5 * weld.width))), 2 * scene.defect_pixel), 0.7
    )
    core = patch.window.polygon(ribbon(piece, np.full(len(piece), rng.uniform(2.5, 4.5) * scene.defect_pixel)))
    patch.paint(core * alpha, np.full(3, 0.05))
    return patch


def undercut(scene: Scene, rng: Generator) -> Layers | None:
    """A dark groove melted into the plate along one toe of the bead."""
    pixel = scene.defect_pixel
    found = _piece_of_bead(scene, rng, rng.uniform(28, 52) * pixel)
    if found is None:
        return None
    weld, piece, normal = found
    side = rng.choice([-1, 1])
    swell = np.sin(np.linspace(0, math.pi, len(piece)))
    wander = np.convolve(rng.normal(0, 1, len(piece)), np.ones(5) / 5, "same")
    offset = 0.5 * weld.width + (0.6 + 0.9 * wander) * pixel
    groove = piece + normal * (side * offset)[:, None]
    widths = swell**0.6 * rng.uniform(4.5, 7.0) * pixel * (1 + 0.25 * wander)
    outline = ribbon(groove, np.maximum(widths, 0.6))
    patch = scene.patch(outline, margin=5)
    if patch is None:
        return None
    alpha = blurred(patch.window.polygon(outline), 0.5 * pixel)
    patch.paint(alpha, patch.material * np.float32(rng.uniform(0.2, 0.4)))
    patch.emboss(blurred(alpha, pixel), -rng.uniform(1.5, 2.6) * pixel)
    return patch


def spatter(scene: Scene, rng: Generator) -> Layers | None:
    """A group of small frozen drops beside the bead: shiny, raised, each with a scorched ring."""
    pixel = scene.defect_pixel
    found = _piece_of_bead(scene, rng, rng.uniform(8, 16) * pixel)
    if found is None:
        return None
    weld, piece, normal = found
    side = rng.choice([-1, 1])
    middle = piece[len(piece) // 2] + normal * side * (0.5 * weld.width + rng.uniform(13, 22) * pixel)
    count = int(rng.integers(4, 9))
    places = middle + np.clip(rng.normal(0, 0.55, (count, 2)), -1.1, 1.1) * rng.uniform(10, 17) * pixel
    radii = rng.uniform(1.7, 3.8, count) * pixel
    drops = [blob(rng, place, r, roughness=0.1, count=16) for place, r in zip(places, radii, strict=True)]
    patch = scene.surface_patch(*drops, margin=5)
    if patch is None:
        return None
    alpha = scene.on_surface(patch, patch.window.union(drops))
    scorch = scene.on_surface(patch, np.clip(blurred(alpha, 1.3 * pixel) * np.float32(1.8), 0, 1))
    patch.tint(scorch, 0.55)
    patch.paint(alpha, np.array([0.62, 0.60, 0.57]) * rng.uniform(0.9, 1.15))
    patch.emboss(blurred(alpha, 0.7 * pixel), rng.uniform(1.8, 2.8) * pixel)
    return patch
