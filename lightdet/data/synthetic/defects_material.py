"""Defects of the material: porosity, inclusion, crack. Each returns the changed layers, or None without a place."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import blurred
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Points, blob, jagged, ribbon, shard
from lightdet.data.synthetic.scene import Scene


def porosity(scene: Scene, rng: Generator) -> Layers | None:
    """A cloud of many tiny dark pores, denser in its middle."""
    center = scene.open_point(rng)
    if center is None:
        return None
    pixel = scene.defect_pixel
    spread = rng.uniform(8, 17) * pixel
    count = int(rng.integers(9, 22))
    offsets = np.clip(rng.normal(0, 0.62, (count, 2)), -1.3, 1.3) * spread
    radii = rng.uniform(1.0, 2.1, count) * pixel
    pores = [blob(rng, center + o, r, roughness=0.15, count=12) for o, r in zip(offsets, radii, strict=True)]
    patch = scene.surface_patch(*pores, margin=4 * pixel)
    if patch is None:
        return None
    alpha = scene.on_surface(patch, patch.window.union(pores))
    patch.paint(alpha, patch.material * np.float32(rng.uniform(0.1, 0.25)))
    patch.emboss(alpha, -rng.uniform(0.8, 1.6) * pixel)
    return patch


def inclusion(scene: Scene, rng: Generator) -> Layers | None:
    """Two to four angular grains of slag or foreign metal: sharp edges, a tone of their own, a thin seam."""
    center = scene.open_point(rng)
    if center is None:
        return None
    pixel = scene.defect_pixel
    radius = rng.uniform(6.5, 10) * pixel
    shards = [shard(rng, center, radius)]
    for _ in range(int(rng.integers(1, 4))):
        turn = rng.uniform(0, 2 * math.pi)
        away = radius * rng.uniform(1.2, 1.7) * np.array([math.cos(turn), math.sin(turn)])
        shards.append(shard(rng, center + away, radius * rng.uniform(0.35, 0.6)))
    patch = scene.surface_patch(*shards, margin=4 * pixel)
    if patch is None:
        return None
    grain = patch.window.union(shards)
    seam = np.clip(blurred(grain, 1.1 * pixel) * np.float32(1.7), 0, 1)
    patch.tint(scene.on_surface(patch, seam), 0.6)
    base = float(patch.material.mean())
    if base > 0.25:
        color = np.array([0.16, 0.14, 0.13]) * rng.uniform(0.7, 1.3)
    else:
        color = np.clip(base * rng.uniform(1.5, 1.8) + rng.uniform(0.04, 0.1), 0, 0.93) * np.array([1.0, 0.97, 0.88])
    mottled = 1 + 0.18 * rng.standard_normal(patch.window.shape, dtype=np.float32)
    patch.paint(scene.on_surface(patch, grain), np.clip(color[:, None, None] * mottled, 0.01, 0.97))
    patch.emboss(scene.on_surface(patch, grain), 0.7 * pixel)
    return patch


def crack(scene: Scene, rng: Generator) -> Layers | None:
    """A jagged dark line that thins towards its end, with up to two branches."""
    start = scene.open_point(rng)
    if start is None:
        return None
    pixel = scene.defect_pixel
    angle = rng.uniform(0, 2 * math.pi)
    length = rng.uniform(32, 56) * pixel
    main = jagged(rng, start, length, angle, 5.5 * pixel)
    pieces = [_taper(main, rng.uniform(2.4, 3.6) * pixel)]
    for _ in range(int(rng.integers(0, 3))):
        where = int(rng.integers(len(main) // 4, 3 * len(main) // 4))
        side = angle + rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)
        branch = jagged(rng, main[where], length * rng.uniform(0.2, 0.4), side, 5 * pixel)
        pieces.append(_taper(branch, 1.5 * pixel))
    patch = scene.surface_patch(*pieces, margin=3)
    if patch is None:
        return None
    alpha = scene.on_surface(patch, patch.window.union(pieces))
    patch.paint(alpha, patch.material * np.float32(rng.uniform(0.1, 0.22)))
    patch.emboss(alpha, -rng.uniform(0.5, 1.0) * pixel)
    return patch


def _taper(path: Points, width: float) -> Points:
    return ribbon(path, width * np.linspace(1.0, 0.35, len(path)))
