"""Classification: a class for each whole picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.errors import UserError
from lightdet.tasks.classification.comparing import ClassificationComparing
from lightdet.tasks.classification.exporting import ClassificationExporting
from lightdet.tasks.classification.folding import ClassificationFolding
from lightdet.tasks.classification.results import ClassificationResults
from lightdet.tasks.classification.scores import ClassificationScores
from lightdet.tasks.classification.training import ClassificationTraining

if TYPE_CHECKING:
    from torch import nn

    from lightdet.card import ModelCard
    from lightdet.config import YamlFile
    from lightdet.config.classification import ClassifyConfig
    from lightdet.data.spec import DatasetSpec, LabelKind
    from lightdet.decisions import ClassRule
    from lightdet.explaining.answers import ClassifierAnswers
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.options.explain import ExplainOptions


FOREIGN = frozenset(
    {
        "confidence",
        "iou",
        "max_detections",
        "zones",
        "agnostic",
        "rect",
        "tile",
        "overlap",
        "nms",
        "min_size",
        "box",
        "predictions",
        "against",
    }
)
"""Options of detection alone."""


class Classification:
    """The task of giving each picture a class; see `lightdet.tasks.task.Task`."""

    name: Literal["classify"] = "classify"
    noun = "classifier"
    label_kind: LabelKind = "class"
    comparing = ClassificationComparing()
    scores = ClassificationScores()
    results = ClassificationResults()
    exporting = ClassificationExporting()
    training = ClassificationTraining()
    folding = ClassificationFolding()
    stages = ("preprocess", "network")
    unseen = "the model is certain that nothing is bad in"
    certain = "the model is certain of a defect in"

    def configuration(self, file: YamlFile, overrides: Sequence[str] = ()) -> ClassifyConfig:
        """The configuration of a classifier's run."""
        from lightdet.config.classification import load_classify_config  # noqa: PLC0415

        return load_classify_config(file, overrides)

    def check_options(self, given: Mapping[str, object], model: Path | None) -> None:
        """Refuse what belongs to the other task."""
        for name in given:
            if name.lstrip("-").replace("-", "_") in FOREIGN:
                raise UserError(f"{name} belongs to detectors, and {model} is a {self.noun}: leave it out")

    def predictor(self, path: Path, **options: Any) -> ClassifierPredictor:
        """A `ClassifierPredictor`."""
        from lightdet.assembly.classifier_predictor import classifier_predictor  # noqa: PLC0415

        return classifier_predictor(path, **options)

    def network(self, path: Path) -> tuple[nn.Module, ModelCard]:
        """A classifier."""
        from lightdet.assembly.classifier import load_classifier  # noqa: PLC0415

        network, _, card = load_classifier(path)
        return network, card

    def check_side(self, card: ModelCard, path: Path, imgsz: int | None, *, any_size: bool = False) -> None:
        """Networks with dense layers after the last map take only their training's input size."""
        from lightdet.assembly.classifier import card_config, fixed_size  # noqa: PLC0415

        side, config = card.preprocessing.imgsz, card_config(card, path)
        if fixed_size(config) and (any_size or imgsz not in (None, side)):
            more = " and --dynamic-size" if any_size else ""
            raise UserError(f"takes only pictures of {side} pixels ({config.name}): leave out --imgsz{more}", path=path)

    def profiled_thresholds(self, confidence: float) -> dict[str, Any]:
        """No result is dropped for its score."""
        return {}

    def fresh_predictor(
        self,
        config: ClassifyConfig,
        classes: int | None,
        *,
        device: Any,
        precision: str,
        threads: int | None,
        **thresholds: Any,
    ) -> ClassifierPredictor:
        """With two classes, good and bad, by default."""
        from lightdet.assembly.classifier import build_classifier  # noqa: PLC0415
        from lightdet.classification.runtime import TorchClassRuntime  # noqa: PLC0415
        from lightdet.inference.classifier import ClassifierPredictor  # noqa: PLC0415
        from lightdet.structures import Preprocessing  # noqa: PLC0415

        names = tuple(f"class {index}" for index in range(classes or 2))
        network = build_classifier(config.model, len(names), config.imgsz)
        preprocessing = Preprocessing(config.imgsz, gray=config.gray)
        runtime = TorchClassRuntime(network, names, preprocessing, device=device, precision=precision, threads=threads)
        return ClassifierPredictor(runtime)

    def explainer(self, options: ExplainOptions, *, device: Any, rect: bool, agnostic: bool) -> ClassifierAnswers:
        """By classes; if the model has an OK/NG rule, by the bad class that decides."""
        from lightdet.decisions import ClassRule  # noqa: PLC0415
        from lightdet.explaining.answers import ClassifierAnswers  # noqa: PLC0415
        from lightdet.explaining.classifier import ClassifierExplainer  # noqa: PLC0415

        path = Path(options.weights)
        network, card = self.network(path)
        self.check_side(card, path, options.imgsz)
        preprocessing = card.preprocessing
        explainer = ClassifierExplainer(
            network,
            card.names,
            preprocessing if options.imgsz is None else replace(preprocessing, imgsz=options.imgsz),
            device=device,
            method="grad-cam" if options.method == "grad-cam" else "hires-cam",
        )
        return ClassifierAnswers(explainer, ClassRule.stored(card.decision, card.names, path))

    def uncalibrated_rule(self, spec: DatasetSpec, *, min_size: float, bad: Sequence[str]) -> tuple[ClassRule, str]:
        """A picture is bad by its class."""
        from lightdet.data.bad_classes import bad_classes  # noqa: PLC0415
        from lightdet.decisions import ClassRule  # noqa: PLC0415

        names, origin = bad_classes(spec, bad)
        return ClassRule(names), origin

    def stored_rule(self, record: object, names: Sequence[str], path: Path) -> ClassRule | None:
        """A rule over probabilities."""
        from lightdet.decisions import ClassRule  # noqa: PLC0415

        return ClassRule.stored(record, names, path)

    def check_dataset(self, spec: DatasetSpec) -> None:
        """One class per picture is needed."""
        if spec.label_kind != self.label_kind:
            raise UserError(
                f"marks boxes (format: {spec.format}), and a classifier needs a data set with one class per picture "
                "(format folders or csv)",
                path=spec.path,
            )


CLASSIFICATION = Classification()
