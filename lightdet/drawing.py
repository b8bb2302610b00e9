"""Boxes and their names on pictures: readable on any background, at any size, for any eye."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.fonts import has_letters, text_mask
from lightdet.structures import Detections

Color = tuple[int, int, int]
"""Red, green, blue in 0–255."""
Rectangle = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels, the last two outside."""

PALETTE: tuple[Color, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
    (255, 255, 255),
)
"""Okabe and Ito, "Color Universal Design": told apart with any common colour blindness (white for its black)."""

VERDICT_COLORS: tuple[Color, Color] = ((210, 30, 30), (30, 160, 60))
"""Of NG and of OK."""
SMALLEST_TEXT = 8


def class_color(label: int) -> Color:
    """Return the colour of class `label` (0, 1, …); the palette starts again after eight."""
    return PALETTE[label % len(PALETTE)]


def draw_detections(
    image: Image, detections: Detections, *, names: Sequence[str] | None = None, scores: bool = True
) -> Image:
    """Return a copy of `image` (uint8 RGB ``[H, W, 3]``) with every detection drawn, the best on top.

    Args:
        image: the picture that the boxes belong to.
        detections: in its pixels.
        names: class names by label; by default those of `detections`, else the label itself is shown. A name in a
            script that no font of this computer has is shown as its label, ``#3``.
        scores: show the score behind the name.
    """
    known = names or detections.names
    texts = []
    for _, score, label in detections:
        name = known[label] if label < len(known) else str(label)
        name = name if has_letters(name) else f"#{label}"
        texts.append(f"{name} {score:.2f}" if scores else name)
    return draw_boxes(image, detections.boxes, texts, [class_color(int(label)) for label in detections.labels])


def draw_boxes(
    image: Image,
    boxes: FloatArray,
    texts: Sequence[str],
    colors: Sequence[Color],
    *,
    dashed: Sequence[bool] | None = None,
    widths: Sequence[float] | None = None,
    scale: float = 1.0,
) -> Image:
    """Return a copy of `image` with boxes and their texts; the first box matters most and is drawn on top.

    Every line has a dark rim and every text its own ground, so both show on light, dark and busy pictures. A text
    stands wholly inside the picture: moved, made smaller, or shortened with "…" where it is too long for it.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
        boxes: float32 ``[N, 4]``, x1, y1, x2, y2 in its pixels; parts outside are left out.
        texts: N of them; an empty one draws no label.
        colors: N of them.
        dashed: draw this box with a broken line.
        widths: factors of the usual line width (which follows the picture's size), one a box.
        scale: factor of all line widths and letters, for a picture that will be shown smaller than it is.
    """
    canvas = np.array(image, dtype=np.uint8, order="C", copy=True)
    height, width = canvas.shape[:2]
    line = max(1, round(line_width(width, height) * scale))
    broken = dashed or [False] * len(boxes)
    factors = widths or [1.0] * len(boxes)
    for index in reversed(range(len(boxes))):
        thickness = max(1, round(line * factors[index]))
        _draw_outline(canvas, boxes[index], colors[index], thickness, broken[index])
    size = round(text_size(width, height) * scale)
    taken: list[Rectangle] = []
    labels: list[tuple[Image, Rectangle, Color]] = []
    for box, text, color in zip(boxes, texts, colors, strict=True):
        if text:
            mask = _fitted_mask(text, size, width, height)
            place = _free_place(box, (mask.shape[1], mask.shape[0]), (width, height), line, taken)
            taken.append(place)
            labels.append((mask, place, color))
    for mask, place, color in reversed(labels):
        _draw_label(canvas, mask, place, color)
    return canvas


def draw_picture_class(image: Image, label: int, text: str) -> Image:
    """Return a copy of `image` (uint8 RGB ``[H, W, 3]``) framed in the colour of class `label`, with `text` in it."""
    height, width = image.shape[:2]
    box = np.array([[0, 0, width, height]], np.float32)
    return draw_boxes(image, box, [text], [class_color(label)], widths=[2.0])


def draw_judged_class(image: Image, ok: bool, text: str) -> Image:
    """Return a copy of `image` (uint8 RGB ``[H, W, 3]``) framed in green or red, with `text` in it."""
    height, width = image.shape[:2]
    box = np.array([[0, 0, width, height]], np.float32)
    return draw_boxes(image, box, [text], [VERDICT_COLORS[ok]], widths=[2.0])


def draw_verdict(image: Image, ok: bool) -> Image:
    """Return a copy of `image` (uint8 RGB ``[H, W, 3]``) framed in green with ``OK``, or in red with ``NG``."""
    height, width = image.shape[:2]
    box = np.array([[0, 0, width, height]], np.float32)
    return draw_boxes(image, box, ["OK" if ok else "NG"], [VERDICT_COLORS[ok]], widths=[2.0])


def line_width(width: int, height: int) -> int:
    """Width in pixels of a box's line on a picture of this size."""
    return max(1, round((width + height) / 2 * 0.003))


def text_size(width: int, height: int) -> int:
    """Size in pixels of the letters on a picture of this size."""
    return max(11, round((width + height) / 2 * 0.02))


def _draw_outline(canvas: Image, box: FloatArray, color: Color, thickness: int, dashed: bool) -> None:
    rim = max(1, thickness // 3)
    x1, y1, x2, y2 = _outer_edge(box, canvas.shape[1], canvas.shape[0], thickness)
    _frame(canvas, (x1 - rim, y1 - rim, x2 + rim, y2 + rim), thickness + 2 * rim, (0, 0, 0))
    _frame(canvas, (x1, y1, x2, y2), thickness, color, dash=4 * thickness + 1 if dashed else 0)


def _outer_edge(box: FloatArray, width: int, height: int, thickness: int) -> Rectangle:
    """Return the outer edge of the line: it straddles the box's edge, and stays inside the picture."""
    out = thickness // 2
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    x1, y1 = min(max(x1 - out, 0), width - 1), min(max(y1 - out, 0), height - 1)
    return x1, y1, max(x1 + 1, min(x2 + out, width)), max(y1 + 1, min(y2 + out, height))


def _frame(canvas: Image, outer: Rectangle, thickness: int, color: Color, dash: int = 0) -> None:
    """Paint a frame inwards from `outer`; with `dash`, only every second stretch of that many pixels."""
    x1, y1, x2, y2 = outer
    inner_x, inner_y = min(thickness, x2 - x1), min(thickness, y2 - y1)
    step = dash or max(x2 - x1, y2 - y1)
    for x in range(x1, x2, 2 * step):
        end = min(x + step, x2)
        for y in (y1, y2 - inner_y):
            canvas[max(y, 0) : max(y + inner_y, 0), max(x, 0) : max(end, 0)] = color
    for y in range(y1, y2, 2 * step):
        end = min(y + step, y2)
        for x in (x1, x2 - inner_x):
            canvas[max(y, 0) : max(end, 0), max(x, 0) : max(x + inner_x, 0)] = color


def _fitted_mask(text: str, size: int, width: int, height: int) -> Image:
    """Letters with a margin that fit into the picture: smaller first, then shortened."""
    for smaller in range(size, SMALLEST_TEXT - 1, -1):
        mask = _with_margin(text_mask(text, smaller))
        if mask.shape[1] <= width and mask.shape[0] <= height:
            return mask
    for length in range(len(text) - 1, 0, -1):
        mask = _with_margin(text_mask(text[:length].rstrip() + "…", SMALLEST_TEXT))
        if mask.shape[1] <= width:
            break
    return np.ascontiguousarray(mask[:height, :width])


def _with_margin(mask: Image) -> Image:
    side = max(1, round(mask.shape[0] * 0.2))
    return np.pad(mask, ((0, 0), (side, side)))


def _free_place(
    box: FloatArray, label: tuple[int, int], picture: tuple[int, int], line: int, taken: Sequence[Rectangle]
) -> Rectangle:
    """Choose where a label stands: above, below, inside; the first that covers no other label."""
    width, height = label
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    left, right = x1 - line, x2 + line - width
    above, below, inside = y1 - line - height, y2 + line, y1 + line
    choices = [(left, above), (left, below), (right, above), (right, below), (x1 + line, inside)]
    # One line further out, for boxes that share a corner.
    choices += [(left, above - height), (left, below + height)]
    places = []
    for x, y in choices:
        moved_x = min(max(x, 0), picture[0] - width)
        if 0 <= y <= picture[1] - height:
            places.append((moved_x, y, moved_x + width, y + height))
    if not places:
        x, y = min(max(x1, 0), picture[0] - width), min(max(y1, 0), picture[1] - height)
        return x, y, x + width, y + height
    return next((place for place in places if not any(_touch(place, other) for other in taken)), places[0])


def _touch(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_label(canvas: Image, mask: Image, place: Rectangle, color: Color) -> None:
    x1, y1, x2, y2 = place
    # ITU-R BT.709 luminance: dark letters on light colours and the reverse
    dark = 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2] > 110
    ink = np.array((0, 0, 0) if dark else (255, 255, 255), np.float32)
    share = mask[..., None].astype(np.float32) / 255
    canvas[y1:y2, x1:x2] = np.round(np.array(color, np.float32) * (1 - share) + ink * share).astype(np.uint8)
