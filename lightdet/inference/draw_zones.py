"""Zones on pictures: thin lines, white around what is looked at, dashed where a place is ignored."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw

from lightdet.arrays import Image
from lightdet.decisions.zones import Zones
from lightdet.drawing import Color, line_width

LOOK: Color = (255, 255, 255)
IGNORE: Color = (170, 170, 170)
RIM: Color = (0, 0, 0)


def draw_zones(image: Image, zones: Zones) -> Image:
    """Return a copy of `image` (uint8 RGB ``[H, W, 3]``) with every zone outlined, on a dark rim; boxes go over it."""
    height, width = image.shape[:2]
    canvas = Pil.fromarray(np.ascontiguousarray(image))
    pen, line = ImageDraw.Draw(canvas), max(1, line_width(width, height) // 2)
    for zone, corners in zones.outlines((width, height)):
        ring = [(float(x), float(y)) for x, y in np.clip(corners, 0, [width - 1, height - 1])]
        edges = list(zip(ring, ring[1:] + ring[:1], strict=True))
        for start, end in edges:
            pen.line([start, end], fill=RIM, width=line + 2)
        for start, end in edges:
            for piece in _dashes(start, end, 6 * line) if zone.ignore else [(start, end)]:
                pen.line(piece, fill=IGNORE if zone.ignore else LOOK, width=line)
    return np.asarray(canvas)


Point = tuple[float, float]


def _dashes(start: Point, end: Point, length: float) -> list[tuple[Point, Point]]:
    """Every second stretch of a line."""
    count = max(1, round(math.dist(start, end) / length))
    at = [tuple(a + (b - a) * step / count for a, b in zip(start, end, strict=True)) for step in range(count + 1)]
    return [((p[0], p[1]), (q[0], q[1])) for p, q in list(pairwise(at))[::2]]
