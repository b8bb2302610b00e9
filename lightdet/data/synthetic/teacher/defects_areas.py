"""Patches, scale, stains, burns, peeling, dents and marks of tools: defects that are areas."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.outlines import Points, regular_polygon, rounded_rectangle
from lightdet.data.synthetic.teacher.bank import cut, smooth
from lightdet.data.synthetic.teacher.defects_lines import dark_share
from lightdet.data.synthetic.teacher.palette import earth, paint
from lightdet.data.synthetic.teacher.scene import Color, Patch, Scene, in_planes
from lightdet.data.synthetic.teacher.shapes import cloud, envelope, stroke, window_around


def _ellipse(scene: Scene, rng: Generator, reach: float, slim: float) -> tuple[Points, tuple[float, float], float]:
    """Centre, radii and angle of an area: along the grain, or in any direction."""
    angle = scene.grain if scene.grain is not None and rng.random() < 0.6 else float(rng.uniform(0, math.pi))
    return scene.place(rng), (reach / 2, reach / 2 * float(rng.uniform(slim, 1.0))), angle


def _area(
    scene: Scene, rng: Generator, ellipse: tuple[Points, tuple[float, float], float], rough: float, soft: float
) -> tuple[Patch, FloatArray] | None:
    center, radii, angle = ellipse
    window = window_around(center, radii, angle, 0.3 * radii[1] + 3, scene.size)
    if window is None:
        return None
    name = ("fractal", "clouds", "rough")[int(rng.choice(3, p=(0.6, 0.25, 0.15)))]
    scale = max(radii[1] / 40 * float(rng.uniform(0.7, 1.6)), 0.25)
    alpha = cloud(rng, window, center, radii, angle, rough=rough, soft=soft, texture=name, scale=scale)
    return scene.patch(window), alpha


def _shift(rng: Generator, patch: Patch, alpha: FloatArray, strength: float) -> None:
    """Make an area darker or lighter, its texture kept."""
    if dark_share(rng, patch.scene, patch.window):
        patch.tint(alpha, 1 - 0.12 - 0.6 * strength)
    else:
        patch.paint(alpha * np.float32(0.1 + 0.55 * strength), float(rng.uniform(0.8, 1.0)))


def patches(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """An area of another tone with a clear ragged border, alone or torn into islands."""
    drawn = _area(scene, rng, _ellipse(scene, rng, reach, 0.25), rng.uniform(0.15, 0.5), rng.uniform(0.02, 0.3))
    if drawn is None:
        return None
    patch, alpha = drawn
    if rng.random() < 0.35:
        alpha = alpha * np.clip(0.8 + 0.35 * cut(rng, "fine", patch.window.shape, scene.unit), 0, 1)
    _shift(rng, patch, alpha, strength)
    return patch


def scale(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Rolled-in scale: dark flakes pressed into an area, drawn out with the sheet, rough inside."""
    center, radii, angle = _ellipse(scene, rng, reach, 0.3)
    window = window_around(center, radii, angle, 4, scene.size)
    if window is None:
        return None
    patch, unit = scene.patch(window), scene.unit
    inside = cloud(rng, window, center, radii, angle, rough=0.35, soft=0.5, scale=1.5 * unit)
    name = ("fractal", "rough", "coarse")[int(rng.integers(3))]
    flakes = cut(rng, name, window.shape, unit * rng.uniform(0.5, 1.4), angle, rng.uniform(1, 3.5))
    alpha = np.clip((flakes - np.float32(rng.uniform(0.7, 1.6)) + inside) * np.float32(rng.uniform(1.5, 4)), 0, 1)
    alpha *= np.minimum(inside * 3, 1)
    patch.tint(alpha, 1 - 0.25 - 0.55 * strength)
    if rng.random() < 0.6:
        patch.emboss(alpha * np.float32(rng.uniform(-2, 2) * unit))
    return patch


def _stain_color(rng: Generator) -> Color:
    kind = int(rng.integers(4))
    if kind == 0:
        return 0.55, 0.3, 0.14  # rust
    if kind == 1:
        return earth(rng, 0.1, 0.5)
    return paint(rng) if kind == 2 else (0.1, 0.1, 0.1)


def stain(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A soft blotch of oil, rust, water or coolant, often with a darker rim."""
    drawn = _area(scene, rng, _ellipse(scene, rng, reach, 0.4), rng.uniform(0.1, 0.3), rng.uniform(0.25, 0.8))
    if drawn is None:
        return None
    patch, alpha = drawn
    if rng.random() < 0.5:
        _shift(rng, patch, alpha, 0.7 * strength)
    else:
        patch.paint(alpha * np.float32(0.2 + 0.55 * strength), _stain_color(rng))
    if rng.random() < 0.35:  # what dries leaves a line where its rim was
        rim = np.clip(4 * alpha * (1 - alpha), 0, 1)
        patch.tint(rim, 1 - 0.5 * strength)
    return patch


def ring(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A water mark: the wavering outline of a dried drop."""
    ellipse = _ellipse(scene, rng, reach, 0.7)
    drawn = _area(scene, rng, ellipse, rng.uniform(0.03, 0.12), rng.uniform(0.08, 0.25))
    if drawn is None:
        return None
    patch, alpha = drawn
    _shift(rng, patch, np.clip(4 * alpha * (1 - alpha), 0, 1), strength)
    _shift(rng, patch, alpha, 0.1 * strength)
    return patch


def run(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A run or drip: a narrow trail that ends in a drop, of paint, glue or solder."""
    start, angle = scene.place(rng), math.pi / 2 + rng.normal(0, 0.15)
    width = max(reach * rng.uniform(0.05, 0.14), 2.0)
    path = start + np.linspace(0, reach, 20)[:, None] * np.array([math.cos(angle), math.sin(angle)])
    window = Window.around(path, 2 * width + 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    widths = width * np.concatenate([np.linspace(0.4, 1.0, 15), np.linspace(1.2, 1.9, 5)])
    body = blurred(stroke(window, path, widths), width / 4)
    patch.emboss(body * np.float32(width * (0.4 + 0.8 * strength)), gloss=0.1)
    if rng.random() < 0.7:
        _shift(rng, patch, body, 0.6 * strength)
    return patch


def burn(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Heat: a dark middle, a halo of temper colours around it."""
    center, radii, angle = _ellipse(scene, rng, reach, 0.5)
    drawn = _area(scene, rng, (center, radii, angle), 0.12, 0.9)
    if drawn is None:
        return None
    patch, halo = drawn
    for color, low in (((0.8, 0.6, 0.3), 0.0), ((0.45, 0.3, 0.4), 0.3), ((0.08, 0.07, 0.07), 0.6)):
        band = np.clip((halo - np.float32(low)) * 3, 0, 1)
        patch.paint(band * np.float32(0.15 + 0.5 * strength), color)
    return patch


def peeling(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Paint or plating come off: another ground below, with a sharp raised border."""
    drawn = _area(scene, rng, _ellipse(scene, rng, reach, 0.35), rng.uniform(0.2, 0.45), 0.03)
    if drawn is None:
        return None
    patch, alpha = drawn
    shape, unit = patch.window.shape, scene.unit
    below = in_planes(earth(rng) if rng.random() < 0.5 else paint(rng), len(patch.planes))
    texture = 1 + np.float32(0.12) * cut(rng, "rough", shape, unit)
    patch.paint(alpha * np.float32(0.35 + 0.6 * strength), below * texture)
    patch.emboss(blurred(alpha, 0.7) * np.float32(-2.5 * unit))
    return patch


def rough_area(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """An area of another texture: corroded, unmelted, over-etched, with the tone kept."""
    drawn = _area(scene, rng, _ellipse(scene, rng, reach, 0.4), rng.uniform(0.15, 0.3), rng.uniform(0.2, 0.6))
    if drawn is None:
        return None
    patch, alpha = drawn
    name = ("rough", "medium", "fine", "pebbles")[int(rng.integers(4))]
    texture = cut(rng, name, patch.window.shape, scene.unit * rng.uniform(0.6, 1.8))
    patch.emboss(texture * alpha * np.float32((0.5 + 1.5 * strength) * scene.unit))
    patch.tint(alpha * np.clip(texture, 0, 1.5), 1 - rng.uniform(0.0, 0.5))
    return patch


def dent(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A smooth hollow or bump: light on one side, shade on the other, no colour of its own."""
    center, radii, angle = _ellipse(scene, rng, reach, 0.35)
    window = window_around(center, radii, angle, 3, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    inside = envelope(window, center, radii, angle, 1.0)
    steep = np.float32(rng.uniform(0.8, 2.5))
    body = np.clip(inside * steep, 0, 1)
    body = body * body * (3 - 2 * body)
    sign = 1 if rng.random() < 0.4 else -1
    patch.emboss(body * np.float32(sign * radii[1] * (0.25 + 1.0 * strength) / float(steep)), gloss=0.15)
    return patch


def print_of_tool(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """A shape pressed in: a roll's or clamp's print, angular or round, once or in a row."""
    center, half = scene.place(rng), max(reach / 2, 4)
    kind, turn = int(rng.integers(3)), rng.uniform(0, math.pi)
    if kind == 0:
        outline = regular_polygon(center, half, int(rng.choice((3, 4, 6, 20))), turn)
    else:
        local = rounded_rectangle(2 * half, 2 * half * rng.uniform(0.15, 0.7), 0.15 * half)
        c, s = math.cos(turn), math.sin(turn)
        outline = center + local @ np.array([[c, s], [-s, c]])
    window = Window.around(outline, 4, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    body = window.polygon(outline)
    if kind == 2 or rng.random() < 0.3:  # the rim alone
        body = np.clip(body - blurred(body, 0.12 * half + 1), 0, 1) * 2
    body = blurred(np.clip(body, 0, 1), 0.8)
    patch.emboss(body * np.float32(-(1 + 3 * strength) * scene.unit))
    patch.tint(body, 1 + rng.uniform(-0.35, 0.2) * strength)
    return patch


def chatter(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """Evenly spaced bars across an area, as a trembling tool or roll leaves them."""
    center, radii, angle = _ellipse(scene, rng, reach, 0.2)
    window = window_around(center, radii, angle, 2, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    x, y = window.coordinates()
    lean = angle + rng.normal(0, 0.15)
    pitch = np.float32(np.clip(reach / rng.uniform(5, 22), 3.5, 24))
    phase = ((x - center[0]) * math.cos(lean) + (y - center[1]) * math.sin(lean)).astype(np.float32) / pitch
    phase += np.float32(0.1) * smooth(rng, window.shape, 3)
    wave = np.sin(phase * np.float32(2 * math.pi))
    if rng.random() < 0.5:
        wave = np.clip(wave * 3 - 1.5, -0.3, 1)
    alpha = envelope(window, center, radii, angle, rng.uniform(0.15, 0.6))
    patch.modulate(wave * alpha * np.float32(0.1 + 0.35 * strength))
    return patch


def warp(scene: Scene, rng: Generator, reach: float, strength: float) -> Patch | None:
    """The ground itself pushed aside: a distorted weave, print or pattern."""
    center, radius = scene.place(rng, 0.1), max(reach / 2, 8)
    window = Window.around(center[None], radius, scene.size)
    if window is None:
        return None
    patch = scene.patch(window)
    pull = envelope(window, center, (radius, radius), 0.0, 1.0)
    pull = pull * pull * np.float32(radius * (0.25 + 0.4 * strength))
    turn = rng.uniform(0, 2 * math.pi)
    columns = np.arange(window.width, dtype=np.float32)[None, :] + pull * np.float32(math.cos(turn))
    rows = np.arange(window.height, dtype=np.float32)[:, None] + pull * np.float32(math.sin(turn))
    for k, plane in enumerate(patch.planes):
        patch.planes[k] = cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return patch
