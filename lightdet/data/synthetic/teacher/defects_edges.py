"""Chips, nicks, burrs, spurs, opens and shorts: defects at the border between two layers.

All of them begin at a random point of the upper layer's contour, with the normal that points into the layer.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.outlines import Points, blob, shard
from lightdet.data.synthetic.teacher.scene import Patch, Scene
from lightdet.data.synthetic.teacher.shapes import discs, stroke, wander

_LOOK = 90
"""How far, in pixels of a picture of 320, the other side of a track or gap is looked for."""


def _edge_point(scene: Scene, rng: Generator) -> tuple[Points, Points] | None:
    """A point on the contour and the unit normal into the upper layer; a straight step is looked for at random."""
    if scene.cover is None:
        return None
    cover, size = scene.cover, scene.size
    for _ in range(24):
        horizontal = bool(rng.integers(2))
        line = int(rng.integers(4, size - 4))
        along = cover[line] if horizontal else cover[:, line]
        steps = np.flatnonzero(np.diff((along > 0.5).astype(np.int8)))
        steps = steps[(steps > 4) & (steps < size - 5)]
        if len(steps) == 0:
            continue
        at = int(steps[int(rng.integers(len(steps)))]) + 1
        x, y = (at, line) if horizontal else (line, at)
        around = np.asarray(cv2.blur(cover[y - 4 : y + 5, x - 4 : x + 5], (3, 3)), np.float32)
        gx, gy = float(around[:, 5:].sum() - around[:, :4].sum()), float(around[5:].sum() - around[:4].sum())
        length = math.hypot(gx, gy)
        if length > 0.5:
            return np.array([float(x), float(y)]), np.array([gx, gy]) / length
    return None


def _run_until(scene: Scene, start: Points, step: Points, *, inside: bool) -> float | None:
    """How far from `start` along `step` the upper layer continues (`inside`) or is missing; None where that is far."""
    if scene.cover is None:
        return None
    size = scene.size
    reach = np.arange(2, int(_LOOK * size / 320))
    points = np.round(start + reach[:, None] * step).astype(int)
    kept = ((points >= 0) & (points < size)).all(axis=1)
    points = points[: int(np.argmin(kept))] if not kept.all() else points
    values = scene.cover[points[:, 1], points[:, 0]]
    ends = np.flatnonzero((values < 0.5) if inside else (values > 0.5))
    return float(reach[int(ends[0])]) if len(ends) else None


def _finish(scene: Scene, rng: Generator, alpha: FloatArray, window: Window, *, take: bool, strength: float) -> Patch:
    """Take the upper layer away, or lay more of it down, with the border lit."""
    patch = scene.patch(window)
    alpha = alpha * np.float32(1.0 if scene.solid else 0.6 + 0.4 * strength)
    if take:
        patch.reveal(alpha)
    else:
        patch.cover(alpha)
    if scene.clip:
        patch.planes *= np.clip(1 - np.float32(0.4) * blurred(alpha, 1.0) * np.float32(rng.uniform(0, 1)), 0.3, 2)
    return patch


def chip(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A piece broken or etched off the border."""
    found = _edge_point(scene, rng)
    if found is None:
        return None
    point, inward = found
    radius = max(reach / 2, 2.5)
    middle = point + inward * radius * rng.uniform(-0.1, 0.5)
    outline = shard(rng, middle, radius) if rng.random() < 0.5 else blob(rng, middle, radius, roughness=0.3)
    window = Window.around(outline, 3, scene.size)
    if window is None:
        return None
    return _finish(scene, rng, window.polygon(outline), window, take=True, strength=strength)


def nick(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A mouse bite: two or more small round bites next to each other."""
    found = _edge_point(scene, rng)
    if found is None:
        return None
    point, inward = found
    along = np.array([-inward[1], inward[0]])
    count = int(rng.integers(1, 5))
    radii = np.maximum(reach / count * rng.uniform(0.4, 0.7, count), 2.0)
    centers = point + along * (np.linspace(-0.5, 0.5, count)[:, None] * reach * 0.7) + inward * radii[:, None] * 0.3
    window = Window.around(centers, float(radii.max()) + 3, scene.size)
    if window is None:
        return None
    return _finish(scene, rng, discs(window, centers, radii), window, take=True, strength=strength)


def burr(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Too much of the upper layer along its border: flash, burr, an overflowing seam."""
    found = _edge_point(scene, rng)
    if found is None:
        return None
    point, inward = found
    along = np.array([-inward[1], inward[0]])
    path = point + along * np.linspace(-0.5, 0.5, 16)[:, None] * reach
    thick = max(reach * rng.uniform(0.08, 0.35), 3.0)
    widths = thick * np.clip(np.sin(np.linspace(0.1, 3.0, 16)) + rng.normal(0, 0.3, 16), 0.2, 1.5)
    window = Window.around(path, 1.5 * thick + 3, scene.size)
    if window is None:
        return None
    return _finish(scene, rng, stroke(window, path, widths), window, take=False, strength=strength)


def spur(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A thin point that sticks out of the border."""
    found = _edge_point(scene, rng)
    if found is None:
        return None
    point, inward = found
    angle = math.atan2(-inward[1], -inward[0]) + rng.normal(0, 0.4)
    middle = point + 0.45 * reach * np.array([math.cos(angle), math.sin(angle)])
    path = wander(rng, middle, angle, reach, 0.12, 10)
    width = max(reach * rng.uniform(0.15, 0.5), 2.0)
    window = Window.around(path, width + 3, scene.size)
    if window is None:
        return None
    alpha = stroke(window, path, np.linspace(width, 0.3 * width, 10))
    return _finish(scene, rng, alpha, window, take=False, strength=strength)


def broken(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A track, line or web cut through from side to side."""
    found = _edge_point(scene, rng)
    if found is None:
        return None
    point, inward = found
    width = _run_until(scene, point, inward, inside=True)
    if width is None or width > 2.5 * reach:
        return None
    gap = max(min(reach, 1.5 * width) * rng.uniform(0.25, 1.0), 2.0)
    lean = rng.normal(0, 0.25)
    c, s = math.cos(lean), math.sin(lean)
    across = np.array([inward[0] * c - inward[1] * s, inward[0] * s + inward[1] * c])
    path = point + across * np.linspace(-2, width + 3, 10)[:, None]
    path += rng.normal(0, 0.08 * gap, path.shape)
    window = Window.around(path, gap + 3, scene.size)
    if window is None:
        return None
    widths = gap * np.clip(rng.normal(1, 0.2, 10), 0.5, 1.5)
    return _finish(scene, rng, stroke(window, path, widths), window, take=True, strength=max(strength, 0.6))


def bridge(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A short: the upper layer joined over a gap where none should be."""
    found = _edge_point(scene, rng)
    if found is None:
        return None
    point, inward = found
    gap = _run_until(scene, point, -inward, inside=False)
    if gap is None or gap > 2.5 * reach:
        return None
    middle, angle = point - inward * gap / 2, math.atan2(-inward[1], -inward[0])
    path = wander(rng, middle, angle, gap + 4, rng.uniform(0.02, 0.25), 12)
    width = max(min(reach, gap) * rng.uniform(0.12, 0.7), 2.0)
    window = Window.around(path, width + 3, scene.size)
    if window is None:
        return None
    widths = width * np.clip(rng.normal(1, 0.25, 12), 0.4, 1.6)
    return _finish(scene, rng, stroke(window, path, widths), window, take=False, strength=max(strength, 0.6))


def _spot(scene: Scene, rng: Generator, reach: float, strength: float, *, take: bool) -> Patch | None:
    if scene.cover is None:
        return None
    for _ in range(16):
        center = rng.uniform(0.03, 0.97, 2) * scene.size
        if (scene.cover[int(center[1]), int(center[0])] > 0.5) == take:
            break
    else:
        return None
    radius = max(reach / 2, 2.0)
    outline = blob(rng, center, radius, roughness=rng.uniform(0.05, 0.4), stretch=rng.uniform(1, 1.5))
    window = Window.around(outline, 3, scene.size)
    if window is None:
        return None
    return _finish(scene, rng, window.polygon(outline), window, take=take, strength=strength)


def void(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A hole in the upper layer: a pin hole, a spot without print or copper."""
    return _spot(scene, rng, reach, strength, take=True)


def island(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A spot of the upper layer where it does not belong: spurious copper, a blot of ink."""
    return _spot(scene, rng, reach, strength, take=False)


def undercut(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A dark groove along the border, as beside a weld or a seam."""
    found = _edge_point(scene, rng)
    if found is None:
        return None
    point, inward = found
    along = np.array([-inward[1], inward[0]])
    path = point + along * np.linspace(-0.5, 0.5, 16)[:, None] * reach - inward * rng.uniform(0, 2)
    width = max(reach * rng.uniform(0.03, 0.1), 2.0)
    window = Window.around(path, 2 * width + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    groove = blurred(stroke(window, path, width * np.clip(rng.normal(1, 0.3, 16), 0.4, 1.6)), 0.8)
    patch.emboss(groove * np.float32(-width))
    patch.tint(groove, 1 - 0.25 - 0.6 * strength)
    return patch
