"""Contact sheets: the pictures of some rows, read again from where they are, with what was found drawn on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lightdet.arrays import Image
from lightdet.data.images import MAX_BYTES, read_file, read_pages
from lightdet.drawing import class_color, draw_boxes, draw_judged_class
from lightdet.errors import UserError
from lightdet.evaluation.report.findings import data_uri
from lightdet.evaluation.report.markup import Content, Markup, tag
from lightdet.evaluation.report.page import page
from lightdet.files import write_text
from lightdet.fonts import text_mask
from lightdet.inference.image_writers import write_picture
from lightdet.inference.sources import expand_sources
from lightdet.storage.stored_file import StoredFile
from lightdet.wording import counted

SHOWN = 60
"""Pictures on a sheet, unless another number is asked for."""
SIDE = 320
"""The longer side of one, in pixels."""
LARGEST = 8.0
"""No picture is scaled up by more."""
COLUMNS = 5
"""Pictures side by side, on a sheet that is one picture."""
MARGIN = 8
LETTERS = 13
GROUND, INK = 24, 235
MAX_NAMED = 8
"""Boxes of a picture that are listed below it."""
ENDINGS = (".html", ".htm", ".png", ".jpg", ".jpeg")

Hit = Mapping[str, Any]
"""A row of ``archive``; `source` is there, everything else may be missing."""


@dataclass(frozen=True)
class Shown:
    """A picture of a sheet: drawn, or the reason why not (one of them is there); and what is written below it."""

    name: str
    source: str
    image: Image | None
    reason: str
    lines: tuple[str, ...]


def check_sheet(path: Path) -> None:
    """Refuse a file that is neither a page nor a picture.

    Raises:
        UserError: it is.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UserError("a contact sheet is a page (.html) or a picture (.png, .jpg)", path=path)


def write_sheet(path: Path, hits: Sequence[Hit], title: str) -> None:
    """Write the sheet; a picture that cannot be read any more is there with its reason.

    Raises:
        UserError: it cannot be written.
    """
    if path.suffix.lower() in (".html", ".htm"):
        head = tag("header", tag("h1", title), tag("p", counted(len(hits), "picture"), class_="soft"))
        write_text(path, page(title, head, cards(hits)))
    else:
        write_picture(path, _grid(list(shown_hits(hits))))


def cards(hits: Sequence[Hit]) -> Markup:
    """Return the pictures as HTML, each with its name, its decision and what was found."""
    return tag("div", [_card(each) for each in shown_hits(hits)], class_="cards")


def shown_hits(hits: Sequence[Hit]) -> Iterator[Shown]:
    """Read and draw one picture after the other; a class has the same colour in all of them."""
    names = sorted({box["class"] for hit in hits for box in hit.get("detections") or ()})
    for hit in hits:
        source = str(hit["source"])
        number = hit.get("page")
        name = source.partition("::")[0].rstrip("/").rpartition("/")[2] + (f"#{number}" if number else "")
        image, reason = None, hit.get("reason") or ""
        if not reason:
            try:
                image = _drawn(_picture(hit), hit, names)
            except UserError as error:
                reason = error.message
        yield Shown(name, source, image, reason, tuple(_lines(hit)))


def _picture(hit: Hit) -> Image:
    """The picture as it was judged."""
    first = next(iter(expand_sources([hit["source"]], stored=True)))
    stored = isinstance(first.target, StoredFile)
    data = first.target.read(MAX_BYTES) if isinstance(first.target, StoredFile) else read_file(Path(str(first.target)))
    known = hit.get("sha256")
    if known and hashlib.sha256(data).hexdigest() != known:
        raise UserError("the picture has changed since it was judged")
    wanted = hit.get("page") or 1
    for each in read_pages(data, name=first.name if stored else str(hit["source"])):
        if each.number == wanted:
            return each.image
    raise UserError(f"has no picture {wanted} any more")


def _drawn(image: Image, hit: Hit, names: Sequence[str]) -> Image:
    """The picture, scaled, with its boxes; of a classifier in a frame with its class."""
    scale = min(LARGEST, SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)  # type: ignore[assignment]
    found = hit.get("detections")
    if found is None and hit.get("class"):
        return draw_judged_class(small, hit.get("decision") != "NG", str(hit["class"]))
    boxes = [[each[side] * scale for side in ("x1", "y1", "x2", "y2")] for each in found or ()]
    texts = [f"{each['class']} {each['score']:.2f}" for each in found or ()]
    colors = [class_color(names.index(each["class"])) for each in found or ()]
    return draw_boxes(small, np.array(boxes, np.float32).reshape(-1, 4), texts, colors)


def _lines(hit: Hit) -> Iterator[str]:
    nothing = "promises nothing" if hit.get("promise") not in (None, "yes") else None
    facts = [hit.get("decision"), nothing, hit.get("day"), hit.get("model")]
    if any(facts):
        yield " · ".join(str(each) for each in facts if each)
    found = hit.get("detections") or ()
    if found:
        more = "" if len(found) <= MAX_NAMED else f" and {len(found) - MAX_NAMED} more"
        yield ", ".join(f"{each['class']} {each['score']:.2f}" for each in found[:MAX_NAMED]) + more
    elif hit.get("class"):
        yield f"{hit['class']}, score {hit['score']:.2f}" if hit.get("score") is not None else str(hit["class"])


def _card(shown: Shown) -> Markup:
    picture: Content = tag("figcaption", shown.reason)
    if shown.image is not None:
        picture = tag("img", src=data_uri(shown.image), alt=f"{shown.name}: {'; '.join(shown.lines)}")
    lines = tag("ul", [tag("li", line) for line in shown.lines]) if shown.lines else None
    name = tag("strong", shown.name, title=shown.source)
    return tag("figure", picture, tag("figcaption", name, lines), class_="card")


def _grid(hits: Sequence[Shown]) -> Image:
    """All pictures in one, in rows of `COLUMNS`, each with its name below it."""
    strip = text_mask("x", LETTERS).shape[0]
    cell = SIDE + MARGIN
    high = SIDE + 2 * strip + 2 * MARGIN
    columns = min(COLUMNS, max(1, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    sheet = np.full((rows * high + MARGIN, columns * cell + MARGIN, 3), GROUND, np.uint8)
    for place, shown in enumerate(hits):
        top, left = place // columns * high + MARGIN, place % columns * cell + MARGIN
        if shown.image is not None:
            height, width = shown.image.shape[:2]
            y, x = top + (SIDE - height) // 2, left + (SIDE - width) // 2
            sheet[y : y + height, x : x + width] = shown.image
        below = shown.reason or (shown.lines[-1] if shown.lines else "")
        for line, text in enumerate((shown.name, below)):
            mask = text_mask(text, LETTERS)[:, :SIDE].astype(np.float32)[..., None] / 255
            y = top + SIDE + MARGIN // 2 + line * strip
            part = sheet[y : y + mask.shape[0], left : left + mask.shape[1]]
            part[:] = np.round(part * (1 - mask) + INK * mask)
    return sheet
