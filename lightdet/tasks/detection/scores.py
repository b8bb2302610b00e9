"""How a model is scored: boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightdet.arrays import Image, IntArray
    from lightdet.config import EvalConfig, EvaluationConfig
    from lightdet.evaluation.report import Evaluation
    from lightdet.evaluation.report.summary import Summary
    from lightdet.structures import Annotation, Detections


class DetectionScores:
    """See `lightdet.tasks.scores.Scores`."""

    packages = ("lightdet", "pycocotools", "torch", "numpy")
    headline, headline_key = "mAP@0.5:0.95", "map50_95"

    def evaluation_settings(self, overrides: Sequence[str]) -> EvaluationConfig:
        """Batch, confidence, overlap and most detections."""
        from lightdet.config import EvaluationConfig, YamlFile, validate  # noqa: PLC0415

        return validate(EvaluationConfig, YamlFile({}), overrides)

    def thresholds(self, settings: EvalConfig) -> dict[str, Any]:
        """Confidence, overlap and most detections."""
        return {name: getattr(settings, name) for name in ("confidence", "iou", "max_detections")}

    def settings_facts(self, settings: EvalConfig, *, across_classes: bool) -> tuple[dict[str, str], dict[str, Any]]:
        """The thresholds."""
        facts = {
            "lowest score": f"{settings.confidence:g}",
            "NMS overlap": f"{settings.iou:g}" + (", across classes" if across_classes else ""),
            "most detections": str(settings.max_detections),
        }
        return facts, {"settings": settings.model_dump(mode="json", exclude={"batch", "show_confidence"})}

    def in_order(self, found: Detections, order: IntArray, names: tuple[str, ...]) -> Detections:
        """The labels become the data set's."""
        found = found.only(order[found.labels] >= 0)
        return replace(found, labels=order[found.labels], names=names)

    def evaluation(
        self,
        truths: list[Annotation],
        found: list[Detections],
        names: tuple[str, ...],
        settings: EvalConfig,
        source: Path,
        **about: Any,
    ) -> Evaluation:
        """Average precision and related metrics."""
        from lightdet.evaluation.average_precision import evaluate  # noqa: PLC0415
        from lightdet.evaluation.report import Evaluation  # noqa: PLC0415

        metrics = evaluate(found, truths, names, sizes=True)
        return Evaluation(metrics=metrics, predictions=found, annotations=truths, names=names, **about)

    def write_report(
        self, folder: Path, evaluation: Evaluation, load: Callable[[Path], Image], *, pictures: int
    ) -> tuple[Path, Path]:
        """With the worst misses and false alarms."""
        from lightdet.evaluation.report import write_report  # noqa: PLC0415

        return write_report(folder, evaluation, load, pictures=pictures)

    def summary(self, evaluation: Evaluation) -> Summary:
        """By class and for all."""
        from lightdet.evaluation.report.summary import summarize  # noqa: PLC0415

        return summarize(evaluation.metrics)

    def headline_score(self, truths: list[Annotation], found: list[Detections], names: tuple[str, ...]) -> float | None:
        """mAP@0.5:0.95."""
        from lightdet.evaluation.average_precision import evaluate  # noqa: PLC0415

        return evaluate(found, truths, names).map50_95
