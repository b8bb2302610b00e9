"""Detection: boxes in pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.errors import UserError
from lightdet.tasks.detection_comparing import DetectionComparing
from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.arrays import Image, IntArray
    from lightdet.assembly.training_data import TrainingData
    from lightdet.card import ModelCard
    from lightdet.config import EvalConfig, EvaluationConfig, RunConfig, YamlFile
    from lightdet.data.pictures import Pictures
    from lightdet.data.spec import DatasetSpec, LabelKind, OnError
    from lightdet.decisions import DecisionRule
    from lightdet.evaluation.report import Evaluation
    from lightdet.evaluation.report.summary import Summary
    from lightdet.explain.answers import DetectorAnswers, ExplainRequest
    from lightdet.export.network import Deployable
    from lightdet.export.proof import Proof
    from lightdet.export.request import ExportRequest
    from lightdet.inference.export_card import ExportCard
    from lightdet.inference.predictor import Predictor
    from lightdet.inference.save import Writer
    from lightdet.inference.save_decisions import DecisionWriter
    from lightdet.models import DetectionNetwork
    from lightdet.structures import Annotation, Detections, Preprocessing
    from lightdet.training.trainer import Trainer

FOREIGN = frozenset({"bad"})
"""Options of classification alone."""


class Detection:
    """The task of finding boxes; see `lightdet.tasks.task.Task`."""

    name: Literal["detect"] = "detect"
    noun = "detector"
    label_kind: LabelKind = "boxes"
    comparing = DetectionComparing()
    stages = ("preprocess", "network", "postprocess")
    packages = ("lightdet", "pycocotools", "torch", "numpy")
    formats = ("json", "csv", "yolo", "coco")
    headline, headline_key = "mAP@0.5:0.95", "map50_95"
    score_column, score_words = "map50_95", "mAP@0.5:0.95"
    fingerprinted = "pictures or boxes"
    proof_batch = 8
    count_heading = "found"
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
        """Average precision and its company."""
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

    def tell_count(self, total: int) -> str:
        """How many detections."""
        return f": {counted(total, 'detection')}"

    def writer(self, form: Any, folder: Path, names: tuple[str, ...], rule: DecisionRule | None) -> Writer:
        """JSON, CSV, YOLO's labels or COCO."""
        from lightdet.inference.save import make_writer  # noqa: PLC0415

        return make_writer(form, folder, names, rule)

    def json_writer(self, path: Path, rule: DecisionRule | None) -> Writer:
        """Boxes by picture."""
        from lightdet.inference.save import JsonWriter  # noqa: PLC0415

        return JsonWriter(path, rule)

    def decision_writer(self, rule: DecisionRule, path: Path | None) -> DecisionWriter:
        """With the number of defects, and the best score."""
        from lightdet.inference.save_decisions import DecisionWriter  # noqa: PLC0415

        return DecisionWriter(rule, path)

    def drawing(self, rule: DecisionRule | None) -> Callable[[Image, Detections, bool], Image]:
        """Boxes with their names; of a small picture with a strip of names."""
        from lightdet.drawing import draw_detections, draw_verdict  # noqa: PLC0415

        def draw(image: Image, found: Detections, still: bool) -> Image:
            marked = draw_detections(image, found, legend=still)
            return marked if rule is None else draw_verdict(marked, rule.ok(found))

        return draw

    def marked(self, image: Image, found: Detections, rule: DecisionRule) -> Image:
        """The boxes that count."""
        from lightdet.drawing import draw_detections  # noqa: PLC0415

        kept = list(rule.decide(found).defects)
        counting = replace(found, boxes=found.boxes[kept], scores=found.scores[kept], labels=found.labels[kept])
        return draw_detections(image, counting)

    def header(self, predictor: Predictor, *, tile: int | None, overlap: float) -> dict[str, Any]:
        """Thresholds and tiles."""
        return {
            "confidence": predictor.confidence,
            "agnostic": predictor.agnostic,
            "tile": tile,
            "overlap": overlap if tile is not None else None,
        }

    def network(self, path: Path) -> tuple[DetectionNetwork, ModelCard]:
        """A detector."""
        from lightdet.assembly.detector import load_detector  # noqa: PLC0415

        return load_detector(path)

    def check_side(self, card: ModelCard, path: Path, imgsz: int | None, *, any_size: bool = False) -> None:
        """Detectors take every side that is a multiple of 32."""

    def deployable(self, network: Any, preprocessing: Preprocessing, request: ExportRequest) -> Deployable:
        """With the decoding of its grids where NMS is to follow."""
        from lightdet.export.network import deployable  # noqa: PLC0415

        try:
            return deployable(
                network,
                preprocessing,
                layout="planar" if request.kind == "onnx" else "interleaved",
                decode=request.nms,
                sums=request.kind == "openvino" and request.precision != "int8",
                half=request.precision == "fp16" and request.kind == "onnx",
            )
        except NotImplementedError:
            raise UserError("networks of this kind cannot be exported", path=request.weights) from None

    def complete_graph(self, traced: Any, request: ExportRequest) -> Any:
        """NMS, if it is to be in the network."""
        if not request.nms:
            return traced
        from lightdet.export.onnx import add_nms  # noqa: PLC0415

        return add_nms(traced, **_export_thresholds(request), agnostic=request.agnostic)

    def outputs(self, deploy: Deployable, request: ExportRequest) -> dict[str, Any]:
        """Grids and thresholds."""
        return {
            "outputs": "detections" if request.nms else deploy.outputs,
            "anchors": deploy.anchors,
            "strides": deploy.strides,
            "agnostic": request.agnostic,
            **_export_thresholds(request),
        }

    def quantized_nodes(self) -> Sequence[str]:
        """Convolutions and what lies between them."""
        from lightdet.export.quantize import QUANTIZED  # noqa: PLC0415

        return QUANTIZED

    def prove(self, run: Callable[..., list[Any]], card: ExportCard, precision: str) -> Proof:
        """The same detections."""
        from lightdet.export.proof import prove_detections  # noqa: PLC0415

        return prove_detections(run, card, precision)

    def headline_score(self, truths: list[Annotation], found: list[Detections], names: tuple[str, ...]) -> float | None:
        """mAP@0.5:0.95."""
        from lightdet.evaluation.average_precision import evaluate  # noqa: PLC0415

        return evaluate(found, truths, names).map50_95

    def training_data(
        self, config: RunConfig, spec: DatasetSpec, *, on_error: OnError, progress: Callable[[int, int], None]
    ) -> TrainingData[Pictures]:
        """Pictures with boxes."""
        from lightdet.assembly.detector_training import load_training_data  # noqa: PLC0415

        return load_training_data(config, spec, on_error=on_error, progress=progress)

    def trainer(self, config: RunConfig, data: TrainingData[Pictures], **settings: Any) -> Trainer:
        """A detector's."""
        from lightdet.assembly.detector_training import build_trainer  # noqa: PLC0415

        return build_trainer(config, data, **settings)

    def check_start(self, weights: Path) -> None:
        """Any detector's may begin another."""

    def messages(self) -> Any:
        """Boxes, losses and mAP."""
        from lightdet.training import messages  # noqa: PLC0415

        return messages

    @property
    def enough_steps(self) -> int:
        """As measured."""
        from lightdet.training.outlook import ENOUGH_STEPS  # noqa: PLC0415

        return ENOUGH_STEPS

    def way_to_train_on(self, config: RunConfig, last: Path) -> str:
        """With its weights."""
        return f"to train on, begin another with its weights: --weights {last} --output ANOTHER"

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
        """With six classes, as the paper has, unless told otherwise."""
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

    def explainer(self, request: ExplainRequest, *, device: Any, rect: bool) -> DetectorAnswers:
        """By boxes."""
        from lightdet.config import EvalConfig  # noqa: PLC0415
        from lightdet.explain.answers import DetectorAnswers  # noqa: PLC0415
        from lightdet.explain.detector import DetectorExplainer  # noqa: PLC0415

        detector, card = self.network(request.weights)
        preprocessing, defaults = card.preprocessing, EvalConfig()
        return DetectorAnswers(
            DetectorExplainer(
                detector,
                card.names,
                preprocessing if request.imgsz is None else replace(preprocessing, imgsz=request.imgsz),
                confidence=defaults.show_confidence if request.confidence is None else request.confidence,
                iou=defaults.iou if request.iou is None else request.iou,
                max_detections=request.max_detections or defaults.max_detections,
                device=device,
                method="grad-cam" if request.method == "grad-cam" else "hires-cam",
                rect=rect,
            )
        )

    def uncalibrated_rule(self, spec: DatasetSpec, *, min_size: float, bad: Sequence[str]) -> tuple[DecisionRule, str]:
        """A picture is bad by its boxes, whatever their classes."""
        from lightdet.decisions import DecisionRule  # noqa: PLC0415

        return DecisionRule(min_size=min_size), ""

    def check_dataset(self, spec: DatasetSpec) -> None:
        """Boxes are needed."""
        if spec.label_kind != self.label_kind:
            raise UserError(
                f"gives each picture a class (format: {spec.format}), and a detector needs boxes: take a classifier "
                "for it, such as --config configs/classify/mobilenet_v2.yaml",
                path=spec.path,
            )


def _export_thresholds(request: ExportRequest) -> dict[str, Any]:
    from lightdet.config import EvalConfig  # noqa: PLC0415

    defaults = EvalConfig()
    return {
        "confidence": defaults.show_confidence if request.confidence is None else request.confidence,
        "iou": defaults.iou if request.iou is None else request.iou,
        "max_detections": request.max_detections or defaults.max_detections,
    }


DETECTION = Detection()
