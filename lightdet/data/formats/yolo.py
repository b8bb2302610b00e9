"""YOLO text labels: one line per box, ``class cx cy w h``, each a share of the picture's width or height.

Class ids count from 0. An empty file is a picture without defects. Tools write longer rows under the same name:
polygons (``class x1 y1 x2 y2 x3 y3 ...``), key points after the box, rotated boxes, scores, a tracker's numbers. A row
does not show which it is, so it is read only if the YAML says so: polygons as the boxes around them, rows with
key points as the box in front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import LabelFile, Outside, plain_number, read_lines
from lightdet.files import write_text
from lightdet.structures import Annotation
from lightdet.wording import counted


@dataclass(frozen=True)
class Rows:
    """What rows of more than five columns hold: `polygons`, or key points of `kpt_shape` (points, numbers of each)."""

    polygons: bool = False
    kpt_shape: tuple[int, int] | None = None

    @property
    def columns(self) -> str:
        """The columns that a row should have, for messages."""
        return "5: class cx cy w h" if not self.polygons else "5 (class cx cy w h) or an odd number from 7 (a polygon)"


PLAIN_ROWS = Rows()
TOLERANCE = 1e-3
"""Shares may lie outside 0-1 by this much: rounding. The box is cut at the border."""


def parse_yolo(
    label: Path, size: tuple[int, int], classes: Sequence[str], outside: Outside = "error", rows: Rows = PLAIN_ROWS
) -> LabelFile:
    """Read `label`, noting what is wrong instead of raising; `size` is the picture's (width, height)."""
    found = LabelFile(label, size, classes, outside)
    try:
        lines = read_lines(label)
    except DataError as error:
        found.problems.append(error)
        return found
    for number, line in lines:
        _parse_line(line, number, found, rows)
    return found


def read_yolo(
    label: Path,
    image: Path,
    size: tuple[int, int],
    classes: Sequence[str],
    outside: Outside = "error",
    rows: Rows = PLAIN_ROWS,
) -> Annotation:
    """Read the labels of one picture of `size` (width, height).

    Raises:
        UserError: with the line, for a class id out of range, a wrong column count, a value that is not a number
            or outside 0-1, or a box without area.
    """
    return parse_yolo(label, size, classes, outside, rows).annotation(image)


def yolo_text(annotation: Annotation) -> str:
    """Return the label file's text; 8 decimals, so at most 1e-4 pixels are lost on 10 000."""
    rows = zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True)
    return "".join(f"{yolo_row(box, label, annotation.size)}\n" for box, label in rows)


def yolo_row(box: Sequence[float], label: int, size: tuple[int, int]) -> str:
    """Return the row of one box ``x1, y1, x2, y2`` in pixels of a picture of `size` (width, height)."""
    (x1, y1, x2, y2), (width, height) = box, size
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return f"{label} " + " ".join(f"{share:.8f}" for share in shares)


def write_yolo(annotation: Annotation, path: Path) -> None:
    """Write one picture's label file (it cannot hold crowd flags)."""
    write_text(path, yolo_text(annotation))


def _parse_line(line: str, number: int, found: LabelFile, rows: Rows) -> None:
    fields = line.split()
    fault = _column_fault(fields, rows, len(found.classes))
    if fault:
        found.problem(f"{counted(len(fields), 'column')} instead of {rows.columns}{fault}", number)
        return
    label = _class_id(fields[0], number, found)
    numbers = [plain_number(text) for text in fields[1:]]
    values = [value for value in numbers if value is not None]
    if len(values) < len(numbers):
        bad = fields[1 + numbers.index(None)]
        hint = "; write a point instead of the comma" if "," in bad else ""
        found.problem(f"'{bad}' is not a number; each line is: class cx cy w h{hint}", number)
        return
    if label is None:
        return
    if not all(math.isfinite(value) for value in values):
        found.problem("a coordinate is not a finite number; correct or remove the box", number, "value")
        return
    polygon = rows.polygons and len(fields) != 5
    shares = values if polygon else values[:4]
    outlier = next((value for value in shares if not -TOLERANCE <= value <= 1 + TOLERANCE), None)
    if outlier is not None and not (polygon and found.outside == "clip"):
        kind = "pixels?" if outlier > 2 else "outside the picture?"
        found.problem(f"the value {outlier:g} is not a share in 0-1 ({kind}); correct the line", number, "value")
        return
    found.add(_box(shares, found.size, polygon), label, number)


def _column_fault(fields: Sequence[str], rows: Rows, classes: int) -> str:
    """The message for a row with the wrong number of columns; empty if it is right."""
    count = len(fields)
    wide = count >= 7 and count % 2 == 1
    if count == 5 or (rows.kpt_shape is not None and count == 5 + math.prod(rows.kpt_shape)):
        return ""
    if rows.kpt_shape is not None:
        return f", or the {5 + math.prod(rows.kpt_shape)} that 'kpt_shape' asks for"
    ids = fields[::5]
    if count > 5 and count % 5 == 0 and all(text.isdecimal() and int(text[:9]) < classes for text in ids):
        return f": are {len(ids)} rows in one line? Separate them"
    if wide and not rows.polygons:
        return (
            ": polygons, key points or a tracker's numbers? For polygons set 'rows: polygons' in the YAML, for key "
            "points 'kpt_shape: [points, 2 or 3]', otherwise remove the additional columns"
        )
    if wide:
        return ""
    if count == 6:
        return "; a sixth column (a score) does not belong in labels"
    return "; columns are separated by spaces" if count == 1 else "; correct the line"


def _box(values: list[float], size: tuple[int, int], polygon: bool) -> tuple[float, float, float, float]:
    width, height = size
    if polygon:
        xs, ys = values[0::2], values[1::2]
        return min(xs) * width, min(ys) * height, max(xs) * width, max(ys) * height
    cx, cy, w, h = values
    return (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height


def _class_id(text: str, number: int, found: LabelFile) -> int | None:
    value = plain_number(text)
    if value is None or not value.is_integer():  # numpy.savetxt writes 3 as '3.0'
        found.problem(f"the class id '{text}' is not a whole number; each line is: class cx cy w h", number)
        return None
    if not 0 <= value < len(found.classes):
        count = len(found.classes)
        found.problem(f"class id {int(value)} is out of range: {_ids(count)}", number, "class")
        return None
    return int(value)


def _ids(count: int) -> str:
    return "the one class has id 0" if count == 1 else f"{count} classes have ids 0 to {count - 1}"
