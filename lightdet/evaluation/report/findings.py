"""The worst pictures, embedded in the page: what is there, what was found, and what went wrong."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from lightdet.arrays import FloatArray, Image, IntArray
from lightdet.drawing import Color, draw_boxes
from lightdet.errors import UserError
from lightdet.evaluation.matching import FREE, crowd_flags, match
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.evaluation.worst import Finding
from lightdet.geometry.letterbox import resize
from lightdet.structures import Annotation, Detections

SIDE = 512
"""Longer side in pixels of the embedded pictures; small ones are enlarged, large ones are cropped to a detail."""
QUALITY = 88
RIGHT: Color = (86, 180, 233)
MISSED: Color = (213, 94, 0)
ALARM: Color = (240, 228, 66)
TRUTH: Color = (255, 255, 255)
Window = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels, the last two outside."""
Row = tuple[FloatArray, str, Color, bool, float]
"""A box to draw, its text, its colour, whether its line is dashed, the factor of its width."""

LEGEND = (
    ("found", "k-right", "found, with score"),
    ("missed", "k-missed", "missed"),
    ("alarm", "k-alarm", "false alarm, with score"),
    ("truth", "k-truth", "labelled and found"),
)
MAX_REASONS = 4


def legend() -> Markup:
    """Return the key to the colours."""
    return tag("ul", [tag("li", tag("span", class_=f"key {kind}"), text) for _, kind, text in LEGEND], class_="legend")


def finding_cards(
    findings: Sequence[Finding],
    found: Sequence[Detections],
    annotations: Sequence[Annotation],
    names: Sequence[str],
    load: Callable[[Path], Image],
    *,
    marks_truth: bool,
) -> Markup:
    """Return the pictures of the `findings`, with the key to the colours; `found` and `annotations` cover all pictures.

    The other arguments are those of `finding_card`.
    """
    if not findings:
        return tag("p", "None.", class_="soft")
    cards = []
    for finding in findings:
        truth = annotations[finding.index]
        try:
            card = finding_card(finding, found[finding.index], truth, names, load, marks_truth=marks_truth)
        except UserError as error:  # a picture that was removed since; the numbers are valid without it
            card = tag("figure", tag("figcaption", str(error)), class_="card")
        cards.append(card)
    return join([legend(), tag("div", cards, class_="cards")])


def finding_card(
    finding: Finding,
    found: Detections,
    truth: Annotation,
    names: Sequence[str],
    load: Callable[[Path], Image],
    *,
    marks_truth: bool,
) -> Markup:
    """Return one picture with its reasons.

    Args:
        finding: what went wrong in it.
        found: the picture's detections at or above the threshold.
        truth: its annotation.
        names: class names.
        load: reads the picture (uint8 RGB ``[H, W, 3]``).
        marks_truth: the finding's boxes are ground truth (otherwise detections); the detail is cut around the first.
    """
    boxes = truth.boxes if marks_truth else found.boxes
    image = load(truth.image)
    window = window_around(boxes[finding.boxes[0]], (image.shape[1], image.shape[0]))
    uri = data_uri(draw_outcome(image, window, found, truth, names))
    whole = window == (0, 0, image.shape[1], image.shape[0])
    width, height = truth.size
    note = "" if whole else f" (detail of {width} × {height})"
    counts = Counter(finding.reasons)
    reasons = [f"{reason} ({count} times)" if count > 1 else reason for reason, count in counts.items()]
    if len(reasons) > MAX_REASONS:
        reasons[MAX_REASONS:] = [f"and {len(reasons) - MAX_REASONS} more"]
    caption: list[Content] = [
        tag("strong", truth.image.name, title=str(truth.image)),
        note,
        tag("ul", [tag("li", reason) for reason in reasons]),
    ]
    return tag(
        "figure",
        tag("img", src=uri, alt=f"{truth.image.name}: {'; '.join(reasons)}"),
        tag("figcaption", caption),
        class_="card",
    )


def window_around(box: FloatArray, size: tuple[int, int]) -> Window:
    """Return the part to show: all of a picture up to twice `SIDE`, otherwise a detail around `box`."""
    if max(size) <= 2 * SIDE:
        return 0, 0, *size
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    side = round(max(SIDE, 2 * max(width, height)))
    corners = []
    for low, high, limit in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        start = round(float(low + high) / 2 - side / 2)
        start = max(0, min(start, limit - side))
        corners.append((start, min(limit, start + side)))
    return corners[0][0], corners[1][0], corners[0][1], corners[1][1]


def draw_outcome(
    image: Image, window: Window, found: Detections, truth: Annotation, names: Sequence[str], *, side: int = SIDE
) -> Image:
    """Return the `window` of a picture, `side` pixels long, with what was found, missed and reported wrongly."""
    matched = match(found, truth)
    rows: list[Row] = []
    for box, label, missed in zip(truth.boxes, truth.labels, matched.missed, strict=True):
        if missed:
            rows.append((box, names[label], MISSED, True, 1.5))
    rows += _detection_rows(found, matched.truth, matched.ignored, names)
    hits = ~matched.missed & ~crowd_flags(truth)
    rows += [(box, "", TRUTH, True, 0.7) for box in truth.boxes[hits]]
    return _draw(image, window, rows, side)


def draw_truth(image: Image, window: Window, truth: Annotation, names: Sequence[str], *, side: int = SIDE) -> Image:
    """Return the `window` of a picture, `side` pixels long, with the labelled boxes and their names."""
    rows: list[Row] = [
        (box, names[label], TRUTH, True, 1.0) for box, label in zip(truth.boxes, truth.labels, strict=True)
    ]
    return _draw(image, window, rows, side)


def _draw(image: Image, window: Window, rows: Sequence[Row], side: int) -> Image:
    x1, y1, x2, y2 = window
    scale = side / max(x2 - x1, y2 - y1)
    size = (max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale)))
    picture = resize(np.ascontiguousarray(image[y1:y2, x1:x2]), size)
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    boxes = (boxes - np.array([x1, y1, x1, y1], np.float32)) * np.float32(scale)
    seen = [i for i, b in enumerate(boxes) if b[0] < size[0] and b[1] < size[1] and b[2] > 0 and b[3] > 0]
    return draw_boxes(
        picture,
        boxes[seen],
        [rows[i][1] for i in seen],
        [rows[i][2] for i in seen],
        dashed=[rows[i][3] for i in seen],
        widths=[rows[i][4] for i in seen],
        scale=1.3,
    )


def _detection_rows(
    found: Detections, matched: IntArray, ignored: IntArray | np.ndarray, names: Sequence[str]
) -> list[Row]:
    rows = []
    for index, (box, score, label) in enumerate(found):
        wrong = matched[index] == FREE and not ignored[index]
        rows.append((box, f"{names[label]} {score:.2f}", ALARM if wrong else RIGHT, False, 1.5 if wrong else 1.0))
    # false alarms first: they are drawn on top
    return sorted(rows, key=lambda row: row[2] != ALARM)


def data_uri(image: Image) -> str:
    """Return a picture (uint8 RGB ``[H, W, 3]``) as text for an ``img``: a JPEG."""
    encoded, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not encoded:
        raise ValueError("the picture could not be encoded")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
