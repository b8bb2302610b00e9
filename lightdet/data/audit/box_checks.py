"""Oddities of boxes that are valid one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lightdet.arrays import FloatArray
from lightdet.data.audit.findings import Finding, Severity
from lightdet.data.formats.label_file import LabelFile
from lightdet.geometry.boxes import box_area
from lightdet.geometry.nms import overlap_areas

TINY = 4.0
"""A box with a side below this many input pixels covers less than half a cell of the finest grid."""
HUGE = 0.98
"""From this share of the picture on, a box counts as covering it."""
SAME_PLACE = 0.9
"""From this IoU on, two boxes count as marking the same place."""


def check_boxes(image: Path, labels: LabelFile, split: str, imgsz: int) -> Iterator[Finding]:
    """Check the usable boxes of one picture: overstepping, too small, too large, given twice."""
    path = labels.path or image

    def finding(kind: str, severity: Severity, message: str, line: int) -> Finding:
        text = message if path.stem == image.stem else f"{image.name}: {message}"
        return Finding(kind, severity, text, split, path, line or None)

    for line in labels.slips:
        yield finding("slip", "warning", "the box oversteps the border by up to a pixel; it is cut there", line)
    boxes = np.array(labels.boxes, np.float32).reshape(-1, 4)
    scale = imgsz / max(labels.size)
    sides = (boxes[:, 2:] - boxes[:, :2]) * scale
    for index in np.flatnonzero(sides.min(axis=1, initial=np.inf) < TINY):
        width, height = sides[index]
        message = f"the box is {width:.1f} x {height:.1f} pixels at --imgsz {imgsz}, too small to be found"
        yield finding("tiny", "warning", message, labels.lines[index])
    whole = labels.size[0] * labels.size[1]
    for index in np.flatnonzero(box_area(boxes) >= HUGE * whole):
        share = 100 * box_area(boxes[index]) / whole
        message = f"the box covers {share:.0f} % of the picture"
        yield finding("huge", "note", message, labels.lines[index])
    for first, second, overlap in _pairs_in_one_place(boxes, np.array(labels.crowd, np.bool_)):
        names = [labels.classes[labels.labels[index]] for index in (first, second)]
        before = f"line {labels.lines[first]}" if labels.lines[first] else f"box {first + 1}"
        if names[0] == names[1] and np.array_equal(boxes[first], boxes[second]):
            message = f"the same '{names[0]}' box is already in {before}"
            yield finding("duplicate-box", "warning", message, labels.lines[second])
        else:
            what = "one class" if names[0] == names[1] else f"classes '{names[0]}' and '{names[1]}'"
            message = f"the box marks the place of {before} again (IoU {overlap:.2f}, {what})"
            yield finding("same-place", "warning", message, labels.lines[second])


def _pairs_in_one_place(boxes: FloatArray, crowd: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Yield (earlier, later, IoU) once for each box that marks the place of an earlier one."""
    areas = box_area(boxes)
    for later in range(1, len(boxes)):
        inter = overlap_areas(boxes[later], boxes[:later])
        overlap = np.where(crowd[:later], 0.0, inter / (areas[:later] + areas[later] - inter))
        earlier = int(overlap.argmax())
        if overlap[earlier] >= SAME_PLACE and not crowd[later]:
            yield earlier, later, float(overlap[earlier])
