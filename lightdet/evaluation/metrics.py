"""The numbers of one evaluation, as values and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from lightdet.arrays import AnyArray
from lightdet.evaluation.curves import Curves


@dataclass(frozen=True)
class ClassMetrics:
    """One class. Everything but the counts is None if the data set has no box of the class."""

    name: str
    images: int
    """Pictures with at least one box of the class."""
    boxes: int
    """Boxes of the class, crowd regions left out."""
    ap50: float | None
    ap75: float | None
    ap50_95: float | None
    precision: float | None
    """At the common threshold, `Metrics.threshold`; 0 if there is no detection."""
    recall: float | None
    f1: float | None
    best_f1: float | None
    """The class's own best F1, at `best_threshold`."""
    best_threshold: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """Return plain values ready for JSON."""
        return {
            "ap50": self.ap50,
            "ap75": self.ap75,
            "ap50_95": self.ap50_95,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "best_f1": self.best_f1,
            "best_threshold": self.best_threshold,
            "images": self.images,
            "boxes": self.boxes,
        }


@dataclass(frozen=True, eq=False)
class Metrics:
    """The numbers of one evaluation; all lie in 0–1.

    The means run over classes that have ground truth, and are None if none has (pycocotools says -1).

    Attributes:
        map50, map75, map50_95: pycocotools' AP at IoU 0.5, 0.75 and averaged over 0.5:0.05:0.95.
        map_small, map_medium, map_large: the last by box area (below 32², 32² to 96², above, in original pixels).
        recall_100: pycocotools' AR, the mean highest recall over the same IoUs with `max_detections` per picture.
        precision, recall, f1: all boxes pooled, IoU 0.5, at `threshold`: the confidence where pooled F1 is best.
        per_class: in the order of the class list.
        images, background_images, boxes: what was evaluated (crowd regions left out).
        background_alarms: pictures without defects for which something is reported at `threshold`.
        max_detections: the cap of AP, best scores first, for each picture and class.
        pr_curves: float64 ``[C, 101]``, precision at recall 0, 0.01, …, 1 at IoU 0.5; the mean of a row is its ap50.
            -1 throughout for a class without ground truth.
        curves: precision, recall and F1 against confidence.
    """

    map50: float | None
    map75: float | None
    map50_95: float | None
    map_small: float | None
    map_medium: float | None
    map_large: float | None
    recall_100: float | None
    precision: float
    recall: float
    f1: float
    threshold: float
    per_class: tuple[ClassMetrics, ...]
    images: int
    background_images: int
    background_alarms: int
    boxes: int
    max_detections: int
    pr_curves: AnyArray
    curves: Curves

    def as_dict(self) -> dict[str, object]:
        """Return plain values ready for JSON; a number that does not exist is None, never NaN.

        Without any ground-truth box, this includes precision, recall, F1 and the threshold.
        """
        known = self.boxes > 0
        return {
            "map50": self.map50,
            "map75": self.map75,
            "map50_95": self.map50_95,
            "map_small": self.map_small,
            "map_medium": self.map_medium,
            "map_large": self.map_large,
            "average_recall": self.recall_100,
            "precision": self.precision if known else None,
            "recall": self.recall if known else None,
            "f1": self.f1 if known else None,
            "threshold": self.threshold if known else None,
            "per_class": {each.name: each.as_dict() for each in self.per_class},
            "images": self.images,
            "background_images": self.background_images,
            "background_alarms": self.background_alarms,
            "boxes": self.boxes,
            "max_detections": self.max_detections,
        }
