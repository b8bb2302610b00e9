"""The default anchors of every network with anchors."""

from __future__ import annotations

from collections.abc import Sequence

# YOLOv5's published anchors in pixels at a 640 input, by stride 8, 16, 32.
ANCHORS_640 = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)
# At stride 4 those of stride 8 at half the size: they stay within four times of a box of 2 pixels.
FINE_640 = tuple((w / 2, h / 2) for w, h in ANCHORS_640[0])


def default_anchors(imgsz: int, strides: Sequence[int] = (8, 16, 32)) -> list[list[list[float]]]:
    """YOLOv5's anchors scaled to `imgsz`, with smaller ones if `strides` begin at 4."""
    levels = (FINE_640, *ANCHORS_640) if 4 in strides else ANCHORS_640
    return [[[w * imgsz / 640, h * imgsz / 640] for w, h in level] for level in levels]
