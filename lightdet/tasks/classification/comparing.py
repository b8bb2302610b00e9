"""Classifiers compared: scored on every split, shown by the pictures that they get wrong."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.tasks.comparing import ORDER, Mark

if TYPE_CHECKING:
    from lightdet.classification.report import ClassifyEvaluation
    from lightdet.comparison.classifier_view import ClassifierView
    from lightdet.comparison.results import Run
    from lightdet.config.classification import ClassifyConfig, ClassifyEvalConfig
    from lightdet.data.spec import DatasetSpec
    from lightdet.structures import ImageLabel


class ClassificationComparing:
    """See `lightdet.tasks.comparing.Comparing`."""

    called, labels, weights = "network", "classes", ""
    packages: tuple[str, ...] = ("lightdet", "torch", "torchvision", "numpy", "scikit-learn")

    def default_split(self, spec: DatasetSpec) -> str:
        """``test``, else ``val``."""
        return next((name for name in reversed(ORDER) if name in spec.splits), next(iter(spec.splits)))

    def splits(self, spec: DatasetSpec, split: str, *, trains: bool) -> tuple[list[str], list[str]]:
        """Training, validation and test if they exist, and the one asked for: all are scored."""
        found = list(dict.fromkeys([*(name for name in ORDER if name in spec.splits), split]))
        return found, found

    def check(self, config: ClassifyConfig, classes: int) -> None:
        """One logit is for two classes."""
        from lightdet.assembly.classifier import logits_for  # noqa: PLC0415

        logits_for(config.model, classes)

    def fingerprint(self, truths: Sequence[ImageLabel], classes: int) -> dict[str, Any]:
        """Pictures, how many of each class, which ones, bytes of the files."""
        kinds = [each.label for each in truths]
        return {
            "pictures": len(truths),
            "classes": [kinds.count(number) for number in range(classes)],
            "names": zlib.crc32("\n".join(f"{each.image.name} {each.label}" for each in truths).encode()),
            "bytes": sum(each.image.stat().st_size for each in truths),
        }

    def tell(self, mark: Mark) -> str:
        """Pictures by class."""
        return f"{mark['pictures']} pictures ({', '.join(map(str, mark['classes']))} by class)"

    def sheet(self, truths: Sequence[ImageLabel], classes: int, count: int) -> list[int]:
        """None: the choice depends on the mistakes."""
        return []

    def shown(self, evaluation: ClassifyEvaluation, sheet: Sequence[ImageLabel]) -> list[dict[str, Any]]:
        """The mistakes."""
        taken = evaluation.shares.argmax(axis=1)
        truth = np.array([each.label for each in evaluation.labels])
        return [
            {
                "image": str(evaluation.labels[index].image),
                "is": evaluation.names[truth[index]],
                "taken": evaluation.names[taken[index]],
                "probability": round(float(evaluation.shares[index, taken[index]]), 4),
            }
            for index in np.flatnonzero(taken != truth).tolist()
        ]

    def run(
        self,
        label: str,
        seed: int | None,
        result: Mapping[str, Any],
        split: str,
        file: Path,
        history: Sequence[Mapping[str, float]],
        sheet: Sequence[ImageLabel],
        names: tuple[str, ...],
    ) -> Run:
        """With what its curves show."""
        from lightdet.classification.fit import judge_fit  # noqa: PLC0415
        from lightdet.comparison.results import Run  # noqa: PLC0415

        epochs = [{**row, "epoch": int(row["epoch"])} for row in history]
        fit = judge_fit(epochs) if epochs else None
        return Run(label, seed, result["splits"], history, result["shown"], fit=fit)

    def view(self, sheet: Sequence[ImageLabel], splits: tuple[str, ...], split: str, pictures: int) -> ClassifierView:
        """Every measure over the splits."""
        from lightdet.comparison.classifier_view import ClassifierView  # noqa: PLC0415

        return ClassifierView(splits, split, pictures)

    def unmeasured(self, val: Sequence[ImageLabel]) -> str | None:
        """No pictures of two classes."""
        from lightdet.assembly.classifier_training import unmeasured_classes  # noqa: PLC0415

        return unmeasured_classes(val)

    def title(self, spec: DatasetSpec, split: str) -> str:
        """Over all splits."""
        return f"Comparison of classifiers on {spec.name}"

    def scored(self, split: str, marks: Mapping[str, Mark], evaluations: Sequence[ClassifyEvalConfig]) -> str:
        """The pictures of every split, and the confidence of the intervals."""
        counts = ", ".join(f"{mark['pictures']} in {name}" for name, mark in marks.items())
        levels = " or ".join(f"{100 * level:g}" for level in sorted({each.intervals for each in evaluations}))
        return (
            f"the same pictures ({counts}); short tables and charts show '{split}'. Intervals hold the true value with "
            f"{levels} % confidence."
        )

    def data_facts(self, spec: DatasetSpec, split: str, marks: Mapping[str, Mark]) -> dict[str, str]:
        """Every split, by class."""
        found = {}
        for name, mark in marks.items():
            each = ", ".join(f"{count} {kind}" for count, kind in zip(mark["classes"], spec.classes, strict=True))
            found[name] = f"{mark['pictures']} pictures ({each})"
        return found

    def data_details(self, split: str, marks: Mapping[str, Mark]) -> dict[str, Any]:
        """Every split."""
        return {"splits": {name: dict(mark) for name, mark in marks.items()}}
