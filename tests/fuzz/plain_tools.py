"""The files of labelling tools read a second time, as plainly as in `plain_readers`, with nothing of lightdet's."""

from __future__ import annotations

import csv
import io
import json
import math
import xml.etree.ElementTree as XmlTree
from collections.abc import Sequence
from typing import Any

from plain_readers import Box, Size, _name, _names, _without_repeats, cut, number

Found = dict[str, list[Box]]


def _around(points: Sequence[Sequence[float]]) -> tuple[float, float, float, float]:
    xs, ys = [float(x) for x, _ in points], [float(y) for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def read_labelme(data: bytes, size: Size, classes: Sequence[str]) -> list[Box]:
    """Rectangles, polygons and circles; shapes with one label and one group are one object."""
    content = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    parts: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
    for place, shape in enumerate(content["shapes"]):
        kind, points = shape.get("shape_type", "polygon"), shape["points"]
        if kind == "circle":
            (x, y), (ex, ey) = points
            radius = math.dist((x, y), (ex, ey))
            box = (x - radius, y - radius, x + radius, y + radius)
        elif kind in ("rectangle", "polygon", "oriented_rectangle", "rotation"):
            box = _around(points)
        else:
            raise ValueError(f"a {kind}")
        label = _names(classes).index(_name(shape["label"]))
        group = shape.get("group_id")
        parts.setdefault((label, -1 - place if group is None else group), []).append(box)
    merged = [
        (label, _around([(x, y) for box in boxes for x, y in (box[:2], box[2:])]))
        for (label, _), boxes in parts.items()
    ]
    return [cut(label, box, size) for label, box in merged]


def read_cvat(data: bytes, size: Size, classes: Sequence[str]) -> Found:
    """Boxes (none of them rotated) and polygons of each picture."""
    root = XmlTree.fromstring(data)
    if root.tag != "annotations" or root.find("track") is not None:
        raise ValueError("not CVAT for images")
    found: Found = {}
    for image in root.findall("image"):
        boxes = found.setdefault(image.attrib["name"], [])
        for shape in image:
            if shape.tag == "tag":
                continue
            if shape.tag == "box":
                box = tuple(number(shape.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
                if "rotation" in shape.attrib and number(shape.attrib["rotation"]) % 360:
                    raise NotImplementedError
            elif shape.tag == "polygon":
                box = _around([[number(n) for n in pair.split(",")] for pair in shape.attrib["points"].split(";")])
            else:
                raise ValueError(shape.tag)
            boxes.append(cut(_names(classes).index(_name(shape.attrib["label"])), box, size))
    return found


def _pictures(data: dict[str, Any]) -> list[str]:
    return [value for value in data.values() if isinstance(value, str) and value.lower().endswith(".png")]


def read_label_studio(data: bytes, size: Size, classes: Sequence[str]) -> Found:
    """Rectangles (none of them rotated) and polygons of the one annotation of each task."""
    found: Found = {}
    for task in json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats):
        images = [task["data"]["image"]] if task["data"].get("image") else _pictures(task["data"])
        (image,) = images
        boxes = found.setdefault(image, [])
        (annotation,) = [each for each in task["annotations"] if not each.get("was_cancelled")]
        regions = set()
        for result in annotation["result"]:
            if result.get("id") in regions:  # the same region again
                continue
            regions |= {result["id"]} if isinstance(result.get("id"), str | int) else set()
            value = result["value"]
            if result["type"] in ("polygonlabels", "polygon"):
                box = _around(value["points"])
            elif result["type"] in ("rectanglelabels", "rectangle"):
                if (value.get("rotation") or 0) % 360:
                    raise NotImplementedError
                box = (value["x"], value["y"], value["x"] + value["width"], value["y"] + value["height"])
            elif result["type"] in ("choices", "textarea", "rating", "number", "relation"):
                continue
            else:
                raise ValueError(result["type"])
            names = {name.strip() for key in ("rectanglelabels", "polygonlabels") for name in value.get(key, [])}
            (label,) = (_names(classes).index(_name(name)) for name in names if name)
            sides = (size[0] / 100, size[1] / 100)
            boxes.append(cut(label, [v * sides[place % 2] for place, v in enumerate(box)], size))
    return found


def read_box_csv(data: bytes, size: Size, classes: Sequence[str]) -> Found:
    """Rows below a header with the columns of boxes in pixels."""
    text = data.decode("utf-8-sig")
    head = text.split("\n", 1)[0]
    rows = [
        [c.strip() for c in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    ]
    rows = [row for row in rows if any(row)]
    short = {"x1": "xmin", "y1": "ymin", "x2": "xmax", "y2": "ymax"}
    names = [short.get(name.lower(), name.lower()) for name in rows[0]]
    found: Found = {}
    for row in rows[1:]:
        cells = dict(zip(names, [*row, *[""] * len(names)], strict=False))
        boxes = found.setdefault(cells["image"], [])
        numbers = [cells[key] for key in ("xmin", "ymin", "xmax", "ymax")]
        if cells["label"] or any(numbers):
            boxes.append(cut(_names(classes).index(_name(cells["label"])), [number(n) for n in numbers], size))
    return found


def pieces(pixels: Any) -> list[Box]:
    """The groups of touching pixels of each value but 0, ``[H, W]``, found by walking from pixel to pixel."""
    left = {(x, y): int(v) for y, row in enumerate(pixels) for x, v in enumerate(row) if v}
    found = []
    while left:
        (start, value) = next(iter(left.items()))
        group, edge = [start], [start]
        del left[start]
        while edge:
            x, y = edge.pop()
            for near in [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]:
                if left.get(near) == value:
                    del left[near]
                    group.append(near)
                    edge.append(near)
        xs, ys = [x for x, _ in group], [y for _, y in group]
        found.append((value - 1, float(min(xs)), float(min(ys)), float(max(xs) + 1), float(max(ys) + 1)))
    return sorted(found)
