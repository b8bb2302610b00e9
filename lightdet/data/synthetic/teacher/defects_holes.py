"""Pits, pores, pinholes, bubbles, inclusions, grit and spatter: defects that are spots, alone or in swarms."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.outlines import blob, shard
from lightdet.data.synthetic.teacher.bank import cut
from lightdet.data.synthetic.teacher.defects_lines import dark_share
from lightdet.data.synthetic.teacher.scene import Color, Patch, Scene
from lightdet.data.synthetic.teacher.shapes import cloud, discs, scatter, stroke, to_alpha, window_around


def pit(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A crater with a dark floor and flanks in light and shade."""
    center, radius = scene.place(rng), max(reach / 2, 2.5)
    outline = blob(rng, center, radius, roughness=rng.uniform(0.05, 0.3), stretch=rng.uniform(1, 1.3))
    window = Window.around(outline, 0.5 * radius + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    body = window.polygon(outline)
    soft = blurred(body, max(radius * rng.uniform(0.1, 0.35), 0.6))
    patch.emboss(soft * np.float32(-radius * (0.3 + 1.2 * strength)))
    patch.tint(soft, 1 - rng.uniform(0.1, 0.75) * (0.3 + 0.7 * strength))
    if rng.random() < 0.3:
        rim = np.clip(blurred(body, 0.25 * radius + 0.5) * 2, 0, 1) - body
        patch.tint(np.clip(rim, 0, 1), 1 + 0.6 * strength)
    return patch


def blowhole(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A deep ragged black hole, a bright rim on one side."""
    center, radius = scene.place(rng), max(reach / 2, 3)
    radii, angle = (radius, radius * rng.uniform(0.45, 1.0)), rng.uniform(0, math.pi)
    window = window_around(center, radii, angle, 0.4 * radius + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    body = cloud(rng, window, center, radii, angle, rough=0.25, soft=0.15, scale=max(radius / 14, 0.2))
    patch.emboss(blurred(body, 0.8) * np.float32(-radius * 0.8))
    patch.paint(body * np.float32(0.4 + 0.55 * strength), float(rng.uniform(0.0, 0.15)))
    return patch


def pinholes(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A few small round holes or bright points in a group or a row."""
    center, angle = scene.place(rng), rng.uniform(0, math.pi)
    radii = (reach / 2, reach / 2 * rng.uniform(0.05, 0.9))
    points = scatter(rng, center, radii, angle, int(rng.integers(2, 10)))
    sizes = rng.uniform(0.9, 2.8, len(points)) * scene.unit
    window = Window.around(points, float(sizes.max()) + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    alpha = discs(window, points, sizes)
    if dark_share(rng, scene, window) or rng.random() < 0.4:
        patch.tint(alpha, 1 - 0.35 - 0.6 * strength)
    else:
        patch.paint(alpha * np.float32(0.3 + 0.65 * strength), 0.97)
    patch.emboss(blurred(alpha, 0.7) * np.float32(-scene.unit * 1.5))
    return patch


def pitting(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """An area eaten by many pits of all sizes, denser in its middle."""
    center, angle = scene.place(rng), rng.uniform(0, math.pi)
    radii = (reach / 2, reach / 2 * rng.uniform(0.35, 1.0))
    window = window_around(center, radii, angle, 3, scene.size)
    if window is None:
        return None
    patch, unit = scene.patch(window), scene.unit
    if rng.random() < 0.5:
        count = int(np.clip(radii[0] * radii[1] / (18 * unit) ** 2 * rng.uniform(3, 12), 6, 160))
        points = scatter(rng, center, radii, angle, count)
        alpha = discs(window, points, np.clip(rng.exponential(1.1, count) + 0.7, 0.7, 5) * unit)
    else:
        spots = cut(rng, "coarse" if rng.random() < 0.4 else "medium", window.shape, unit * rng.uniform(0.6, 1.3))
        inside = cloud(rng, window, center, radii, angle, rough=0.2, soft=0.6, scale=2 * unit)
        alpha = np.clip((spots - np.float32(2.4) + np.float32(1.5) * inside) * 3, 0, 1) * np.minimum(inside * 4, 1)
    patch.tint(alpha, 1 - 0.25 - 0.6 * strength)
    if rng.random() < 0.7:
        patch.emboss(alpha * np.float32(-rng.uniform(0.5, 2.5) * unit))
    return patch


def porosity(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A cluster of round pores, each with a lit flank."""
    center, angle = scene.place(rng), rng.uniform(0, math.pi)
    radii = (reach / 2, reach / 2 * rng.uniform(0.15, 0.9))
    points = scatter(rng, center, radii, angle, int(rng.integers(4, 18)))
    sizes = np.clip(reach * rng.uniform(0.02, 0.09, len(points)), 1.2, 9 * scene.unit)
    window = Window.around(points, float(sizes.max()) + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    alpha = discs(window, points, sizes)
    patch.emboss(blurred(alpha, 0.8) * np.float32(-float(sizes.mean()) * (0.5 + strength)))
    patch.tint(alpha, 1 - 0.2 - 0.65 * strength)
    return patch


def bubble(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A bubble or droplet under a surface: a thin ring, a highlight, its inside lighter or darker."""
    center, radius = scene.place(rng, 0.05), max(reach / 2, 3)
    window = Window.around(center[None], radius + 4, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    rim = window.ring(center, radius * rng.uniform(0.6, 0.88), radius)
    patch.paint(rim * np.float32(0.25 + 0.6 * strength), 0.05 if dark_share(rng, scene, window) else 0.95)
    patch.tint(window.disc(center, radius), float(rng.uniform(0.8, 1.25)))
    shift = np.array(scene.light) * -0.5 * radius
    patch.paint(blurred(window.disc(center + shift, 0.25 * radius), 0.8) * np.float32(0.8 * strength), 1.0)
    return patch


def inclusion(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Foreign matter drawn out along the grain: dark, ragged, long; alone or a few in a row."""
    center = scene.place(rng)
    angle = scene.grain if scene.grain is not None and rng.random() < 0.8 else float(rng.uniform(0, math.pi))
    radii = (reach / 2, max(reach / 2 * rng.uniform(0.05, 0.3), 1.5))
    window = window_around(center, radii, angle, 0.3 * radii[1] + 4, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    if rng.random() < 0.6:
        alpha = cloud(rng, window, center, radii, angle, rough=0.35, soft=0.3, scale=max(radii[1] / 12, 0.3))
    else:
        alpha = np.zeros(window.shape, np.float32)
        ahead = np.array([math.cos(angle), math.sin(angle)])
        for _ in range(int(rng.integers(2, 7))):
            middle = scatter(rng, center, (0.7 * radii[0], 0.8 * radii[1]), angle, 1)[0]
            half = 0.5 * reach * rng.uniform(0.08, 0.3) * ahead
            path = np.linspace(middle - half, middle + half, 6)
            widths = np.array([0.3, 1, 1.3, 1.3, 1, 0.3]) * max(radii[1] * rng.uniform(0.2, 0.6), 1.0)
            alpha = np.maximum(alpha, stroke(window, path, widths))
    if rng.random() < 0.8:
        patch.tint(alpha, 1 - 0.25 - 0.6 * strength)
    else:
        patch.paint(alpha * np.float32(0.25 + 0.6 * strength), float(rng.uniform(0.7, 1)))
    return patch


def _matter(rng: Generator, *, dark: bool) -> Color:
    base = rng.uniform(0.02, 0.25) if dark else rng.uniform(0.7, 1.0)
    tone = np.clip(base + rng.normal(0, 0.08, 3), 0, 1)
    return float(tone[0]), float(tone[1]), float(tone[2])


def grit(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """An angular foreign bit on or in the surface: sand, chip, crumb, with a shadow."""
    center, radius = scene.place(rng), max(reach / 2, 2.5)
    outline = shard(rng, center, radius)
    window = Window.around(outline, radius + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    body = window.polygon(outline)
    if rng.random() < 0.5:
        shadow = window.polygon(outline + np.array(scene.light) * 0.4 * radius)
        patch.tint(blurred(shadow, 0.15 * radius + 0.4), 0.65)
    dark = dark_share(rng, scene, window)
    grain = np.clip(0.85 + 0.15 * cut(rng, "fine", window.shape, scene.unit), 0, 1)
    patch.paint(body * grain * np.float32(0.35 + 0.6 * strength), _matter(rng, dark=dark))
    patch.emboss(blurred(body, 0.8) * np.float32(radius * 0.5))
    return patch


def spatter(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Drops thrown onto the surface: weld beads, solder balls, paint; round, lit, one large and many small."""
    center = scene.place(rng)
    count = int(rng.integers(1, 14))
    points = scatter(rng, center, (reach / 2, reach / 2), 0.0, count)
    sizes = np.clip(reach * rng.uniform(0.02, 0.12, count), 1.2, 14 * scene.unit)
    sizes[0] = max(reach * rng.uniform(0.08, 0.25), 2.0) if count > 1 else max(reach / 2, 2.5)
    window = Window.around(points, float(sizes.max()) + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    alpha = discs(window, points, sizes)
    patch.paint(alpha * np.float32(0.3 + 0.6 * strength), _matter(rng, dark=dark_share(rng, scene, window)))
    patch.emboss(blurred(alpha, max(float(sizes.mean()) * 0.4, 0.6)) * np.float32(float(sizes.mean()) * 1.2), gloss=0.2)
    return patch


def swarm(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Many small specks or flecks, all drawn out in one direction."""
    center, angle = scene.place(rng), rng.uniform(0, math.pi)
    radii = (reach / 2, reach / 2 * rng.uniform(0.3, 1.0))
    window = window_around(center, radii, angle, 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    count = int(np.clip(radii[0] * radii[1] / (20 * scene.unit) ** 2 * rng.uniform(2, 7), 5, 90))
    canvas = np.zeros(window.shape, np.uint8)
    lie, long = math.degrees(scene.grain or float(rng.uniform(0, 3))), rng.uniform(1.0, 3.0)
    offset = np.array([window.x0, window.y0])
    for (x, y), r in zip(
        scatter(rng, center, radii, angle, count) - offset, rng.uniform(0.8, 3.2, count) * scene.unit, strict=True
    ):
        cv2.ellipse(canvas, ((x, y), (2 * r * long, 2 * r), lie + rng.normal(0, 15)), 255, -1, cv2.LINE_AA)
    alpha = to_alpha(canvas)
    alpha *= np.clip(0.75 + 0.3 * cut(rng, "fine", window.shape, scene.unit), 0, 1)
    if dark_share(rng, scene, window):
        patch.tint(alpha, 1 - 0.25 - 0.6 * strength)
    else:
        patch.paint(alpha * np.float32(0.25 + 0.6 * strength), _matter(rng, dark=False))
    return patch
