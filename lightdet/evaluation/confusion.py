"""The confusion matrix: what each defect was reported as, at one confidence threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightdet.arrays import AnyArray, IntArray
from lightdet.evaluation.matching import FREE, match, match_confusions
from lightdet.structures import Annotation, Detections


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of boxes by true class and by reported class.

    Attributes:
        counts: int64 ``[C + 1, C + 1]``: rows are the truth, columns what was reported. The last column holds missed
            boxes, the last row false alarms on background; their corner is 0.
        threshold: lowest score that counted.
        iou: lowest overlap that counted.
    """

    counts: IntArray
    threshold: float
    iou: float

    def shares(self) -> AnyArray:
        """Float64 ``[C + 1, C + 1]``: each row divided by its sum, 0 where that is 0."""
        totals = self.counts.sum(axis=1, keepdims=True)
        shares: AnyArray = np.divide(self.counts, totals, out=np.zeros(self.counts.shape), where=totals > 0)
        return shares


def confusion_matrix(
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    *,
    threshold: float,
    iou: float = 0.5,
) -> Confusion:
    """Count what every box was reported as.

    Detections are first matched with boxes of their own class, so the diagonal holds exactly the hits that precision
    and recall count; only what is left over is then matched across classes. Crowd regions are left out.

    Args:
        predictions: one for each picture.
        annotations: of the same pictures.
        num_classes: C.
        threshold: lowest score that counts.
        iou: lowest overlap that counts, in (0, 1].
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for prediction, truth in zip(predictions, annotations, strict=True):
        found = prediction.above(threshold)
        matched = match(found, truth, iou=iou)
        other = match_confusions(found, truth, matched, iou=iou)
        box_of = np.where(matched.truth != FREE, matched.truth, other)  # [D], its box, whatever the class
        answered = box_of != FREE
        np.add.at(counts, (truth.labels[box_of[answered]], found.labels[answered]), 1)
        alarms = found.labels[matched.false_alarms & ~answered]
        counts[num_classes] += np.bincount(alarms, minlength=num_classes + 1)
        missed = matched.missed
        missed[other[other != FREE]] = False
        counts[:, num_classes] += np.bincount(truth.labels[missed], minlength=num_classes + 1)
    return Confusion(counts, threshold, iou)
