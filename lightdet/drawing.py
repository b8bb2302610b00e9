"""Boxes and their names on pictures: readable on any background, at any size, for any eye."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.fonts import has_letters, text_mask
from lightdet.geometry.nms import overlap_areas
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
"""Okabe and Ito, "Color Universal Design": distinct with any common colour blindness (white instead of black)."""

VERDICT_COLORS: tuple[Color, Color] = ((210, 30, 30), (30, 160, 60))
"""The colours of NG and of OK."""
SMALLEST_TEXT = 8
SMALL_PICTURE = 640
"""In pictures up to this side in pixels a label may be as large as the defect."""
HIDDEN_SHARE = 0.3
LEGEND_LINES = 12


def class_color(label: int) -> Color:
    """Return the colour of class `label` (0, 1, …); the palette starts again after eight."""
    return PALETTE[label % len(PALETTE)]


def draw_detections(
    image: Image,
    detections: Detections,
    *,
    names: Sequence[str] | None = None,
    scores: bool = True,
    legend: bool = False,
) -> Image:
    """Return a copy of `image` (uint8 RGB ``[H, W, 3]``) with every detection drawn, the best on top.

    Args:
        image: the picture that the boxes belong to.
        detections: in its pixels.
        names: class names by label; default: those of `detections`, or the label itself. A name in a
            script that no font of this computer has is shown as its label, ``#3``.
        scores: show the score after the name.
        legend: on a small picture whose labels would hide the defects, write them in a strip below it instead,
            each in the colour of its box; the copy is then taller.
    """
    known = names or detections.names
    texts = []
    for _, score, label in detections:
        name = known[label] if label < len(known) else str(label)
        name = name if has_letters(name) else f"#{label}"
        texts.append(f"{name} {score:.2f}" if scores else name)
    boxes, colors = detections.boxes, [class_color(int(label)) for label in detections.labels]
    height, width = image.shape[:2]
    if legend and max(height, width) <= SMALL_PICTURE and _hidden_by_labels(boxes, texts, (width, height)):
        return _with_legend(draw_boxes(image, boxes, [""] * len(boxes), colors), texts, colors)
    return draw_boxes(image, boxes, texts, colors)


def _hidden_by_labels(boxes: FloatArray, texts: Sequence[str], picture: tuple[int, int]) -> bool:
    """Whether labels cover more than `HIDDEN_SHARE` of a box's area."""
    line, size = line_width(*picture), text_size(*picture)
    places = np.array([place for _, place, _ in _placed(boxes, texts, size, picture, line)], np.float32).reshape(-1, 4)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return any(
        float(overlap_areas(box, places).sum()) > HIDDEN_SHARE * area for box, area in zip(boxes, areas, strict=True)
    )


def _with_legend(canvas: Image, texts: Sequence[str], colors: Sequence[Color]) -> Image:
    """Return `canvas` with a strip below it, a line for each of `texts` on its colour."""
    height, width = canvas.shape[:2]
    size = text_size(width, height)
    shown = list(zip(texts, colors, strict=True))[:LEGEND_LINES]
    if len(texts) > len(shown):
        shown.append((f"… {len(texts) - len(shown)} more", (60, 60, 60)))
    masks = [_fitted_mask(text, size, width, height) for text, _ in shown]
    strip = np.full((sum(mask.shape[0] for mask in masks), width, 3), 30, np.uint8)
    top = 0
    for mask, (_, color) in zip(masks, shown, strict=True):
        _draw_label(strip, mask, (0, top, mask.shape[1], top + mask.shape[0]), color)
        top += mask.shape[0]
    return np.concatenate((canvas, strip))


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

    Every line has a dark rim and every text its own background, so both show on light, dark and busy pictures. A text
    is always completely inside the picture: moved, made smaller, or shortened with "…" if it is too long.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
        boxes: float32 ``[N, 4]``, x1, y1, x2, y2 in its pixels; parts outside are left out.
        texts: N of them; an empty one draws no label.
        colors: N of them.
        dashed: draw this box with a dashed line.
        widths: factors of the usual line width (which follows the picture's size), one per box.
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
    for mask, place, index in reversed(_placed(boxes, texts, size, (width, height), line)):
        _draw_label(canvas, mask, place, colors[index])
    return canvas


def _placed(
    boxes: FloatArray, texts: Sequence[str], size: int, picture: tuple[int, int], line: int
) -> list[tuple[Image, Rectangle, int]]:
    """Choose a place for every text: its letters, their position, and the number of its box."""
    labels: list[tuple[Image, Rectangle, int]] = []
    taken: list[Rectangle] = []
    for index, (box, text) in enumerate(zip(boxes, texts, strict=True)):
        if text:
            mask = _fitted_mask(text, size, *picture)
            taken.append(_free_place(box, (mask.shape[1], mask.shape[0]), picture, line, taken, boxes))
            labels.append((mask, taken[-1], index))
    return labels


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
    """Letters with a margin that fit into the picture: first made smaller, then shortened."""
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
    box: FloatArray,
    label: tuple[int, int],
    picture: tuple[int, int],
    line: int,
    taken: Sequence[Rectangle],
    boxes: FloatArray,
) -> Rectangle:
    """Choose where a label goes: above, below, beside or inside; the first place that covers no label and no box,
    otherwise the first that covers no label."""
    width, height = label
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    left, right = x1 - line, x2 + line - width
    above, below, inside = y1 - line - height, y2 + line, y1 + line
    choices = [(left, above), (left, below), (right, above), (right, below), (x1 + line, inside)]
    beside = [(x1 - line - width, y1), (x2 + line, y1)]
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
    free = [place for place in places if not any(_touch(place, other) for other in taken)]
    for x, y in beside:  # only here, because it covers more of what is around the box
        place = (x, y, x + width, y + height)
        inside_picture = x >= 0 and y >= 0 and place[2] <= picture[0] and place[3] <= picture[1]
        if inside_picture and not any(_touch(place, other) for other in taken):
            free.append(place)
    bare = (place for place in free if not overlap_areas(np.array(place, np.float32), boxes).any())
    return next(bare, free[0] if free else places[0])


def _touch(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_label(canvas: Image, mask: Image, place: Rectangle, color: Color) -> None:
    x1, y1, x2, y2 = place
    # ITU-R BT.709 luminance: dark letters on light colours and the reverse
    dark = 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2] > 110
    ink = np.array((0, 0, 0) if dark else (255, 255, 255), np.float32)
    share = mask[..., None].astype(np.float32) / 255
    canvas[y1:y2, x1:x2] = np.round(np.array(color, np.float32) * (1 - share) + ink * share).astype(np.uint8)
