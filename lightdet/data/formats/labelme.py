"""LabelMe's JSON: one file per picture, ``shapes`` with a ``label``, ``points`` in pixels and a ``shape_type``.

Points are edges from 0 of the picture as shown: LabelMe applies the EXIF rotation before anything is drawn, and
``imageWidth`` and ``imageHeight`` are those of the rotated picture. Polygons, circles and masks are read as the boxes
around them; shapes with the same label and the same ``group_id`` are one object, as in LabelMe's own exports. Points
and lines have no area, and are refused. The picture is beside the file, or in it as base64 (``imageData``; see
`lightdet.data.formats.embedded`).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lightdet.data.faults import DataError
from lightdet.data.formats.embedded import text_without_picture
from lightdet.data.formats.enclosing import Box, ShapeError, ellipse_box, joined, polygon_box
from lightdet.data.formats.json_scanner import Scanner, is_number, read_json
from lightdet.data.formats.label_file import LabelFile, Outside
from lightdet.data.formats.rules import PLAIN_RULES, Rules
from lightdet.files import write_text
from lightdet.structures import Annotation

_PNG = b"\x89PNG\r\n\x1a\n"
_POINTS = {"rectangle": (2, 4), "circle": (2,), "mask": (2,)}
_WITH_AREA = ("rectangle", "polygon", "circle", "mask", "oriented_rectangle", "rotation")
Shapes = list[tuple[int, dict[str, Any]]]


def parse_labelme(
    label: Path,
    size: tuple[int, int],
    classes: Sequence[str],
    outside: Outside = "error",
    rules: Rules = PLAIN_RULES,
    *,
    turned: bool = False,
) -> LabelFile:
    """Read `label`, noting what is wrong instead of raising; `size` is the picture's (width, height).

    For `turned` see `LabelFile.check_size`.
    """
    found = LabelFile(label, size, classes, outside)
    try:
        shapes, values = _read(label)
    except DataError as error:
        found.problems.append(error)
        return found
    _check_path(values.get("imagePath"), label, found)
    groups: dict[tuple[int, int], list[tuple[Box, int]]] = {}
    for number, (line, shape) in enumerate(shapes, start=1):
        taken = _take(shape, f"shape {number}", line, found)
        if taken is not None:
            index, box, group = taken
            # Without a group each shape is an object of its own: no group has a number below zero.
            key = (index, -number if group is None or rules.groups == "apart" else group)
            groups.setdefault(key, []).append((box, line))
    for (index, _), parts in groups.items():
        if len(parts) > 1:
            found.remarks.append((f"{len(parts)} shapes of one group_id are read as one object", parts[0][1]))
        found.add(joined([box for box, _ in parts]), index, parts[0][1])
    declared = [values.get(key) for key in ("imageWidth", "imageHeight")]
    sides = [side for side in declared if is_number(side) and math.isfinite(side) and side > 0]
    if len(sides) == 2:
        found.check_size((sides[0], sides[1]), "imageWidth and imageHeight are", 0, turned=turned)
    return found


def read_labelme(
    label: Path,
    image: Path,
    size: tuple[int, int],
    classes: Sequence[str],
    outside: Outside = "error",
    rules: Rules = PLAIN_RULES,
) -> Annotation:
    """Read the labels of one picture of `size` (width, height).

    Raises:
        UserError: with the line, for JSON that is broken, an unknown class, a shape without area or with the wrong
            number of points, a box outside the picture, or a declared size that is not the picture's.
    """
    return parse_labelme(label, size, classes, outside, rules).annotation(image)


def labelme_names(label: Path) -> set[str]:
    """The class names that a file uses; a DataError if it is none of LabelMe's."""
    names = (shape.get("label") for _, shape in _read(label)[0])
    return {name.strip() for name in names if isinstance(name, str) and name.strip()}


def labelme_text(annotation: Annotation, classes: Sequence[str], image_path: str, scores: Sequence[float] = ()) -> str:
    """Return the JSON with rectangles, one per line; `image_path` leads from the file to the picture.

    The `scores` (0-1) of a model's boxes are their descriptions, which LabelMe shows.
    """
    width, height = annotation.size
    told = [f"score {score:.4f}" for score in scores] or [""] * len(annotation.boxes)
    shapes = []
    for box, label, text in zip(annotation.boxes.tolist(), annotation.labels.tolist(), told, strict=True):
        shape = rectangle(box, classes[label]) | {"description": text}
        shapes.append(json.dumps(shape, ensure_ascii=False))
    head = '{"version": "5.5.0", "flags": {}, "shapes": [\n' + ",\n".join(shapes) + "\n],\n"
    tail = {"imagePath": image_path, "imageData": None, "imageHeight": height, "imageWidth": width}
    return head + json.dumps(tail, ensure_ascii=False)[1:] + "\n"


def rectangle(box: Sequence[float], name: str) -> dict[str, Any]:
    """Return the shape of one box ``x1, y1, x2, y2`` in pixels."""
    return {
        "label": name,
        "points": [list(box[:2]), list(box[2:])],
        "group_id": None,
        "description": "",
        "shape_type": "rectangle",
        "flags": {},
        "mask": None,
    }


def write_labelme(annotation: Annotation, path: Path, classes: Sequence[str], image_path: str | None = None) -> None:
    """Write one picture's JSON (it cannot hold crowd flags)."""
    write_text(path, labelme_text(annotation, classes, image_path or annotation.image.name))


def _read(label: Path) -> tuple[Shapes, dict[str, Any]]:
    scanner = Scanner(text_without_picture(label), label, ("shapes",), "LabelMe file")
    lists = read_json(scanner.lists, label, "LabelMe file")
    if "shapes" not in lists:
        raise DataError("not a LabelMe file: the list 'shapes' is missing", "format", path=label)
    return lists["shapes"], scanner.values


def _check_path(image_path: object, label: Path, found: LabelFile) -> None:
    """Refuse a file that stands beside one picture by its name, and names another that is there."""
    if not isinstance(image_path, str) or not image_path or "\0" in image_path:
        return
    named = PurePosixPath(image_path.replace("\\", "/"))
    if _same(named.stem) == _same(label.stem):
        return
    try:
        there = (label.parent / named).is_file()
    except OSError:  # a name that no file can have
        return
    if there:
        message = f"is the label file of '{label.stem}' by its name, but of '{named.name}' by its imagePath; rename it"
        found.problem(message, kind="repeated")


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _take(shape: dict[str, Any], what: str, line: int, found: LabelFile) -> tuple[int, Box, int | None] | None:
    """The class, the box and the group of a shape; None if it cannot be used, which is recorded."""
    name, group = shape.get("label"), shape.get("group_id")
    if not isinstance(name, str) or not name.strip():
        found.problem(f"{what}: 'label' must be the name of a class", line, "class")
        return None
    if group is not None and (not isinstance(group, int) or isinstance(group, bool) or group < 0):
        found.problem(f"{what}: 'group_id' must be null or a whole number, got {group!r:.40}", line, "value")
        return None
    try:
        box = _box(shape, found, line)
    except ShapeError as error:
        kind = shape.get("shape_type", "polygon")
        found.problem(f"{what}: the {kind!s:.40} {error}; correct or remove it", line, "value")
        return None
    index = found.class_index(name, line)
    return None if index is None else (index, box, group)


def _box(shape: dict[str, Any], found: LabelFile, line: int) -> Box:
    kind, points = shape.get("shape_type", "polygon"), shape.get("points")
    if kind not in _WITH_AREA:
        raise ShapeError("has no area: draw a rectangle or a polygon" if _is_line(kind) else "is of an unknown kind")
    pairs = points if isinstance(points, list) else []
    if not pairs or not all(isinstance(p, list) and len(p) == 2 and all(map(is_number, p)) for p in pairs):
        raise ShapeError("needs 'points': a list of [x, y]")
    xs, ys = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    wanted = _POINTS.get(kind)
    if wanted is not None and len(pairs) not in wanted:
        raise ShapeError(f"has {len(pairs)} points instead of {wanted[0]}")
    if kind == "circle":
        radius = math.hypot(xs[1] - xs[0], ys[1] - ys[0])
        return ellipse_box(xs[0], ys[0], radius, radius)
    if kind == "mask":
        return _mask_box(shape.get("mask"), xs, ys)
    if kind in ("oriented_rectangle", "rotation"):
        found.remarks.append(("a rotated rectangle is read as the box around it", line))
    if kind == "rectangle" and len(pairs) == 2:
        return min(xs), min(ys), max(xs), max(ys)
    return polygon_box(xs, ys)


def _is_line(kind: object) -> bool:
    return kind in ("point", "points", "line", "linestrip")


def _mask_box(mask: object, xs: list[float], ys: list[float]) -> Box:
    """The box of a mask: its first and last pixel are its points. Its PNG's header must agree, and is not decoded."""
    try:
        head = base64.b64decode(mask[:64], validate=True) if isinstance(mask, str) else b""
    except (binascii.Error, ValueError):
        head = b""
    if len(head) < 24 or not head.startswith(_PNG):
        raise ShapeError("has no PNG as 'mask'")
    width, height = struct.unpack(">II", head[16:24])
    box = (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    if not all(map(math.isfinite, box)) or (round(box[2] - box[0]), round(box[3] - box[1])) != (width, height):
        raise ShapeError(f"is {width} x {height} pixels, and its two points say another size")
    return box
