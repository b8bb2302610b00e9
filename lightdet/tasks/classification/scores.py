"""How a model is scored: classes of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lightdet.arrays import Image, IntArray
    from lightdet.classification.report import ClassifyEvaluation
    from lightdet.config.classification import ClassifyEvalConfig, ClassifyEvaluationConfig
    from lightdet.evaluation.report.summary import Summary
    from lightdet.structures import Classification as ClassProbabilities
    from lightdet.structures import ImageLabel


class ClassificationScores:
    """See `lightdet.tasks.scores.Scores`."""

    packages = ("lightdet", "scikit-learn", "torch", "numpy")
    headline, headline_key = "accuracy", "accuracy"

    def evaluation_settings(self, overrides: Sequence[str]) -> ClassifyEvaluationConfig:
        """Batch and the confidence of the intervals."""
        from lightdet.config import YamlFile, validate  # noqa: PLC0415
        from lightdet.config.classification import ClassifyEvaluationConfig  # noqa: PLC0415

        return validate(ClassifyEvaluationConfig, YamlFile({}), overrides)

    def thresholds(self, settings: ClassifyEvalConfig) -> dict[str, Any]:
        """No threshold drops results."""
        return {}

    def settings_facts(
        self, settings: ClassifyEvalConfig, *, across_classes: bool
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The metrics state the confidence of their intervals themselves."""
        return {}, {}

    def in_order(self, found: ClassProbabilities, order: IntArray, names: tuple[str, ...]) -> ClassProbabilities:
        """The probabilities are reordered."""
        shares = np.zeros(len(names), np.float32)
        shares[order] = found.probabilities
        return replace(found, probabilities=shares, names=names)

    def evaluation(
        self,
        truths: list[ImageLabel],
        found: list[ClassProbabilities],
        names: tuple[str, ...],
        settings: ClassifyEvalConfig,
        source: Path,
        **about: Any,
    ) -> ClassifyEvaluation:
        """Accuracy and related metrics with intervals, and the training's curves if results.csv is beside the model."""
        from lightdet.classification.history import read_history  # noqa: PLC0415
        from lightdet.classification.metrics import evaluate_classes  # noqa: PLC0415
        from lightdet.classification.report import ClassifyEvaluation  # noqa: PLC0415

        shares = np.stack([each.probabilities for each in found])
        labels = np.array([each.label for each in truths], np.int64)
        metrics = evaluate_classes(labels, shares, names, confidence=settings.intervals)
        history = read_history(source.parent / "results.csv")
        return ClassifyEvaluation(metrics=metrics, labels=truths, shares=shares, names=names, history=history, **about)

    def write_report(
        self, folder: Path, evaluation: ClassifyEvaluation, load: Callable[[Path], Image], *, pictures: int
    ) -> tuple[Path, Path]:
        """With the misclassified pictures, the most confident mistakes first."""
        from lightdet.classification.report import write_class_report  # noqa: PLC0415

        return write_class_report(folder, evaluation, load, pictures=pictures)

    def summary(self, evaluation: ClassifyEvaluation) -> Summary:
        """By class, the confusion matrix, and the headline."""
        from lightdet.classification.report.summary import summarize_classes  # noqa: PLC0415

        return summarize_classes(evaluation.metrics, evaluation.names, evaluation.history)

    def headline_score(
        self, truths: list[ImageLabel], found: list[ClassProbabilities], names: tuple[str, ...]
    ) -> float | None:
        """The share of pictures that are classified correctly."""
        return float(np.mean([truth.label == each.label for truth, each in zip(truths, found, strict=True)]))
