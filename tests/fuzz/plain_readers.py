"""Label files read a second time, as plainly as the formats allow: what lightdet accepts must come out the same.

Written from the formats' descriptions, on purpose without anything of lightdet's. Each reader gives ``(class, x1, y1,
x2, y2)`` in pixels from 0, cut at the border of the picture, and raises ValueError for what it cannot read.
"""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as XmlTree
from collections.abc import Sequence
from typing import Any

Box = tuple[int, float, float, float, float]
Size = tuple[int, int]
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def number(text: str) -> float:
    """A decimal number, blanks around it."""
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(f"no number: {text!r}")
    return float(text)


def whole(text: str) -> int:
    """A whole number; ``3.0`` is one."""
    value = number(text)
    if value != int(value):
        raise ValueError(f"not whole: {text!r}")
    return int(value)


def rows(data: bytes) -> list[list[str]]:
    """The fields of each line that has any; lines end in LF, CRLF or CR."""
    lines = re.split("\r\n|\r|\n", data.decode("utf-8-sig"))
    return [fields for line in lines if (fields := line.split())]


def cut(label: int, box: Sequence[float], size: Size) -> Box:
    x1, y1, x2, y2 = box
    return label, max(x1, 0.0), max(y1, 0.0), min(x2, size[0]), min(y2, size[1])


def read_yolo(data: bytes, size: Size, *, polygons: bool = False, points: int = 0) -> list[Box]:
    """``class cx cy w h``, or polygons ``class x y x y x y``, or `points` numbers of key points behind the box."""
    found = []
    for fields in rows(data):
        values = [number(field) for field in fields[1:]]
        if len(values) == 4 or (points and len(values) == 4 + points):
            cx, cy, w, h = values[:4]
            corners = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
        elif polygons and len(values) >= 6 and len(values) % 2 == 0:
            corners = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
        else:
            raise ValueError(f"{len(fields)} columns")
        box = [corner * side for corner, side in zip(corners, (*size, *size), strict=True)]
        found.append(cut(whole(fields[0]), box, size))
    return found


def read_deeppcb(data: bytes, size: Size) -> list[Box]:
    """``x1 y1 x2 y2 type`` with blanks or commas, types from 1."""
    found = []
    for fields in rows(data.replace(b",", b" ")):
        if len(fields) != 5 or not all(re.fullmatch(r"[+-]?\d+", field, re.ASCII) for field in fields):
            raise ValueError(f"not five whole numbers: {fields}")
        *box, kind = (int(field) for field in fields)
        found.append(cut(kind - 1, box, size))
    return found


def read_voc(data: bytes, size: Size, classes: Sequence[str], first_pixel: int) -> list[Box]:
    """Objects with a name and four corners of a box."""
    root = XmlTree.fromstring(data)
    if root.tag != "annotation":
        raise ValueError("no annotation")
    found = []
    for item in root.findall("object"):
        (name,), (corners,) = item.findall("name"), item.findall("bndbox")
        texts = [_leaf(corners, tag) for tag in ("xmin", "ymin", "xmax", "ymax")]
        xmin, ymin, xmax, ymax = (number(text) for text in texts)
        label = _names(classes).index(_name(name.text or ""))
        found.append(cut(label, (xmin - first_pixel, ymin - first_pixel, xmax, ymax), size))
    return found


def _leaf(above: XmlTree.Element, tag: str) -> str:
    (element,) = above.findall(tag)
    if len(element):
        raise ValueError(f"<{tag}> holds elements")
    return element.text or ""


def _name(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _names(classes: Sequence[str]) -> list[str]:
    return [_name(name) for name in classes]


def read_coco(data: bytes, size: Size, classes: Sequence[str]) -> dict[str, list[Box]]:
    """The boxes of each picture by its ``file_name``; crowds have 1000 added to their class."""
    content = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    pictures = {entry["id"]: entry["file_name"] for entry in content["images"]}
    if len(names) < len(content["categories"]) or len(set(pictures.values())) < len(content["images"]):
        raise ValueError("something is given twice")
    found: dict[str, list[Box]] = {name: [] for name in pictures.values()}
    for entry in content.get("annotations", []):
        x, y, w, h = (float(value) for value in entry["bbox"])
        label = _names(classes).index(_name(names[entry["category_id"]]))
        label += 1000 if entry.get("iscrowd") else 0
        found[pictures[entry["image_id"]]].append(cut(label, (x, y, x + w, y + h), size))
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)
