"""The section of the audit's page with the labels that are probably wrong, each drawn beside what was found instead."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from lightdet.arrays import Image
from lightdet.data.audit.gallery_page import scaled, small_jpeg
from lightdet.data.audit.label_doubts import DoubtedLabels, LabelDoubt
from lightdet.data.faults import shown_below
from lightdet.data.images import read_image
from lightdet.drawing import Color, class_color, draw_boxes
from lightdet.errors import UserError

SIDE = 320
"""Longer side of a picture, in pixels."""
MAX_DRAWN = 200
"""Most findings with their picture; the others are listed."""
LABEL_PAGE = "http://127.0.0.1:8010/"
"""Where `lightdet label` listens, unless it is told otherwise."""
FOUND: Color = (255, 255, 255)
"""The colour of what the detector found; labels have the colours of their classes."""
STYLE = """
.doubts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: .4rem 1rem }
.doubts figure { margin: 0 } .doubts img { width: 100%; max-height: none; margin: 0 }
.doubts figcaption { font-size: 13px; max-width: none }
"""


def doubts_section(found: DoubtedLabels, classes: Sequence[str], root: Path, bit_depth: int) -> str:
    """Return the section's HTML."""
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in found.notes)
    head = (
        f"<h2>Labels that are probably wrong</h2><p>The first {len(found.first)} of {found.total}, by "
        f"{html.escape(found.by)}. Solid: the label in doubt; white, dashed: what was found; dashed in a "
        "class's colour: the other labels. The links open the picture while <code>lightdet label</code> "
        f"serves this data set at {LABEL_PAGE}.</p>{notes}"
    )
    figures = "".join(_figure(doubt, classes, root, bit_depth) for doubt in found.first[:MAX_DRAWN])
    listed = "".join(f"<li>{_caption(doubt, root)}</li>" for doubt in found.first[MAX_DRAWN:])
    return f'{head}<div class="doubts">{figures}</div><ul>{listed}</ul>'


def _caption(doubt: LabelDoubt, root: Path) -> str:
    place = html.escape(shown_below(str(doubt.image), root))
    link = f'<a href="{LABEL_PAGE}#{html.escape(quote(doubt.name, safe=""))}" target="_blank">{place}</a>'
    return f"{link}: {html.escape(doubt.message)} (doubt {doubt.doubt:.2f})"


def _figure(doubt: LabelDoubt, classes: Sequence[str], root: Path, bit_depth: int) -> str:
    try:
        image = read_image(doubt.image, bit_depth=bit_depth)
    except UserError:
        return f"<figure><figcaption>{_caption(doubt, root)}</figcaption></figure>"
    picture = small_jpeg(drawn(image, doubt, classes), doubt.image.name, SIDE)
    return f"<figure>{picture}<figcaption>{_caption(doubt, root)}</figcaption></figure>"


def drawn(image: Image, doubt: LabelDoubt, classes: Sequence[str]) -> Image:
    """The picture, scaled, with its labels and what was found; the box in doubt and the found one are named."""
    order = sorted(range(len(doubt.boxes)), key=lambda index: index != doubt.box)
    boxes = [doubt.boxes[index] for index in order]
    texts = [classes[int(doubt.labels[index])] if index == doubt.box else "" for index in order]
    colors = [class_color(int(doubt.labels[index])) for index in order]
    dashed = [index != doubt.box for index in order]
    if doubt.answer is not None:
        corners, label, score = doubt.answer
        boxes.insert(0, np.array(corners, np.float32))
        texts.insert(0, f"{classes[label]} {score:.2f}")
        colors.insert(0, FOUND)
        dashed.insert(0, True)
    part = scaled(image, SIDE)
    scale = part.shape[1] / image.shape[1], part.shape[0] / image.shape[0]
    stacked = (np.array(boxes, np.float32).reshape(-1, 4) * [*scale, *scale]).astype(np.float32)
    return draw_boxes(part, stacked, texts, colors, dashed=dashed)
