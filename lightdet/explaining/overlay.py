"""Heat drawn over its picture, with the box it explains and a caption."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.drawing import Color, draw_boxes, text_size
from lightdet.explaining.heat import Heat
from lightdet.fonts import text_mask

SMALLEST_SIDE = 480
"""Pictures whose longer side is shorter than this are enlarged by an integer factor, to make room for text."""
STRONGEST = 0.75
"""How opaque the hottest pixel is."""
GROUND, INK = 24, 235
"""Gray levels of the strip below the picture, and of the text on it."""


def draw_heat(picture: Image, heat: Heat) -> Image:
    """Return a copy of uint8 RGB ``[H, W, 3]`` with the heat over it: clear where cold, blue, yellow, red where hot."""
    colors = cv2.applyColorMap(np.round(heat.values * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    # The square root shows weak heat too, and keeps the picture visible below strong heat.
    share = (STRONGEST * np.sqrt(heat.values))[..., None]
    mixed: Image = np.round(picture * (1 - share) + colors * share).astype(np.uint8)
    return mixed


def draw_overlay(
    picture: Image,
    heat: Heat,
    caption: str,
    *,
    boxes: FloatArray | None = None,
    texts: Sequence[str] = (),
    colors: Sequence[Color] = (),
) -> Image:
    """Return the picture under its heat, with boxes, and below it a strip with `caption` and the scale of the heat.

    Args:
        picture: uint8 RGB ``[H, W, 3]``.
        heat: of the same size.
        caption: one line; shortened where it is too long.
        boxes: ``[N, 4]`` in pixels of the picture.
        texts, colors: N each.

    Returns:
        uint8 RGB, a whole multiple of the picture's size with the strip below.
    """
    drawn = draw_heat(picture, heat)
    factor = max(1, -(-SMALLEST_SIDE // max(drawn.shape[:2])))
    if factor > 1:
        size = (drawn.shape[1] * factor, drawn.shape[0] * factor)
        drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
    if boxes is not None and len(boxes):
        drawn = draw_boxes(drawn, boxes * np.float32(factor), texts, colors)
    return np.concatenate([drawn, _strip(caption, drawn.shape[1], text_size(drawn.shape[1], drawn.shape[0]))])


def _strip(caption: str, width: int, size: int) -> Image:
    """The strip below: the caption on the left, as much as fits, and on the right the colours from cold to hot."""
    scale = _scale(size) if width >= 24 * size else None
    room = width - size - (scale.shape[1] + size if scale is not None else 0)
    letters = _fitted(caption, size, max(1, room))
    strip = np.full((letters.shape[0] + size, width, 3), GROUND, np.uint8)
    top, left = size // 2, min(size // 2, max(0, width - letters.shape[1]))
    share = letters[..., None].astype(np.float32) / 255
    place = strip[top : top + letters.shape[0], left : left + letters.shape[1]]
    place[:] = np.round(place * (1 - share) + INK * share).astype(np.uint8)
    if scale is not None:
        top = (strip.shape[0] - scale.shape[0]) // 2
        strip[top : top + scale.shape[0], width - size // 2 - scale.shape[1] : width - size // 2] = scale
    return strip


def _fitted(text: str, size: int, width: int) -> Image:
    """Text no wider than `width`: scaled down to three quarters at most, then shortened."""
    for smaller in range(size, max(8, size * 3 // 4) - 1, -1):
        mask = text_mask(text, smaller)
        if mask.shape[1] <= width:
            return mask
    smallest = max(8, size * 3 // 4)
    for length in range(len(text) - 1, 0, -1):
        mask = text_mask(text[:length].rstrip() + "…", smallest)
        if mask.shape[1] <= width:
            return mask
    return np.ascontiguousarray(text_mask("…", smallest)[:, :width])


def _scale(size: int) -> Image:
    """A colour bar on gray, from no heat to the hottest."""
    ramp = np.tile(np.linspace(0, 1, 6 * size, dtype=np.float32), (size, 1))
    ground = np.full((*ramp.shape, 3), 150, np.uint8)
    bar = draw_heat(ground, Heat(ramp))
    words = [text_mask(word, max(8, size * 4 // 5)) for word in ("little", "much")]
    height = max(size, *(word.shape[0] for word in words))
    gap = np.full((height, max(2, size // 3), 3), GROUND, np.uint8)
    parts = [_centred(_inked(words[0]), height), gap, _centred(bar, height), gap, _centred(_inked(words[1]), height)]
    return np.concatenate(parts, axis=1)


def _inked(mask: Image) -> Image:
    share = mask[..., None].astype(np.float32) / 255
    return np.repeat(np.round(GROUND * (1 - share) + INK * share).astype(np.uint8), 3, axis=2)


def _centred(part: Image, height: int) -> Image:
    above = (height - part.shape[0]) // 2
    return np.pad(part, ((above, height - part.shape[0] - above), (0, 0), (0, 0)), constant_values=GROUND)
