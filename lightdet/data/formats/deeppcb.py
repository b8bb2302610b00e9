"""DeepPCB's labels: one line per box, ``x1 y1 x2 y2 type``, whole pixels counted from 0, type from 1.

Corners are box edges in the internal convention (none reaches past the width of 640). Type 0 is the unused
background. Fields are separated by spaces in the files, by commas in their description: both are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import LabelFile, Outside, read_lines, whole_pixels
from lightdet.files import write_text
from lightdet.structures import Annotation

_SEPARATOR = re.compile(r"[\s,]+")
_WHOLE = re.compile(r"[-+]?[0-9]{1,15}")  # int() takes 1_0 and the digits of other scripts, too


def parse_deeppcb(label: Path, size: tuple[int, int], classes: Sequence[str], outside: Outside = "error") -> LabelFile:
    """Read `label`, noting what is wrong instead of raising; `size` is the picture's (width, height)."""
    found = LabelFile(label, size, classes, outside)
    try:
        lines = read_lines(label)
    except DataError as error:
        found.problems.append(error)
        return found
    for number, line in lines:
        fields = _SEPARATOR.split(line)
        if len(fields) != 5:
            found.problem(f"{len(fields)} columns instead of 5: x1 y1 x2 y2 type", number)
            continue
        if not all(_WHOLE.fullmatch(field) for field in fields):
            found.problem("a value is not a whole number; each line is: x1 y1 x2 y2 type", number)
            continue
        x1, y1, x2, y2, kind = (int(field) for field in fields)
        if not 1 <= kind <= len(classes):
            count = len(classes)
            found.problem(f"type {kind} is out of range: {_types(count)}", number, "class")
            continue
        found.add((x1, y1, x2, y2), kind - 1, number)
    return found


def read_deeppcb(
    label: Path, image: Path, size: tuple[int, int], classes: Sequence[str], outside: Outside = "error"
) -> Annotation:
    """Read the labels of one picture of `size` (width, height).

    Raises:
        UserError: with the line, for a wrong column count, a value that is not a whole number, a type out of range
            or a box outside the picture or without area.
    """
    return parse_deeppcb(label, size, classes, outside).annotation(image)


def deeppcb_text(annotation: Annotation) -> str:
    """Return the label file's text; corners are rounded to whole pixels, each box keeps at least one."""
    lines = []
    for box, label in zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True):
        x1, x2 = whole_pixels(box[0], box[2], annotation.size[0])
        y1, y2 = whole_pixels(box[1], box[3], annotation.size[1])
        lines.append(f"{x1} {y1} {x2} {y2} {label + 1}\n")
    return "".join(lines)


def write_deeppcb(annotation: Annotation, path: Path) -> None:
    """Write one picture's label file (it cannot hold crowd flags or fractions of pixels)."""
    write_text(path, deeppcb_text(annotation))


def _types(count: int) -> str:
    return "the one class has type 1" if count == 1 else f"{count} classes have types 1 to {count}"
