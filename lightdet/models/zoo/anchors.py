"""The default anchors of every network with anchors."""

from __future__ import annotations

# YOLOv5's published anchors in pixels at a 640 input, by stride 8, 16, 32.
ANCHORS_640 = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)


def default_anchors(imgsz: int) -> list[list[list[float]]]:
    """YOLOv5's anchors scaled to `imgsz`."""
    return [[[w * imgsz / 640, h * imgsz / 640] for w, h in level] for level in ANCHORS_640]
