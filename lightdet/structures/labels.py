"""What a data set says of its pictures: boxes, or a class of the whole picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

    def renumbered(self, order: Sequence[int], unmarked: Sequence[int] = ()) -> Annotation:
        """Return it with ``order[label]`` for each label; boxes where that is -1 are left out.

        Args:
            order: the new label for each.
            unmarked: new labels that nobody marked in this picture; see `unmarked`.
        """
        labels: IntArray = np.asarray(order, np.int64)[self.labels]
        kept = self.only(labels >= 0)
        return replace(kept, labels=labels[labels >= 0])._with_unmarked(unmarked)

    @property
    def unmarked(self) -> tuple[int, ...]:
        """The classes that nobody marked in this picture: their boxes may be anywhere, or nowhere.

        Such a class has a crowd region as large as the picture: nothing is learned from it, and the metric ignores what
        is found there.
        """
        return tuple(int(label) for label in self.labels[self._whole()])

    def corrected(self, later: Annotation, marked: Collection[int]) -> Annotation:
        """Return it with the boxes of `later`, of the same picture, for the classes `marked` there."""
        theirs = np.isin(later.labels, list(marked))
        own, new = self.only(~np.isin(self.labels, list(marked))), later.only(theirs)
        return own._with(new.boxes, new.labels, crowd=new.crowd)

    def completed(self, boxes: FloatArray, labels: IntArray) -> Annotation:
        """Return it with more boxes ``[N, 4]`` and labels ``[N]``, and no class is `unmarked` any more."""
        return self.only(~self._whole())._with(boxes, labels)

    def _whole(self) -> BoolArray:
        """Bool ``[N]``: crowd regions as large as the picture."""
        if self.crowd is None:
            return np.zeros(len(self), np.bool_)
        whole: BoolArray = self.crowd & (self.boxes == np.array([0, 0, *self.size], np.float32)).all(axis=1)
        return whole

    def only(self, kept: BoolArray) -> Annotation:
        """Return it with these of its boxes, bool ``[N]``."""
        return replace(
            self,
            boxes=self.boxes[kept],
            labels=self.labels[kept],
            crowd=None if self.crowd is None else self.crowd[kept],
            lines=tuple(line for line, keep in zip(self.lines, kept, strict=True) if keep) if self.lines else (),
            area=None if self.area is None else self.area[kept],
        )

    def _with_unmarked(self, labels: Sequence[int]) -> Annotation:
        if not labels:
            return self
        boxes = np.array([[0, 0, *self.size]] * len(labels), np.float32)
        return self._with(boxes, np.array(labels, np.int64), crowd=np.ones(len(labels), np.bool_))

    def _with(self, boxes: FloatArray, labels: IntArray, crowd: BoolArray | None = None) -> Annotation:
        """Put boxes ``[N, 4]`` of any origin at the end."""
        flags = self.crowd
        if crowd is not None or flags is not None:
            flags = np.concatenate(
                [np.zeros(n, np.bool_) if f is None else f for f, n in ((flags, len(self)), (crowd, len(boxes)))]
            )
        sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
        return replace(
            self,
            boxes=np.concatenate([self.boxes, boxes]),
            labels=np.concatenate([self.labels, labels]),
            crowd=flags,
            lines=(*self.lines, *[0] * len(boxes)) if self.lines else (),
            area=None if self.area is None else np.concatenate([self.area, sides.prod(axis=1)]),
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

    @property
    def unmarked(self) -> tuple[int, ...]:
        """None: the picture's one class is known."""
        return ()

    def renumbered(self, order: Sequence[int], unmarked: Sequence[int] = ()) -> ImageLabel:
        """Return it with ``order[label]``; `unmarked` means nothing where a picture has one class."""
        return replace(self, label=int(order[self.label]))

    def corrected(self, later: ImageLabel, marked: Collection[int]) -> ImageLabel:
        """Return `later`, which is about the same picture."""
        return later
