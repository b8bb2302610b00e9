"""Numbers that describe a split: pictures, counts by class, sizes of boxes at the network's input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lightdet.arrays import FloatArray, IntArray

SIDE_LIMITS = (8, 16, 32, 64, 128)
"""Limits of the side classes in input pixels; the finest grid has a cell of 8."""


@dataclass
class SplitStatistics:
    """The content of a split.

    Attributes:
        pictures: entries of the split, readable or not.
        counts: by class, ``[C]``: the usable boxes, or the pictures if each has one class.
        sizes: how many pictures have a size (width, height).
        modes: how many pictures have a format and pixel layout, such as ``JPEG L``.
    """

    pictures: int
    counts: IntArray
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)

    def as_dict(self, classes: Sequence[str]) -> dict[str, object]:
        """Return plain values ready for JSON."""
        by_class = {name: {"pictures": int(count)} for name, count in zip(classes, self.counts, strict=True)}
        return {"pictures": self.pictures, "classes": by_class, **self._kinds()}

    def _kinds(self) -> dict[str, object]:
        return {
            "picture_sizes": [{"size": list(size), "pictures": n} for size, n in self.sizes.most_common(20)],
            "picture_kinds": dict(self.modes.most_common()),
        }


@dataclass(kw_only=True)
class BoxStatistics(SplitStatistics):
    """The further content of a split with boxes.

    Attributes:
        background: pictures without a box.
        with_class: pictures that show a class, ``[C]``.
        sides: ``sqrt(area)`` of every box in input pixels, ``[N]``.
    """

    background: int
    with_class: IntArray
    sides: FloatArray

    def side_percentiles(self) -> dict[str, float]:
        """5th, 50th and 95th percentile of the sides; empty without boxes."""
        if not len(self.sides):
            return {}
        return {f"p{p}": round(float(np.percentile(self.sides, p)), 1) for p in (5, 50, 95)}

    def side_shares(self) -> list[float]:
        """Share of the boxes in each side class: below 8, 8 to 16, ..., above 128 pixels."""
        if not len(self.sides):
            return [0.0] * (len(SIDE_LIMITS) + 1)
        counts = np.bincount(np.digitize(self.sides, SIDE_LIMITS), minlength=len(SIDE_LIMITS) + 1)
        return [float(share) for share in counts / len(self.sides)]

    def as_dict(self, classes: Sequence[str]) -> dict[str, object]:
        """Return plain values ready for JSON."""
        limits = [0, *SIDE_LIMITS, None]
        return {
            "pictures": self.pictures,
            "background": self.background,
            "boxes": int(self.counts.sum()),
            "classes": {
                name: {"boxes": int(self.counts[i]), "pictures": int(self.with_class[i])}
                for i, name in enumerate(classes)
            },
            "box_side_at_imgsz": {
                **self.side_percentiles(),
                "shares": [
                    {"from": limits[i], "to": limits[i + 1], "share": round(share, 4)}
                    for i, share in enumerate(self.side_shares())
                ],
            },
            **self._kinds(),
        }


def box_statistics(
    labelled: Sequence[tuple[tuple[int, int], FloatArray, IntArray]], pictures: int, classes: int, imgsz: int
) -> BoxStatistics:
    """Count; `labelled` holds for each readable picture its size, boxes ``[N, 4]`` and labels ``[N]``."""
    boxes, with_class = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    sides = [np.zeros(0, np.float32)]
    for size, corners, labels in labelled:
        boxes += np.bincount(labels, minlength=classes)
        with_class[np.unique(labels)] += 1
        extent = (corners[:, 2:] - corners[:, :2]) * (imgsz / max(size))
        sides.append(np.sqrt(extent[:, 0] * extent[:, 1]).astype(np.float32))
    return BoxStatistics(
        pictures,
        boxes,
        Counter(size for size, _, _ in labelled),
        background=sum(not len(labels) for _, _, labels in labelled),
        with_class=with_class,
        sides=np.concatenate(sides),
    )


def class_statistics(labelled: Sequence[tuple[tuple[int, int], int]], pictures: int, classes: int) -> SplitStatistics:
    """Count a split whose pictures have one class each; `labelled` holds size and class of each readable picture."""
    counts = np.bincount(np.array([label for _, label in labelled], np.int64), minlength=classes).astype(np.int64)
    return SplitStatistics(pictures, counts, Counter(size for size, _ in labelled))
