"""COCO's outlines: whether they say more than the box (tools write empty lists or its corners), and their boxes."""

from __future__ import annotations

from typing import Any

from lightdet.data.formats.enclosing import Box, ShapeError, joined, polygon_box, runs_box
from lightdet.data.formats.json_scanner import is_number


def has_points(keypoints: Any) -> bool:
    """Whether key points are given: an unlabelled one is 0, 0, 0."""
    return any(_flat(keypoints))


def is_outline(segmentation: Any, bbox: Any) -> bool:
    """Whether it says more than the box: a mask, or a polygon that is not the box's own four corners."""
    if isinstance(segmentation, dict):
        return True
    for polygon in segmentation if isinstance(segmentation, list) else ():
        numbers = _flat(polygon)
        if numbers and not (len(numbers) == 8 and _is_box(numbers, _flat(bbox))):
            return True
    return False


def _is_box(numbers: list[float], bbox: list[float]) -> bool:
    """Whether eight numbers are the corners of a box (x, y, width, height), to half a pixel."""
    if len(bbox) != 4:
        return False
    x, y, width, height = bbox
    ends = ((x, x + width), (y, y + height))
    return all(min(abs(number - end) for end in ends[place % 2]) <= 0.5 for place, number in enumerate(numbers))


def _flat(values: Any) -> list[float]:
    """The numbers of a list; nothing if it is not a list."""
    found = [value for value in values if isinstance(value, int | float)] if isinstance(values, list) else []
    return [float(value) for value in found]


class OutlineFault(str):
    """What is wrong with an outline."""


def outline_box(segmentation: Any) -> list[float] | OutlineFault:
    """The box ``[x, y, width, height]`` around polygons or a mask, or what is wrong with them.

    Polygons of one annotation are parts of one object. A mask is runs of 0, 1, 0, ... down the columns, as a list or in
    the string of pycocotools.
    """
    try:
        x1, y1, x2, y2 = _mask_box(segmentation) if isinstance(segmentation, dict) else _polygons_box(segmentation)
    except ShapeError as error:
        return OutlineFault(f"the {'mask' if isinstance(segmentation, dict) else 'polygon'} {error}")
    return [x1, y1, x2 - x1, y2 - y1]


def _polygons_box(segmentation: Any) -> Box:
    boxes = []
    for polygon in segmentation if isinstance(segmentation, list) else ():
        if not isinstance(polygon, list) or len(polygon) % 2 or not all(map(is_number, polygon)):
            raise ShapeError("must be a list of x, y, x, y, ...")
        boxes.append(polygon_box([float(x) for x in polygon[::2]], [float(y) for y in polygon[1::2]]))
    if not boxes:
        raise ShapeError("is empty, and there is no 'bbox'")
    return joined(boxes)


def _mask_box(mask: dict[str, Any]) -> Box:
    size, counts = mask.get("size"), mask.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int for side in size):
        raise ShapeError("needs 'size': [height, width]")
    if isinstance(counts, str):
        counts = _runs(counts)
    if not isinstance(counts, list) or not all(type(count) is int for count in counts):
        raise ShapeError("needs 'counts': a list of whole numbers, or the text of pycocotools")
    y1, x1, y2, x2 = runs_box(counts, size[0], size[1])
    return x1, y1, x2, y2


def _runs(text: str) -> list[int]:
    """The runs in the text of pycocotools: five bits per letter, the sixth says that more follow; from the fourth run
    on, each is told by its difference to the one before the last.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 30:
            raise ShapeError("has 'counts' that are not the text of pycocotools")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ShapeError("has 'counts' that are not the text of pycocotools")
    return runs
