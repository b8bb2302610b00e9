"""Classifiers cross-validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.crossval.results import Figure

if TYPE_CHECKING:
    from lightdet.arrays import AnyArray, IntArray
    from lightdet.structures import Classification as ClassProbabilities
    from lightdet.structures import ImageLabel


class ClassificationFolding:
    """See `lightdet.tasks.folding.Folding`."""

    def classes_in(self, truth: ImageLabel) -> IntArray:
        """Its class."""
        return np.array([truth.label], np.int64)

    def figures(self, metrics: Mapping[str, Any]) -> list[Figure]:
        """Accuracy, and means over the classes."""
        macro = metrics["macro"]
        return [
            Figure("accuracy", "accuracy", metrics["accuracy"]["value"]),
            Figure("balanced_accuracy", "balanced accuracy", metrics["balanced_accuracy"]["value"]),
            *(
                Figure(key, title, macro[key]["value"])
                for key, title in (("precision", "precision"), ("recall", "recall"), ("f1", "F1"), ("auc", "AUC"))
            ),
        ]

    def by_class(self, metrics: Mapping[str, Any]) -> tuple[str, dict[str, float | None]]:
        """Recall: the share of its pictures that is recognized."""
        return "recall", {name: each["recall"]["value"] for name, each in metrics["per_class"].items()}

    def packed(self, found: Sequence[ClassProbabilities]) -> dict[str, AnyArray]:
        """A row of probabilities for each picture."""
        return {
            "probabilities": np.stack([each.probabilities for each in found]),
            "sizes": np.array([each.size for each in found], np.int64).reshape(-1, 2),
        }

    def unpacked(self, arrays: Mapping[str, AnyArray], names: tuple[str, ...]) -> list[ClassProbabilities]:
        """One for each row."""
        from lightdet.structures import Classification  # noqa: PLC0415

        sizes = [(int(width), int(height)) for width, height in arrays["sizes"]]
        rows = zip(arrays["probabilities"], sizes, strict=True)
        return [Classification(np.ascontiguousarray(row), names, size) for row, size in rows]
