"""Whether a COCO annotation holds more than its box: for boxes, tools write empty lists or the box's own corners."""

from __future__ import annotations

from typing import Any


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
