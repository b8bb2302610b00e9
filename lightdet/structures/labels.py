"""What a data set says of its pictures: boxes, or a class of the whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightdet.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lightdet.structures.boxes import check_boxes


@dataclass(frozen=True, eq=False)
class Annotation:
    """One picture's labels as read from a data set; no pixels.

    Attributes:
        image: the picture's path.
        size: ``(width, height)`` in pixels as shown (after EXIF rotation).
        boxes: float32 ``[N, 4]``, the convention of this package.
        labels: int64 ``[N]``, indices into the data set's class list.
        crowd: bool ``[N]``, regions of many objects (COCO ``iscrowd``): not trained on, ignored by the metric.
        source: the label file, and `lines` the 1-based line of each box in it (0 where unknown).
        area: float64 ``[N]``, the object's area in pixels, if the data set gives it (COCO ``area``): the
            metric uses it to tell small from large. None: the boxes' own areas.
    """

    image: Path
    size: tuple[int, int]
    boxes: FloatArray
    labels: IntArray
    crowd: BoolArray | None = None
    source: Path | None = None
    lines: tuple[int, ...] = ()
    area: AnyArray | None = None

    def __post_init__(self) -> None:
        check_boxes(self.boxes, self.labels)
        if min(self.size) <= 0:
            raise ValueError(f"size must be positive, got {self.size}")
        if self.crowd is not None and self.crowd.shape != (len(self.boxes),):
            raise ValueError("crowd must have one flag per box")
        if self.lines and len(self.lines) != len(self.boxes):
            raise ValueError("lines must have one number per box")
        if self.area is not None and self.area.shape != (len(self.boxes),):
            raise ValueError("area must have one number per box")

    def __len__(self) -> int:
        return len(self.boxes)

    def renumbered(self, order: Sequence[int]) -> Annotation:
        """Return it with ``order[label]`` for each label; boxes where that is -1 are left out."""
        labels: IntArray = np.asarray(order, np.int64)[self.labels]
        kept = labels >= 0
        return replace(
            self,
            boxes=self.boxes[kept],
            labels=labels[kept],
            crowd=None if self.crowd is None else self.crowd[kept],
            lines=tuple(line for line, keep in zip(self.lines, kept, strict=True) if keep) if self.lines else (),
            area=None if self.area is None else self.area[kept],
        )


@dataclass(frozen=True)
class ImageLabel:
    """One picture's class as read from a data set with one class per picture; no pixels.

    Attributes:
        image: the picture's path.
        size: ``(width, height)`` in pixels as shown (after EXIF rotation).
        label: index into the data set's class list.
        source: the list or CSV file that names it, and `line` its 1-based line there; None and 0 for folders.
    """

    image: Path
    size: tuple[int, int]
    label: int
    source: Path | None = None
    line: int = 0

    def __post_init__(self) -> None:
        if min(self.size) <= 0:
            raise ValueError(f"size must be positive, got {self.size}")
        if self.label < 0:
            raise ValueError(f"label must not be negative, got {self.label}")
