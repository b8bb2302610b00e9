"""YOLO text labels: a line a box, ``class cx cy w h``, each a share of the picture's width or height.

Class ids count from 0. A line with a polygon (``class x1 y1 x2 y2 x3 y3 ...``, segmentation labels) is read as
the box around it. An empty file is a picture without defects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import LabelFile, Outside, read_lines
from lightdet.files import write_text
from lightdet.structures import Annotation

TOLERANCE = 1e-3
"""Shares may lie outside 0-1 by this much: rounding. The box is cut at the border."""


def parse_yolo(label: Path, size: tuple[int, int], classes: Sequence[str], outside: Outside = "error") -> LabelFile:
    """Read `label`, noting what is wrong instead of raising; `size` is the picture's (width, height)."""
    found = LabelFile(label, size, classes, outside)
    try:
        lines = read_lines(label)
    except DataError as error:
        found.problems.append(error)
        return found
    for number, line in lines:
        _parse_line(line, number, found)
    return found


def read_yolo(
    label: Path, image: Path, size: tuple[int, int], classes: Sequence[str], outside: Outside = "error"
) -> Annotation:
    """Read the labels of one picture of `size` (width, height).

    Raises:
        UserError: with the line, for a class id out of range, a wrong column count, a value that is not a number
            or outside 0-1, or a box without area.
    """
    return parse_yolo(label, size, classes, outside).annotation(image)


def yolo_text(annotation: Annotation) -> str:
    """Return the label file's text; 8 decimals, so at most 1e-4 pixels are lost on 10 000."""
    width, height = annotation.size
    lines = []
    for box, label in zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True):
        x1, y1, x2, y2 = box
        shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(f"{label} " + " ".join(f"{share:.8f}" for share in shares) + "\n")
    return "".join(lines)


def write_yolo(annotation: Annotation, path: Path) -> None:
    """Write one picture's label file (crowd flags have no place in it)."""
    write_text(path, yolo_text(annotation))


def _parse_line(line: str, number: int, found: LabelFile) -> None:
    fields = line.split()
    polygon = len(fields) >= 7 and len(fields) % 2 == 1
    if len(fields) != 5 and not polygon:
        hint = "; a sixth column (a score) does not belong into labels" if len(fields) == 6 else ""
        found.problem(f"{len(fields)} columns instead of 5: class cx cy w h{hint}", number)
        return
    label = _class_id(fields[0], number, found)
    try:
        values = [float(text) for text in fields[1:]]
    except ValueError:
        bad = next(text for text in fields[1:] if not _is_number(text))
        found.problem(f"'{bad}' is not a number; each line is: class cx cy w h", number)
        return
    if label is None:
        return
    if not all(math.isfinite(value) for value in values):
        found.problem("a coordinate is not a finite number; correct or remove the box", number, "value")
        return
    outlier = next((value for value in values if not -TOLERANCE <= value <= 1 + TOLERANCE), None)
    if outlier is not None and not (polygon and found.outside == "clip"):
        kind = "pixels?" if outlier > 2 else "outside the picture?"
        found.problem(f"the value {outlier:g} is not a share in 0-1 ({kind}); correct the line", number, "value")
        return
    found.add(_box(values, found.size, polygon), label, number)


def _box(values: list[float], size: tuple[int, int], polygon: bool) -> tuple[float, float, float, float]:
    width, height = size
    if polygon:
        xs, ys = values[0::2], values[1::2]
        return min(xs) * width, min(ys) * height, max(xs) * width, max(ys) * height
    cx, cy, w, h = values
    return (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height


def _class_id(text: str, number: int, found: LabelFile) -> int | None:
    value = float(text) if _is_number(text) else math.nan
    if not value.is_integer():  # '3.0' is what numpy.savetxt makes of 3
        found.problem(f"the class id '{text}' is not a whole number; each line is: class cx cy w h", number)
        return None
    if not 0 <= value < len(found.classes):
        count = len(found.classes)
        found.problem(f"class id {int(value)} is out of range: {_ids(count)}", number, "class")
        return None
    return int(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ids(count: int) -> str:
    return "the one class has id 0" if count == 1 else f"{count} classes have ids 0 to {count - 1}"
