"""Detection: boxes in pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.errors import UserError
from lightdet.tasks.detection.comparing import DetectionComparing
from lightdet.tasks.detection.exporting import DetectionExporting
from lightdet.tasks.detection.folding import DetectionFolding
from lightdet.tasks.detection.results import DetectionResults
from lightdet.tasks.detection.scores import DetectionScores
from lightdet.tasks.detection.training import DetectionTraining

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.config import RunConfig, YamlFile
    from lightdet.data.spec import DatasetSpec, LabelKind
    from lightdet.decisions import DecisionRule
    from lightdet.explaining.answers import DetectorAnswers
    from lightdet.inference.predictor import Predictor
    from lightdet.models import DetectionNetwork
    from lightdet.options.explain import ExplainOptions


FOREIGN = frozenset({"bad"})
"""Options of classification alone."""


class Detection:
    """The task of finding boxes; see `lightdet.tasks.task.Task`."""

    name: Literal["detect"] = "detect"
    noun = "detector"
    label_kind: LabelKind = "boxes"
    comparing = DetectionComparing()
    scores = DetectionScores()
    results = DetectionResults()
    exporting = DetectionExporting()
    training = DetectionTraining()
    folding = DetectionFolding()
    stages = ("preprocess", "network", "postprocess")
    unseen = "nothing is found in"
    certain = "a certain defect is seen in"

    def configuration(self, file: YamlFile, overrides: Sequence[str] = ()) -> RunConfig:
        """The configuration of a detector's run."""
        from lightdet.config import load_config  # noqa: PLC0415

        return load_config(file, overrides)

    def check_options(self, given: Mapping[str, object], model: Path | None) -> None:
        """Refuse what belongs to the other task."""
        for name in given:
            if name.lstrip("-").replace("-", "_") in FOREIGN:
                raise UserError(f"{name} belongs to classifiers, and {model} is a {self.noun}: leave it out")

    def predictor(self, path: Path, **options: Any) -> Predictor:
        """A `Predictor`."""
        from lightdet.assembly.detector_predictor import detector_predictor  # noqa: PLC0415

        return detector_predictor(path, **options)

    def network(self, path: Path) -> tuple[DetectionNetwork, ModelCard]:
        """A detector."""
        from lightdet.assembly.detector import load_detector  # noqa: PLC0415

        return load_detector(path)

    def check_side(self, card: ModelCard, path: Path, imgsz: int | None, *, any_size: bool = False) -> None:
        """Detectors take every side that is a multiple of 32."""

    def profiled_thresholds(self, confidence: float) -> dict[str, Any]:
        """The lowest score is where NMS begins."""
        return {"confidence": confidence}

    def fresh_predictor(
        self,
        config: RunConfig,
        classes: int | None,
        *,
        device: Any,
        precision: Any,
        threads: int | None,
        **thresholds: Any,
    ) -> Predictor:
        """With six classes, as in the paper, by default."""
        from lightdet.assembly.detector import build_detector  # noqa: PLC0415
        from lightdet.inference.predictor import Predictor  # noqa: PLC0415
        from lightdet.inference.torch_runtime import TorchRuntime  # noqa: PLC0415
        from lightdet.structures import Preprocessing  # noqa: PLC0415

        names = tuple(f"class {index}" for index in range(classes or 6))
        network = build_detector(config.model, len(names), config.imgsz)
        runtime = TorchRuntime(
            network,
            names,
            Preprocessing(config.imgsz),
            device=device,
            precision=precision,
            threads=threads,
            **thresholds,
        )
        return Predictor(runtime, **thresholds)

    def explainer(self, options: ExplainOptions, *, device: Any, rect: bool, agnostic: bool) -> DetectorAnswers:
        """By boxes."""
        from lightdet.config import EvalConfig  # noqa: PLC0415
        from lightdet.explaining.answers import DetectorAnswers  # noqa: PLC0415
        from lightdet.explaining.detector import DetectorExplainer  # noqa: PLC0415

        path = Path(options.weights)
        detector, card = self.network(path)
        preprocessing, defaults = card.preprocessing, EvalConfig()
        rule = self.stored_rule(card.decision, card.names, path)
        lowest = card.confidence if rule is None else min(card.confidence, rule.lowest_threshold)  # as detect
        return DetectorAnswers(
            DetectorExplainer(
                detector,
                card.names,
                preprocessing if options.imgsz is None else replace(preprocessing, imgsz=options.imgsz),
                confidence=lowest if options.confidence is None else options.confidence,
                iou=defaults.iou if options.iou is None else options.iou,
                max_detections=options.max_detections or defaults.max_detections,
                device=device,
                method="grad-cam" if options.method == "grad-cam" else "hires-cam",
                rect=rect,
                agnostic=agnostic,
            )
        )

    def uncalibrated_rule(self, spec: DatasetSpec, *, min_size: float, bad: Sequence[str]) -> tuple[DecisionRule, str]:
        """A picture is bad if it has boxes, whatever their classes."""
        from lightdet.decisions import DecisionRule  # noqa: PLC0415

        return DecisionRule(min_size=min_size), ""

    def stored_rule(self, record: object, names: Sequence[str], path: Path) -> DecisionRule | None:
        """A rule over boxes."""
        from lightdet.decisions import DecisionRule  # noqa: PLC0415

        return DecisionRule.stored(record, names, path)

    def check_dataset(self, spec: DatasetSpec) -> None:
        """Boxes are needed."""
        if spec.label_kind != self.label_kind:
            raise UserError(
                f"gives each picture a class (format: {spec.format}), and a detector needs boxes: use a classifier "
                "for it, such as --config configs/classify/mobilenet_v2.yaml",
                path=spec.path,
            )


DETECTION = Detection()
