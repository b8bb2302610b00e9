"""The gallery as HTML: small embedded pictures, limited in number and size."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lightdet.arrays import Image
from lightdet.data.audit.gallery import MAX_CLASSES, Shelf, Specimen
from lightdet.data.faults import shown_below
from lightdet.data.images import read_image
from lightdet.drawing import class_color, draw_boxes
from lightdet.errors import UserError
from lightdet.wording import counted

SIDE = 160
"""Longer side of a picture on the page, in pixels."""
_SURROUNDINGS, _SMALLEST_CROP = 3.0, 64
"""A box is shown with this multiple of its longer side around it, and at least this many pixels."""
STYLE = """
.shelf { border-top: 1px solid var(--line); padding: .3rem 0 } .shelf h3 { margin: .3rem 0 }
.shelf small { opacity: .8 } .swatch { display: inline-block; width: .8em; height: .8em; border: 1px solid #000a }
.shelf figure { max-width: 166px } .rows { display: flex; flex-wrap: wrap; gap: 0 1.5rem }
"""


def gallery(shelves: Sequence[Shelf], classes: Sequence[str], root: Path, bit_depth: int) -> str:
    """Return the section; empty if there is nothing to show."""
    if not shelves:
        return ""
    boxes = any(specimen.box is not None for shelf in shelves for _, row in shelf.rows for specimen in row)
    text = "Check that the boxes are in the right places and have the right classes." if boxes else "By class."
    dashes = " The box in question has a solid line, the picture's other boxes a dashed one." if boxes else ""
    left = len(classes) - len(shelves)
    full = left and len(shelves) == MAX_CLASSES
    more = f" Not shown: {counted(left, 'class')} with fewer or none." if full else ""
    shown = "".join(_shelf(shelf, list(classes).index(shelf.name), root, bit_depth) for shelf in shelves)
    return f"<h2>Gallery</h2><p>{text}{dashes}{more}</p>{shown}"


def small_jpeg(image: Image, name: str, side: int = SIDE) -> str:
    """An ``img`` of `image` scaled so that its longer side is `side` pixels, embedded in the page."""
    shown = np.ascontiguousarray(scaled(image, side)[:, :, ::-1])
    _, encoded = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, 85])
    data = base64.b64encode(encoded.tobytes()).decode()
    return f'<img alt="{html.escape(name)}" src="data:image/jpeg;base64,{data}">'


def scaled(image: Image, side: int = SIDE) -> Image:
    """The picture with a longer side of `side` pixels."""
    scale = side / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(image, size, interpolation=interpolation)  # type: ignore[return-value]


def _shelf(shelf: Shelf, label: int, root: Path, bit_depth: int) -> str:
    red, green, blue = class_color(label)
    swatch = f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'
    rows = "".join(_row(title, row, root, bit_depth) for title, row in shelf.rows)
    head = f"<h3>{swatch} {html.escape(shelf.name)} <small>{html.escape(shelf.count)}</small></h3>"
    return f'<div class="shelf">{head}<div class="rows">{rows}</div></div>'


def _row(title: str, row: Sequence[Specimen], root: Path, bit_depth: int) -> str:
    figures = "".join(_figure(each, root, bit_depth) for each in row)
    return f"<div><div><small>{html.escape(title)}</small></div>{figures}</div>"


def _figure(specimen: Specimen, root: Path, bit_depth: int) -> str:
    try:
        image = read_image(specimen.image, bit_depth=bit_depth)
    except UserError:
        return ""  # told among the findings
    place = shown_below(str(specimen.image), root)
    caption = html.escape(": ".join(text for text in (place, specimen.caption) if text))
    picture = small_jpeg(_marked(image, specimen), specimen.image.name)
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _marked(image: Image, specimen: Specimen) -> Image:
    """The picture, or the area around the box in question, small and with its boxes."""
    height, width = image.shape[:2]
    left, top, right, bottom = 0, 0, width, height
    if specimen.box is not None:
        left, top, right, bottom = _window(specimen, width, height)
    part = scaled(np.ascontiguousarray(image[top:bottom, left:right]))
    scale = part.shape[1] / (right - left), part.shape[0] / (bottom - top)
    boxes = ((specimen.boxes - [left, top, left, top]) * [*scale, *scale]).astype(np.float32)
    inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, 0] < part.shape[1]) & (boxes[:, 1] < part.shape[0])
    kept = np.flatnonzero(inside)
    colors = [class_color(int(specimen.labels[index])) for index in kept]
    dashed = [specimen.box is not None and index != specimen.box for index in kept.tolist()]
    return draw_boxes(part, boxes[kept], [""] * len(kept), colors, dashed=dashed, scale=2.0)


def _window(specimen: Specimen, width: int, height: int) -> tuple[int, int, int, int]:
    """A square around the box in question, clipped at the picture's border."""
    x1, y1, x2, y2 = specimen.boxes[specimen.box or 0].tolist()
    half = max(_SURROUNDINGS * max(x2 - x1, y2 - y1), _SMALLEST_CROP) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = max(0, int(x - half)), max(0, int(y - half))
    return left, top, min(width, int(x + half) + 1), min(height, int(y + half) + 1)
