"""Precision, recall and F1 against the confidence threshold, and the threshold where F1 is best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightdet.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lightdet.evaluation.matching import Match, match
from lightdet.structures import Annotation, Detections


@dataclass(frozen=True)
class Operating:
    """The counts at a confidence threshold, and the rates that follow from them."""

    threshold: float
    found: int
    """Ground-truth boxes matched by a detection at or above the threshold."""
    alarms: int
    """Detections at or above the threshold, correct or not."""
    boxes: int
    """Ground-truth boxes."""

    @property
    def precision(self) -> float:
        """Share of the alarms that are correct; 0 if there is no alarm."""
        return self.found / self.alarms if self.alarms else 0.0

    @property
    def recall(self) -> float:
        """Share of the boxes that are found; 0 if there is no box."""
        return self.found / self.boxes if self.boxes else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two: ``2 found / (alarms + boxes)``."""
        return 2 * self.found / (self.alarms + self.boxes) if self.alarms + self.boxes else 0.0


@dataclass(frozen=True, eq=False)
class Curve:
    """Detections of one class, or of all pooled, against the ground truth; exact, not sampled.

    Attributes:
        scores: float32 ``[D]``, not increasing; crowd-ignored detections are left out.
        right: bool ``[D]``, the detection matches a box.
        boxes: how many ground-truth boxes there are.
    """

    scores: FloatArray
    right: BoolArray
    boxes: int

    def at(self, threshold: float) -> Operating:
        """Count what remains at `threshold` (scores of at least that)."""
        kept = int(np.searchsorted(-self.scores, -np.float32(threshold), side="right"))
        return Operating(float(threshold), int(self.right[:kept].sum()), kept, self.boxes)

    def sample(self, thresholds: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Precision, recall and F1, float64 ``[T]`` each, at `thresholds` ``[T]``."""
        kept = np.searchsorted(-self.scores, -thresholds.astype(np.float32), side="right")
        found = np.concatenate([[0], np.cumsum(self.right)])[kept].astype(np.float64)
        precision = np.divide(found, kept, out=np.zeros(len(kept)), where=kept > 0)
        total = kept + self.boxes
        f1 = np.divide(2 * found, total, out=np.zeros(len(kept)), where=total > 0)
        return precision, found / max(self.boxes, 1), f1

    def best(self) -> Operating:
        """Return the operating point with the highest F1; among equals, the one that finds more.

        The threshold is the roundest number that keeps exactly those detections, so that it can be typed.
        Without a correct detection every threshold is equally bad: 0.5 is returned.
        """
        if not self.right.any():
            return self.at(0.5)
        found = np.cumsum(self.right)
        f1 = 2 * found / (np.arange(1, len(found) + 1) + self.boxes)
        # A threshold fits between two detections only where the score drops.
        last = np.append(self.scores[1:] < self.scores[:-1], True)
        best = np.flatnonzero(last & (f1 >= f1[last].max()))[-1]
        below = float(self.scores[best + 1]) if best + 1 < len(self.scores) else 0.0
        return self.at(roundest(below, float(self.scores[best])))


def roundest(low: float, high: float) -> float:
    """Return the number with the fewest decimals in (low, high], the greatest of these."""
    for decimals in range(1, 8):
        scale = float(10**decimals)
        value = math.floor(high * scale) / scale
        # float32 on both sides, because scores are later compared with it in float32.
        if np.float32(low) < np.float32(value) <= np.float32(high):
            return value
    return high


@dataclass(frozen=True, eq=False)
class Curves:
    """The curve of all classes pooled and of each class by itself, at one IoU threshold."""

    overall: Curve
    by_class: tuple[Curve, ...]
    iou: float


def confidence_curves(
    predictions: Sequence[Detections], annotations: Sequence[Annotation], num_classes: int, *, iou: float = 0.5
) -> Curves:
    """Match every picture and gather the curves.

    Pooled means every box counts equally, whatever its class: the pooled precision is the share of correct alarms
    among all alarms. (mAP is the other kind: a mean over classes.)
    """
    matches = [match(found, truth, iou=iou) for found, truth in zip(predictions, annotations, strict=True)]
    return curves_of(matches, predictions, annotations, num_classes, iou)


def curves_of(
    matches: Sequence[Match],
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    iou: float,
) -> Curves:
    """Gather the curves of pictures that are already matched (by class, at `iou`)."""
    counted = [~m.ignored for m in matches]
    scores = _join([p.scores[c] for p, c in zip(predictions, counted, strict=True)], np.float32)
    labels = _join([p.labels[c] for p, c in zip(predictions, counted, strict=True)], np.int64)
    right = _join([m.truth[c] >= 0 for m, c in zip(matches, counted, strict=True)], np.bool_)
    truths = _join([a.labels[~m.crowd] for a, m in zip(annotations, matches, strict=True)], np.int64)
    order = np.argsort(-scores, kind="stable")
    scores, labels, right = scores[order], labels[order], right[order]
    boxes: IntArray = np.bincount(truths, minlength=num_classes)
    by_class = tuple(
        Curve(scores[labels == label], right[labels == label], int(boxes[label])) for label in range(num_classes)
    )
    return Curves(Curve(scores, right, len(truths)), by_class, iou)


def _join(parts: Sequence[AnyArray], kind: type[np.generic]) -> AnyArray:
    return np.concatenate([np.zeros(0, kind), *parts])
