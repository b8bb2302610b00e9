"""Harmless things that a detector must learn to leave alone; drawn into the scene and never labelled.

Each changes the scene's planes in place. What they have in common: they are regular (straight through the picture,
round, lettered, repeated) or mere light.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.outlines import rounded_rectangle
from lightdet.data.synthetic.teacher.bank import smooth
from lightdet.data.synthetic.teacher.palette import paint
from lightdet.data.synthetic.teacher.scene import Scene
from lightdet.data.synthetic.teacher.shapes import discs, to_alpha

Canvas = NDArray[np.uint8]


def _lay(scene: Scene, rng: Generator, window: Window, alpha: FloatArray) -> None:
    """Paint a mark in a colour of its own, and on the upper layer's stock as well, so that it is never uncovered."""
    patch = scene.patch(window)
    patch.paint(alpha, paint(rng))
    scene.planes[:, patch.rows, patch.columns] = patch.planes


def letters(scene: Scene, rng: Generator) -> None:
    """A line of text or a serial number."""
    size, unit = scene.size, scene.size / 320
    text = "".join("ABCDEFGHKLMNPRSTUVXYZ0123456789-."[k] for k in rng.integers(0, 33, int(rng.integers(2, 10))))
    scale, bold = rng.uniform(0.35, 1.6) * unit, max(1, round(rng.uniform(1, 3) * unit))
    x, y = int(rng.uniform(-0.05, 0.7) * size), int(rng.uniform(0.08, 1.0) * size)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, bold)
    corners = np.array([[x - 2, y - height - 3], [x + width + 2, y + below + 2]], np.float64)
    window = Window.around(corners, 0, size)
    if window is None:
        return
    canvas = np.zeros(window.shape, np.uint8)
    origin = (x - window.x0, y - window.y0)
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, bold, cv2.LINE_AA)
    _lay(scene, rng, window, to_alpha(canvas) * np.float32(rng.uniform(0.3, 1.0)))


def joint(scene: Scene, rng: Generator) -> None:
    """A straight seam, groove or drawn line from border to border."""
    size = scene.size
    angle, at = rng.uniform(0, math.pi), rng.uniform(0.1, 0.9, 2) * size
    if rng.random() < 0.7:
        angle = int(rng.integers(2)) * math.pi / 2
    step = 1.5 * size * np.array([math.cos(angle), math.sin(angle)])
    ends = np.round([at - step, at + step]).astype(int).tolist()
    canvas = np.zeros((size, size), np.uint8)
    cv2.line(canvas, ends[0], ends[1], 255, max(1, round(rng.uniform(1, 7) * size / 320)), cv2.LINE_AA)
    alpha = to_alpha(canvas)
    patch = scene.patch(scene.whole)
    if rng.random() < 0.5:
        patch.emboss(blurred(alpha, 1.0) * np.float32(-3.0))
    patch.tint(alpha, float(rng.uniform(0.4, 1.3)))
    scene.planes = patch.planes


def half(scene: Scene, rng: Generator) -> None:
    """Another tone on one side of a straight border: an edge, a step, a shadow's line."""
    x, y = scene.whole.coordinates()
    angle = rng.uniform(0, 2 * math.pi)
    along = (x - scene.size / 2) * math.cos(angle) + (y - scene.size / 2) * math.sin(angle)
    soft = float(rng.choice((0.7, 3.0, 25.0)) * scene.size / 320)
    side = np.clip((along - rng.uniform(-0.3, 0.4) * scene.size) / soft, 0, 1).astype(np.float32)
    scene.relight(1 + side * np.float32(rng.uniform(-0.5, 0.35)))


def reflection(scene: Scene, rng: Generator) -> None:
    """Soft light thrown onto the surface."""
    window = scene.whole
    x, y = window.coordinates()
    center, wide = rng.uniform(0, 1, 2) * scene.size, rng.uniform(0.05, 0.4, 2) * scene.size
    across = np.exp(-(((x - np.float32(center[0])) / np.float32(wide[0])) ** 2))
    down = np.exp(-(((y - np.float32(center[1])) / np.float32(wide[1])) ** 2))
    scene.relight(1.0, (down * np.float32(rng.uniform(0.05, 0.35))) * across)


def shadow(scene: Scene, rng: Generator) -> None:
    """A soft shadow of something outside of the picture."""
    field = smooth(rng, (scene.size, scene.size), 2)
    side = np.clip(field * np.float32(rng.uniform(1, 4)) + np.float32(rng.normal(0, 1)), 0, 1)
    scene.relight(1 - side * np.float32(rng.uniform(0.1, 0.45)))


def dust(scene: Scene, rng: Generator) -> None:
    """Faint single grains all over, each too small to be a defect."""
    count = int(rng.integers(10, 70))
    points = rng.uniform(0, 1, (count, 2)) * scene.size
    alpha = discs(scene.whole, points, np.full(count, 0.6 * scene.size / 320))
    level = 0.95 if rng.random() < 0.6 else 0.1
    scene.planes = scene.planes + (np.float32(level) - scene.planes) * (alpha * np.float32(rng.uniform(0.15, 0.5)))


def hole(scene: Scene, rng: Generator) -> None:
    """Drilled holes or screws: exactly round, with an even rim, alone or in a row."""
    unit = scene.size / 320
    radius, count = rng.uniform(5, 26) * unit, int(rng.choice((1, 1, 2, 3, 4)))
    first, step = rng.uniform(0.1, 0.9, 2) * scene.size, rng.uniform(2.6, 5) * radius
    lie = int(rng.integers(2))
    level, rim = float(rng.uniform(0.02, 0.9)), float(rng.uniform(0.5, 1.6))
    for k in range(count):
        center = first + k * step * np.array([1 - lie, lie])
        window = Window.around(center[None], radius + 4, scene.size)
        if window is None:
            continue
        patch = scene.patch(window)
        patch.tint(window.disc(center, radius * 1.2), rim)
        patch.paint(window.disc(center, radius), level)
        patch.emboss(window.disc(center, radius, 2.0) * np.float32(-2 * unit))
        scene.planes[:, patch.rows, patch.columns] = patch.planes


def label(scene: Scene, rng: Generator) -> None:
    """A sticker, window or mark with a clean outline."""
    size = scene.size
    width, height = (rng.uniform(0.08, 0.4, 2) * size).tolist()
    local = rounded_rectangle(width, height, float(rng.uniform(0, 10)))
    outline = local + rng.uniform(0, 1, 2) * size
    window = Window.around(outline, 2, size)
    if window is None:
        return
    body = window.polygon(outline)
    if rng.random() < 0.4:
        body = np.clip(body - cv2.erode(body, np.ones((5, 5), np.uint8)), 0, 1)
    _lay(scene, rng, window, np.asarray(body, np.float32) * np.float32(rng.uniform(0.4, 1.0)))


def arrows(scene: Scene, rng: Generator) -> None:
    """Crosses, circles and ticks as of a measuring or drawing tool."""
    size, unit = scene.size, scene.size / 320
    center = rng.uniform(0.1, 0.9, 2) * size
    reach = rng.uniform(6, 24) * unit
    window = Window.around(center[None], reach + 3, size)
    if window is None:
        return
    canvas = np.zeros(window.shape, np.uint8)
    middle = (int(center[0]) - window.x0, int(center[1]) - window.y0)
    bold = max(1, round(1.5 * unit))
    if rng.random() < 0.5:
        cv2.drawMarker(canvas, middle, 255, int(rng.integers(0, 2)), int(2 * reach), bold, cv2.LINE_AA)
    else:
        cv2.circle(canvas, middle, int(reach), 255, bold, cv2.LINE_AA)
    _lay(scene, rng, window, to_alpha(canvas))


LOOKALIKES: dict[str, tuple[Callable[[Scene, Generator], None], float]] = {
    "letters": (letters, 1.0),
    "joint": (joint, 1.0),
    "half": (half, 0.8),
    "reflection": (reflection, 1.5),
    "shadow": (shadow, 1.5),
    "dust": (dust, 1.5),
    "hole": (hole, 1.0),
    "label": (label, 0.7),
    "arrows": (arrows, 0.5),
}
"""The look-alikes and how often each is drawn."""
