"""Manufacturing faults: threads of cloth, print, and things that are missing, turned or moved."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.outlines import Points
from lightdet.data.synthetic.teacher.bank import cut
from lightdet.data.synthetic.teacher.scene import Cloth, Item, Patch, Scene
from lightdet.data.synthetic.teacher.shapes import arc, cloud, draw_stroke, envelope, stroke, to_alpha, window_around


def _thread_line(scene: Scene, rng: Generator, cloth: Cloth, reach: float) -> Points:
    """A path along one thread, warp or weft."""
    angle = cloth.angle + int(rng.integers(2)) * math.pi / 2
    return arc(rng, scene.place(rng), angle, reach, 0.0, 12)


def missing_thread(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """One to three threads missing or drawn: a dark or bright line through the cloth."""
    if scene.cloth is None:
        return None
    path, wide = _thread_line(scene, rng, scene.cloth, reach), scene.cloth.pitch * rng.uniform(0.6, 1.3)
    window = Window.around(path, wide + 2, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    fade = np.minimum(np.sin(np.linspace(0.1, math.pi - 0.1, len(path))) * rng.uniform(1, 8), 1)
    alpha = blurred(stroke(window, path, np.maximum(wide, 1.5) * fade), 0.2 * wide)
    patch.reveal(alpha * np.float32(0.3 + 0.6 * strength))
    return patch


def slub(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A thread too thick for a while, or a bar of it: raised, of another tone."""
    if scene.cloth is None:
        return None
    path, wide = _thread_line(scene, rng, scene.cloth, reach), scene.cloth.pitch * rng.uniform(0.8, 1.8)
    window = Window.around(path, 2 * wide + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    widths = np.maximum(wide * np.sin(np.linspace(0.2, math.pi - 0.2, len(path))) ** 0.5, 1.0)
    alpha = blurred(stroke(window, path, widths), 0.15 * wide)
    level = float(np.clip(patch.planes.mean() * rng.choice((0.45, 1.7)), 0.03, 1))
    patch.paint(alpha * np.float32(0.25 + 0.55 * strength), level)
    patch.emboss(alpha * np.float32(wide * 0.4))
    return patch


def knot(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A knot or nep: a small raised lump with loose ends."""
    if scene.cloth is None:
        return None
    center, radius = scene.place(rng), max(reach / 3, 2.5)
    window = Window.around(center[None], 2.5 * radius + 4, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    body = cloud(rng, window, center, (radius, 0.8 * radius), 0.0, rough=0.2, soft=0.5, scale=0.5)
    canvas = np.zeros(window.shape, np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        end = arc(rng, center, rng.uniform(0, 2 * math.pi), 3.5 * radius, rng.uniform(-2, 2), 14)
        draw_stroke(canvas, window, end, max(0.3 * scene.cloth.pitch, 0.9))
    alpha = np.maximum(body, to_alpha(canvas))
    level = float(np.clip(patch.planes.mean() * rng.choice((0.4, 1.6)), 0.03, 1))
    patch.paint(alpha * np.float32(0.3 + 0.6 * strength), level)
    patch.emboss(blurred(alpha, 0.8) * np.float32(radius))
    return patch


def torn(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A hole in the cloth with frayed borders."""
    if scene.cloth is None:
        return None
    center, radii = scene.place(rng), (reach / 2, reach / 2 * rng.uniform(0.3, 1.0))
    angle = scene.cloth.angle + rng.uniform(0, math.pi)
    window = window_around(center, radii, angle, 4, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    alpha = cloud(rng, window, center, radii, angle, rough=0.3, soft=0.12, scale=max(reach / 70, 0.3))
    if rng.random() < 0.6:  # loose threads across
        threads = cut(rng, "streaks", window.shape, scene.cloth.pitch / 4, scene.cloth.angle)
        alpha = alpha * np.clip(1.6 - threads, 0.1, 1)
    patch.reveal(alpha * np.float32(0.45 + 0.55 * strength))
    return patch


def faded(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """The upper layer thin or missing over an area: weak print, unfilled seam, bare copper."""
    if scene.cover is None or scene.solid:  # after a threshold nothing would show that something was there
        return None
    center, angle = scene.place(rng), rng.uniform(0, math.pi)
    radii = (reach / 2, reach / 2 * rng.uniform(0.3, 1.0))
    window = window_around(center, radii, angle, 4, scene.size)
    if window is None or patchy(scene, window) < 0.04:
        return None
    patch = scene.patch(window)
    alpha = cloud(rng, window, center, radii, angle, rough=0.4, soft=0.3, scale=max(reach / 50, 0.3))
    patch.reveal(alpha * np.float32(0.3 + 0.7 * strength))
    return patch


def patchy(scene: Scene, window: Window) -> float:
    """Share of a window that the upper layer covers."""
    if scene.cover is None:
        return 0.0
    return float(scene.cover[window.y0 : window.y1, window.x0 : window.x1].mean())


def smear(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Print drawn out in one direction, or doubled: ink that ran, a sheet that slipped."""
    if scene.cover is None or scene.over is None:
        return None
    center, angle = scene.place(rng), rng.uniform(0, 2 * math.pi)
    radii = (reach / 2, reach / 2 * rng.uniform(0.4, 1.0))
    window = window_around(center, radii, angle, 4, scene.size)
    if window is None or patchy(scene, window) < 0.04:
        return None
    patch, cover = scene.patch(window), scene.cover
    shift = max(reach * rng.uniform(0.08, 0.25), 4)
    move = np.array([[1, 0, shift * math.cos(angle)], [0, 1, shift * math.sin(angle)]])
    ink = np.ascontiguousarray(patch.part(cover))
    ghost = np.asarray(cv2.warpAffine(ink, move, window.shape[::-1]), np.float32)
    if rng.random() < 0.5:
        for share in (0.75, 0.5, 0.25):
            step = move * share + np.array([[1, 0, 0], [0, 1, 0]]) * (1 - share)
            ghost = np.maximum(ghost, np.asarray(cv2.warpAffine(ink, step, window.shape[::-1]), np.float32) * 0.9)
    alpha = ghost * (1 - ink) * envelope(window, center, radii, angle, 0.3)
    patch.cover(alpha if scene.solid else alpha * np.float32(0.3 + 0.6 * strength))
    return patch


def _item(scene: Scene, rng: Generator) -> Item | None:
    return scene.items[int(rng.integers(len(scene.items)))] if scene.items else None


def missing(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A thing that belongs there is not: its bare place shows, perhaps with a trace of it."""
    item = _item(scene, rng)
    if item is None:
        return None
    window = item.window.grown(2, scene.whole)
    patch = scene.patch(window)
    whole = np.ones(window.shape, np.float32)
    if item.kind == "print":  # a part of it alone: of what is gone altogether nobody would know
        rim = int(window.width * rng.uniform(0.25, 0.75))
        rows = rim + cut(rng, "coarse", (window.height, 1)) * 2
        side = np.arange(window.width, dtype=np.float32)[None, :] - rows
        whole = np.clip(side if rng.random() < 0.5 else -side, 0, 1)
    patch.reveal(whole)
    if rng.random() < 0.4 and scene.cover is not None and item.kind == "fitting":
        seat = blurred(np.ascontiguousarray(patch.part(scene.cover)), 1.0)
        patch.tint(seat, float(rng.choice((0.55, 0.75, 1.25))))
    return patch


def displaced(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A thing turned or moved out of its place."""
    item = _item(scene, rng)
    if item is None or scene.cover is None or scene.over is None:
        return None
    margin = max(3, min(item.window.shape) // 3)
    window = item.window.grown(margin, scene.whole)
    patch = scene.patch(window)
    inner = np.zeros(window.shape, np.float32)
    rows, columns = item.window.within(window)
    inner[rows, columns] = 1
    body = patch.part(scene.cover) * inner
    before = patch.planes.copy()
    patch.reveal(inner)
    turned = item.kind == "print" or rng.random() < 0.6
    angle = float(rng.choice((-1, 1)) * rng.uniform(10, 80)) if turned else 0.0
    aside = rng.uniform(0, 2 * math.pi)
    move = rng.uniform(0.5, 1.0) * margin * np.array([math.cos(aside), math.sin(aside)])
    middle = (item.window.x0 + item.window.width / 2 - window.x0, item.window.y0 + item.window.height / 2 - window.y0)
    turn = np.asarray(cv2.getRotationMatrix2D(middle, angle, 1.0), np.float64)
    turn[:, 2] += move
    size = window.shape[::-1]
    alpha = np.asarray(cv2.warpAffine(body, turn, size), np.float32)
    for k, plane in enumerate(before):
        moved = np.asarray(cv2.warpAffine(plane, turn, size, borderMode=cv2.BORDER_REFLECT), np.float32)
        patch.planes[k] += (moved - patch.planes[k]) * alpha
    return patch
