"""Classification: a class for each whole picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lightdet.errors import UserError
from lightdet.tasks.classification_comparing import ClassificationComparing

if TYPE_CHECKING:
    from torch import nn

    from lightdet.arrays import Image, IntArray
    from lightdet.assembly.classifier_training import ClassifyData
    from lightdet.card import ModelCard
    from lightdet.classification.report import ClassifyEvaluation
    from lightdet.config import YamlFile
    from lightdet.config.classification import ClassifyConfig, ClassifyEvalConfig, ClassifyEvaluationConfig
    from lightdet.data.spec import DatasetSpec, LabelKind, OnError
    from lightdet.decisions import ClassRule
    from lightdet.evaluation.report.summary import Summary
    from lightdet.explain.answers import ClassifierAnswers, ExplainRequest
    from lightdet.export.network import Deployable
    from lightdet.export.proof import Proof
    from lightdet.export.request import ExportRequest
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.export_card import ExportCard
    from lightdet.inference.save import Writer
    from lightdet.inference.save_decisions import ClassDecisionWriter
    from lightdet.structures import Classification as ClassProbabilities
    from lightdet.structures import ImageLabel, Preprocessing
    from lightdet.training.trainer import Trainer

FOREIGN = frozenset(
    {
        "confidence",
        "iou",
        "max_detections",
        "agnostic",
        "rect",
        "tile",
        "overlap",
        "nms",
        "min_size",
        "box",
        "predictions",
    }
)
"""Options of detection alone."""


class Classification:
    """The task of giving each picture a class; see `lightdet.tasks.task.Task`."""

    name: Literal["classify"] = "classify"
    noun = "classifier"
    label_kind: LabelKind = "class"
    comparing = ClassificationComparing()
    stages = ("preprocess", "network")
    packages = ("lightdet", "scikit-learn", "torch", "numpy")
    formats = ("json", "csv")
    headline, headline_key = "accuracy", "accuracy"
    score_column, score_words = "val_balanced_accuracy", "balanced accuracy"
    fingerprinted = "pictures or labels"
    enough_steps = None
    proof_batch = 1
    count_heading = "pictures"
    unseen = "the model is sure of nothing bad in"
    certain = "the model is sure of a defect in"

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

    def evaluation_settings(self, overrides: Sequence[str]) -> ClassifyEvaluationConfig:
        """Batch and the confidence of the intervals."""
        from lightdet.config import YamlFile, validate  # noqa: PLC0415
        from lightdet.config.classification import ClassifyEvaluationConfig  # noqa: PLC0415

        return validate(ClassifyEvaluationConfig, YamlFile({}), overrides)

    def thresholds(self, settings: ClassifyEvalConfig) -> dict[str, Any]:
        """Nothing is left out by a threshold."""
        return {}

    def settings_facts(
        self, settings: ClassifyEvalConfig, *, across_classes: bool
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The metrics name the confidence of their intervals themselves."""
        return {}, {}

    def in_order(self, found: ClassProbabilities, order: IntArray, names: tuple[str, ...]) -> ClassProbabilities:
        """The probabilities change places."""
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
        """Accuracy and its company with intervals, and how the training went, if its results.csv lies beside."""
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
        """With the wrong pictures, the surest mistakes first."""
        from lightdet.classification.report import write_class_report  # noqa: PLC0415

        return write_class_report(folder, evaluation, load, pictures=pictures)

    def summary(self, evaluation: ClassifyEvaluation) -> Summary:
        """By class, the confusion, and the headline."""
        from lightdet.classification.report.summary import summarize_classes  # noqa: PLC0415

        return summarize_classes(evaluation.metrics, evaluation.names, evaluation.history)

    def tell_count(self, total: int) -> str:
        """Each picture has one class, so there is no other number."""
        return " judged"

    def writer(self, form: str, folder: Path, names: tuple[str, ...], rule: ClassRule | None) -> Writer:
        """JSON or CSV."""
        from lightdet.inference.save_classes import ClassCsvWriter  # noqa: PLC0415

        path = folder / f"detections.{form}"
        return self.json_writer(path, rule) if form == "json" else ClassCsvWriter(path, names, rule)

    def json_writer(self, path: Path, rule: ClassRule | None) -> Writer:
        """Probabilities by picture."""
        from lightdet.inference.save_classes import ClassJsonWriter  # noqa: PLC0415

        return ClassJsonWriter(path, rule)

    def decision_writer(self, rule: ClassRule, path: Path | None) -> ClassDecisionWriter:
        """With the bad class that matters, and its probability."""
        from lightdet.inference.save_decisions import ClassDecisionWriter  # noqa: PLC0415

        return ClassDecisionWriter(rule, path)

    def drawing(self, rule: ClassRule | None) -> Callable[[Image, ClassProbabilities, bool], Image]:
        """A frame in the colour of the class, or of OK and NG, with what that goes by."""
        from lightdet.drawing import draw_judged_class, draw_picture_class  # noqa: PLC0415

        def draw(image: Image, found: ClassProbabilities, still: bool) -> Image:
            if rule is None:
                return draw_picture_class(image, found.label, f"{found.name} {found.probability:.2f}")
            decision = rule.decide(found)
            return draw_judged_class(image, decision.ok, decision.caption())

        return draw

    def marked(self, image: Image, found: ClassProbabilities, rule: ClassRule) -> Image:
        """A frame with OK or NG, and what that goes by."""
        return self.drawing(rule)(image, found, True)

    def header(self, predictor: ClassifierPredictor, *, tile: int | None, overlap: float) -> dict[str, Any]:
        """The task, so that a reader knows what each result holds."""
        return {"task": self.name}

    def network(self, path: Path) -> tuple[nn.Module, ModelCard]:
        """A classifier."""
        from lightdet.assembly.classifier import load_classifier  # noqa: PLC0415

        network, _, card = load_classifier(path)
        return network, card

    def check_side(self, card: ModelCard, path: Path, imgsz: int | None, *, any_size: bool = False) -> None:
        """Networks with dense layers behind the last map take their training's side alone."""
        from lightdet.assembly.classifier import card_config, fixed_size  # noqa: PLC0415

        side, config = card.preprocessing.imgsz, card_config(card, path)
        if fixed_size(config) and (any_size or imgsz not in (None, side)):
            more = " and --dynamic-size" if any_size else ""
            raise UserError(
                f"takes pictures of {side} pixels alone ({config.name}): leave out --imgsz{more}", path=path
            )

    def deployable(self, network: Any, preprocessing: Preprocessing, request: ExportRequest) -> Deployable:
        """With probabilities in the place of logits."""
        from lightdet.export.classifier import deployable_classifier  # noqa: PLC0415

        onnx = request.kind == "onnx"
        half = onnx and request.precision == "fp16"
        return deployable_classifier(network, preprocessing, layout="planar" if onnx else "interleaved", half=half)

    def complete_graph(self, traced: Any, request: ExportRequest) -> Any:
        """Nothing comes after the probabilities."""
        return traced

    def outputs(self, deploy: Deployable, request: ExportRequest) -> dict[str, Any]:
        """Probabilities."""
        return {"outputs": deploy.outputs}

    def quantized_nodes(self) -> Sequence[str]:
        """Dense layers, too."""
        from lightdet.export.classifier import QUANTIZED  # noqa: PLC0415

        return QUANTIZED

    def prove(self, run: Callable[..., list[Any]], card: ExportCard, precision: str) -> Proof:
        """The same probabilities."""
        from lightdet.export.proof import prove_probabilities  # noqa: PLC0415

        return prove_probabilities(run, precision)

    def headline_score(
        self, truths: list[ImageLabel], found: list[ClassProbabilities], names: tuple[str, ...]
    ) -> float | None:
        """The share of pictures that are classified correctly."""
        return float(np.mean([truth.label == each.label for truth, each in zip(truths, found, strict=True)]))

    def training_data(
        self, config: ClassifyConfig, spec: DatasetSpec, *, on_error: OnError, progress: Callable[[int, int], None]
    ) -> ClassifyData:
        """Pictures with a class each."""
        from lightdet.assembly.classifier_training import load_classify_data  # noqa: PLC0415

        return load_classify_data(config, spec, on_error=on_error, progress=progress)

    def trainer(self, config: ClassifyConfig, data: ClassifyData, **settings: Any) -> Trainer:
        """A classifier's."""
        from lightdet.assembly.classifier_training import build_classify_trainer  # noqa: PLC0415

        return build_classify_trainer(config, data, **settings)

    def check_start(self, weights: Path) -> None:
        """A configuration names them."""
        raise UserError(
            "--weights begins detectors; of classifiers, those of torchvision (mobilenet_v2, resnet18, "
            "efficientnet_b0) begin with model.pretrained=FILE",
            path=weights,
        )

    def messages(self) -> Any:
        """Classes, loss and accuracy."""
        from lightdet.classification import training_messages  # noqa: PLC0415

        return training_messages

    def way_to_train_on(self, config: ClassifyConfig, last: Path) -> str:
        """With its weights, where the network takes some."""
        from lightdet.config.classification import TorchvisionClassifierConfig  # noqa: PLC0415

        if isinstance(config.model, TorchvisionClassifierConfig):
            return f"to train on, begin another with its weights: model.pretrained={last} --output ANOTHER"
        return "to train longer, begin anew with more --epochs and --overwrite, or with another --output"

    def profiled_thresholds(self, confidence: float) -> dict[str, Any]:
        """Nothing is left out by a score."""
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
        """With two classes, good and bad, unless told otherwise."""
        from lightdet.assembly.classifier import build_classifier  # noqa: PLC0415
        from lightdet.classification.runtime import TorchClassRuntime  # noqa: PLC0415
        from lightdet.inference.classifier import ClassifierPredictor  # noqa: PLC0415
        from lightdet.structures import Preprocessing  # noqa: PLC0415

        names = tuple(f"class {index}" for index in range(classes or 2))
        network = build_classifier(config.model, len(names), config.imgsz)
        preprocessing = Preprocessing(config.imgsz, gray=config.gray)
        runtime = TorchClassRuntime(network, names, preprocessing, device=device, precision=precision, threads=threads)
        return ClassifierPredictor(runtime)

    def explainer(self, request: ExplainRequest, *, device: Any, rect: bool) -> ClassifierAnswers:
        """By classes; where the model brings a rule of OK and NG, by the bad class that it goes by."""
        from lightdet.decisions import ClassRule  # noqa: PLC0415
        from lightdet.explain.answers import ClassifierAnswers  # noqa: PLC0415
        from lightdet.explain.classifier import ClassifierExplainer  # noqa: PLC0415

        path = request.weights
        network, card = self.network(path)
        self.check_side(card, path, request.imgsz)
        preprocessing = card.preprocessing
        explainer = ClassifierExplainer(
            network,
            card.names,
            preprocessing if request.imgsz is None else replace(preprocessing, imgsz=request.imgsz),
            device=device,
            method="grad-cam" if request.method == "grad-cam" else "hires-cam",
        )
        return ClassifierAnswers(explainer, ClassRule.stored(card.decision, card.names, path))

    def uncalibrated_rule(self, spec: DatasetSpec, *, min_size: float, bad: Sequence[str]) -> tuple[ClassRule, str]:
        """A picture is bad by its class."""
        from lightdet.data.bad_classes import bad_classes  # noqa: PLC0415
        from lightdet.decisions import ClassRule  # noqa: PLC0415

        names, origin = bad_classes(spec, bad)
        return ClassRule(names), origin

    def check_dataset(self, spec: DatasetSpec) -> None:
        """One class per picture is needed."""
        if spec.label_kind != self.label_kind:
            raise UserError(
                f"marks boxes (format: {spec.format}), and a classifier needs a data set with one class per picture "
                "(format folders or csv)",
                path=spec.path,
            )


CLASSIFICATION = Classification()
