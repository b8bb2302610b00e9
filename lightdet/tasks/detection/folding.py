"""Detectors cross-validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.crossval.results import Figure

if TYPE_CHECKING:
    from lightdet.arrays import AnyArray, IntArray
    from lightdet.structures import Annotation, Detections

TITLES = {
    "map50": "mAP@0.5",
    "map75": "mAP@0.75",
    "map50_95": "mAP@0.5:0.95",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}


class DetectionFolding:
    """See `lightdet.tasks.folding.Folding`."""

    def classes_in(self, truth: Annotation) -> IntArray:
        """Those of its boxes."""
        found: IntArray = np.unique(truth.labels)
        return found

    def figures(self, metrics: Mapping[str, Any]) -> list[Figure]:
        """Average precision, and both kinds of mistakes where F1 is best."""
        return [Figure(key, title, metrics[key]) for key, title in TITLES.items()]

    def by_class(self, metrics: Mapping[str, Any]) -> tuple[str, dict[str, float | None]]:
        """Average precision."""
        return "AP@0.5", {name: each["ap50"] for name, each in metrics["per_class"].items()}

    def packed(self, found: Sequence[Detections]) -> dict[str, AnyArray]:
        """All boxes in a row, and how many belong to each picture."""
        return {
            "boxes": np.concatenate([np.zeros((0, 4), np.float32), *(each.boxes for each in found)]),
            "scores": np.concatenate([np.zeros(0, np.float32), *(each.scores for each in found)]),
            "labels": np.concatenate([np.zeros(0, np.int64), *(each.labels for each in found)]),
            "counts": np.array([len(each) for each in found], np.int64),
            "sizes": np.array([each.size for each in found], np.int64).reshape(-1, 2),
        }

    def unpacked(self, arrays: Mapping[str, AnyArray], names: tuple[str, ...]) -> list[Detections]:
        """Cut where pictures end."""
        from lightdet.structures import Detections  # noqa: PLC0415

        ends = np.cumsum(arrays["counts"])[:-1]
        boxes, scores, labels = (np.split(arrays[key], ends) for key in ("boxes", "scores", "labels"))
        sizes = [(int(width), int(height)) for width, height in arrays["sizes"]]
        rows = zip(boxes, scores, labels, sizes, strict=True)
        return [Detections(box, score, label, names, size) for box, score, label, size in rows]
