"""Surface flaws: scratch, stain, pit. Each returns the changed layers, or None where it finds no place."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import blurred
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import blob, curve, ribbon
from lightdet.data.synthetic.scene import Scene


def scratch(scene: Scene, rng: Generator) -> Layers | None:
    """Two or three parallel smooth bright strokes, fading at the ends."""
    center = scene.open_point(rng)
    if center is None:
        return None
    pixel = scene.defect_pixel
    angle = rng.uniform(0, math.pi)
    if scene.grain is not None:  # along the streaks it would be invisible
        angle = scene.grain + rng.uniform(0.35, math.pi - 0.35)
    length = rng.uniform(30, 58) * pixel
    path = curve(rng, center, length, angle, rng.uniform(0, 0.5))
    taper = np.sin(np.linspace(0.15, math.pi - 0.15, len(path))) ** 0.5
    side = np.array([-math.sin(angle), math.cos(angle)])
    strokes = []
    # Parallel strokes of a small picture would run into one.
    for index in range(int(rng.integers(2, 4)) if pixel >= 0.8 else 1):
        part = slice(int(rng.integers(0, 5)), len(path) - int(rng.integers(0, 5))) if index else slice(None)
        shifted = path[part] + side * index * rng.uniform(3.0, 5.0) * pixel
        strokes.append(ribbon(shifted, taper[part] * rng.uniform(1.5, 2.4) * pixel))
    patch = scene.surface_patch(*strokes, margin=3)
    if patch is None:
        return None
    alpha = scene.on_surface(patch, patch.window.union(strokes))
    patch.tint(alpha, rng.uniform(1.4, 1.8))
    patch.paint(alpha * 0.45, np.full(3, 0.92))
    patch.emboss(alpha, -rng.uniform(0.3, 0.8) * pixel)
    return patch


def stain(scene: Scene, rng: Generator) -> Layers | None:
    """A soft-edged blotch of oil, rust or dried coolant, often with a darker margin."""
    center = scene.open_point(rng)
    if center is None:
        return None
    pixel = scene.defect_pixel
    radius = rng.uniform(9, 18) * pixel
    outline = blob(rng, center, radius, roughness=0.3, stretch=rng.uniform(1.0, 1.35))
    patch = scene.surface_patch(outline, margin=6 * pixel)
    if patch is None:
        return None
    body = patch.window.polygon(outline)
    alpha = blurred(body, rng.uniform(0.8, 1.6) * pixel)
    color = [(0.80, 0.58, 0.40), (0.58, 0.58, 0.60), (0.66, 0.70, 0.82)][int(rng.integers(3))]
    dark = patch.material.mean() < 0.3
    strength = rng.uniform(0.95, 1.25)
    tint = 1 + (2.2 - np.array(color) - 1) * strength if dark else 1 + (np.array(color) - 1) * strength
    margin = np.clip(alpha - blurred(body, 3.5 * pixel), 0, 1) * np.float32(1.2)
    patch.tint(scene.on_surface(patch, alpha), tint)
    patch.tint(scene.on_surface(patch, np.clip(margin, 0, 1)), 1.3 if dark else 0.7)
    return patch


def pit(scene: Scene, rng: Generator) -> Layers | None:
    """One or two round craters with a raised bright rim, lit on one flank, dark on the other."""
    center = scene.open_point(rng)
    if center is None:
        return None
    pixel = scene.defect_pixel
    count = int(rng.choice([1, 2], p=[0.7, 0.3]))
    radii = rng.uniform(5.0, 8.0, count) * pixel
    angle = rng.uniform(0, 2 * math.pi)
    step = np.array([math.cos(angle), math.sin(angle)])
    centers = [center + step * k * rng.uniform(17, 21) * pixel for k in range(count)]
    outlines = [blob(rng, c, r, roughness=0.12) for c, r in zip(centers, radii, strict=True)]
    patch = scene.surface_patch(*outlines, margin=5 * pixel)
    if patch is None:
        return None
    crater = patch.window.union(outlines)
    rim = np.clip(blurred(crater, 2.0 * pixel) * np.float32(2.0), 0, 1) - crater
    patch.tint(scene.on_surface(patch, np.clip(rim, 0, 1)), rng.uniform(1.35, 1.6))
    inside = scene.on_surface(patch, crater)
    # A pit shows by its light and dark flanks, not by its colour: that distinguishes it from an inclusion.
    patch.tint(inside, rng.uniform(0.75, 0.9))
    patch.emboss(blurred(inside, 1.6 * pixel), -rng.uniform(4.0, 6.0) * pixel)
    return patch
