"""Deviations of shape and size on a part's outline: burr, dent, hole out of size."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import blurred
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Points, blob, resampled
from lightdet.data.synthetic.scene import Scene, outward_normals


def _stretch_of_outline(scene: Scene, rng: Generator, length: float) -> tuple[Points, Points] | None:
    """A random piece of the outline about `length` pixels long, whole in the picture: points and outward normals."""
    if scene.outline is None:
        return None
    step = 1.5 * scene.defect_pixel
    outline = scene.outline if scene.defect_unit is None else resampled(scene.outline, step)
    count = max(6, round(length / step))
    if count >= len(outline):
        return None
    normal = outward_normals(outline)
    low, high = 0.05 * scene.size, 0.95 * scene.size
    visible = np.flatnonzero(((outline > low) & (outline < high)).all(axis=1))
    if len(visible) < count:
        return None
    for start in visible[rng.integers(0, len(visible), 8)]:
        index = (int(start) + np.arange(count)) % len(outline)
        piece, out = outline[index], normal[index]
        straight = float(out[0] @ out[-1]) > 0.75 and float(out[0] @ out[count // 2]) > 0.75
        if straight and ((piece > low) & (piece < high)).all():
            return piece, out
    return None


def burr(scene: Scene, rng: Generator) -> Layers | None:
    """A ragged fin of metal that stands out over the edge."""
    pixel = scene.defect_pixel
    found = _stretch_of_outline(scene, rng, rng.uniform(20, 38) * pixel)
    if found is None:
        return None
    piece, out = found
    bump = np.sin(np.linspace(0, math.pi, len(piece))) ** 0.6
    knots = np.arange(0, len(piece) + 3, 3)
    teeth = np.interp(np.arange(len(piece)), knots, rng.uniform(0.45, 1, len(knots)))
    height = rng.uniform(6, 13) * pixel
    top = piece + out * (height * bump * teeth)[:, None]
    fin = np.concatenate([top, (piece - out * 2.5 * pixel)[::-1]])
    patch = scene.patch(fin, margin=4)
    if patch is None:
        return None
    alpha = patch.window.polygon(fin)
    patch.extend(alpha)
    patch.tint(alpha, rng.uniform(1.25, 1.5))
    patch.emboss(blurred(alpha, pixel), rng.uniform(0.5, 1.2) * pixel)
    return patch


def dent(scene: Scene, rng: Generator) -> Layers | None:
    """A bite out of the edge, its lip crushed bright."""
    pixel = scene.defect_pixel
    found = _stretch_of_outline(scene, rng, rng.uniform(18, 34) * pixel)
    if found is None:
        return None
    piece, out = found
    depth = rng.uniform(7, 14) * pixel
    bite = np.sin(np.linspace(0, math.pi, len(piece))) ** rng.uniform(0.6, 1.1)
    bite = bite * (1 + 0.12 * np.convolve(rng.normal(0, 1, len(piece)), np.ones(3) / 3, "same"))
    inner = piece - out * (depth * bite)[:, None]
    notch = np.concatenate([inner, (piece + out * 4 * pixel)[::-1]])
    patch = scene.patch(notch, margin=6 * pixel)
    if patch is None:
        return None
    alpha = patch.window.polygon(notch)
    lip = np.clip(blurred(alpha, 2.0 * pixel) * np.float32(1.5), 0, 1)
    patch.tint(lip, rng.uniform(1.3, 1.5))
    patch.emboss(lip, 1.2 * pixel)
    patch.carve(alpha)
    return patch


def hole_out_of_size(scene: Scene, rng: Generator) -> Layers | None:
    """A drilled hole run out: larger than its chamfer and oval, its edge torn."""
    if not scene.holes:
        return None
    hole = scene.holes[int(rng.integers(len(scene.holes)))]
    growth = hole.radius * rng.uniform(1.28, 1.5)
    limit = 30 * scene.defect_pixel
    outline = blob(rng, hole.center, min(growth, hole.radius + limit), roughness=0.08, stretch=rng.uniform(1.12, 1.3))
    patch = scene.patch(outline, margin=5 * scene.defect_pixel)
    if patch is None:
        return None
    alpha = patch.window.polygon(outline)
    patch.tint(np.clip(blurred(alpha, 1.8 * scene.defect_pixel) * np.float32(1.8), 0, 1), rng.uniform(1.3, 1.5))
    patch.carve(alpha)
    return patch
