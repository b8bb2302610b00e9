"""The boxes that a person says are right: checked against the picture and the model before they are recorded."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lightdet.data.formats.label_file import MIN_SIDE
from lightdet.web.errors import RefusalError

MOST_BOXES = 1000
"""Of one correction."""
_SLACK = 0.01
"""Pixels that a box may lie outside, which are cut off: a model's own boxes are rounded to two decimals."""


def checked_boxes(
    record: Mapping[str, Any], decision: str | None, boxes: Sequence[Mapping[str, Any]], names: Collection[str]
) -> list[dict[str, Any]]:
    """Return the boxes as they are recorded: ``{"name", "box": [x1, y1, x2, y2]}`` each, in pixels of the picture.

    Args:
        record: the inspection.
        decision: what the part is said to be, OK, NG or None.
        boxes: ``{"name", "box"}`` each; all that the picture should have.
        names: the classes of the present model; those found in this picture are known as well.

    Raises:
        RefusalError: a box without area, outside the picture or of an unknown class (422); an NG part without a box;
            the inspection is a classifier's.
    """
    if "bad" in record["rule"]:
        raise _refusal("boxes: a classifier judged this picture; leave them out")
    if decision == "NG" and not boxes:
        raise _refusal("boxes: an NG part has at least one; leave boxes out if it is not known where")
    known = {*names, *(each["name"] for each in record["detections"])}
    return [_checked(place, each, record["size"], known) for place, each in enumerate(boxes)]


def _checked(place: int, each: Mapping[str, Any], size: Sequence[int], known: Collection[str]) -> dict[str, Any]:
    name, box = each["name"], [float(value) for value in each["box"]]
    if name not in known:
        raise _refusal(f"boxes.{place}: the model has no class {name!r:.60}; it has {', '.join(sorted(known))}")
    (x1, y1, x2, y2), (width, height) = box, size
    if not all(map(math.isfinite, box)) or min(x1, y1) < -_SLACK or x2 > width + _SLACK or y2 > height + _SLACK:
        raise _refusal(f"boxes.{place}: must lie within the picture of {width} x {height} pixels")
    if x2 - x1 < MIN_SIDE or y2 - y1 < MIN_SIDE:
        raise _refusal(f"boxes.{place}: has no area; write x1, y1, x2, y2 with x1 < x2 and y1 < y2")
    cut = [max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)]
    return {"name": name, "box": cut}


def _refusal(message: str) -> RefusalError:
    return RefusalError(422, "bad_parameter", message)
