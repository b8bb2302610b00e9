"""A checkpoint → a file for ONNX Runtime or OpenVINO, written only when it gives the checkpoint's detections."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lightdet.arrays import Image
from lightdet.build.dataset import load_dataset
from lightdet.build.export_request import SUFFIXES, ExportRequest, check_installed, check_request
from lightdet.build.predictor import load, load_detector
from lightdet.build.validation import Validation, ValRequest, class_order
from lightdet.config import EvalConfig
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.evaluation.average_precision import evaluate
from lightdet.files import atomic_path, make_folder
from lightdet.geometry.letterbox import letterbox
from lightdet.inference.export_card import ExportCard
from lightdet.structures import Annotation, Preprocessing

if TYPE_CHECKING:
    from lightdet.export.network import Deployable
    from lightdet.export.parity import Parity, Tolerance
    from lightdet.inference.runtime import RawDetections, Runtime
    from lightdet.models.weights import ModelCard

PROOF_PICTURES = 16
PROOF_BATCH = 8
CANDIDATES = 10_000


@dataclass(frozen=True)
class ExportOutcome:
    """What was written, and how it was proved.

    Attributes:
        path: the file.
        bytes: its size, of both files for OpenVINO.
        card: what it says of itself.
        parity: against the checkpoint; None for 8 bits.
        scores: mAP@0.5:0.95 of checkpoint and file, for 8 bits.
    """

    path: Path
    bytes: int
    card: ExportCard
    parity: Parity | None = None
    scores: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        card = self.card
        return {
            "file": str(self.path),
            "bytes": self.bytes,
            "precision": card.precision,
            "imgsz": card.preprocessing.imgsz,
            "batch": card.batch,
            "dynamic_size": card.dynamic_size,
            "outputs": card.outputs,
            "names": list(card.names),
            **card.facts["proof"],
        }


class Watcher(Protocol):
    """Is told what begins."""

    def stage(self, text: str) -> None:
        """Something that takes a while begins."""
        ...

    def begin(self, pictures: int) -> None:
        """Pictures are about to go through a network."""
        ...

    def step(self, pictures: int) -> None:
        """So many more are done."""
        ...


@dataclass
class _Data:
    """Pictures of the request's data set."""

    proof: list[Image] = field(default_factory=list)
    calibration: list[Image] = field(default_factory=list)


class Export:
    """One request, in two steps: made (what needs no network is checked; quick), then run.

    Raises:
        UserError: flags that exclude each other, a file that is not there, a wrong ending, an extra not installed.
    """

    def __init__(self, request: ExportRequest) -> None:
        self.request = request
        check_request(request)
        self.path = request.output or request.weights.with_suffix(SUFFIXES[request.kind])
        self.spec = load_dataset(request.data, request.data_root) if request.data is not None else None
        if self.spec is not None:
            self.spec.split(request.split)
        check_installed(request)

    def run(self, watcher: Watcher) -> ExportOutcome:
        """Rewrite, trace, quantize where asked, prove, write.

        Raises:
            UserError: the proof fails (nothing is written then); a checkpoint, picture or label that cannot be read;
                a file that cannot be written.
        """
        request = self.request
        network, trained = load_detector(request.weights)
        preprocessing = _preprocessing(trained, request.imgsz)
        if self.spec is not None:
            class_order(trained.names, self.spec, request.weights)
        watcher.stage("reading pictures")
        pictures = self._pictures(preprocessing)
        watcher.stage("tracing the network")
        deploy, traced = self._trace(network, preprocessing)
        card = self._card(trained, network, preprocessing, deploy)
        make_folder(self.path.parent)
        # In the target's folder: the disk that the file is to fit on.
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".lightdet-export-") as folder:
            draft = Path(folder) / f"export{SUFFIXES[request.kind]}"
            if request.precision == "int8":
                watcher.stage(f"calibrating on {len(pictures.calibration)} pictures")
                traced = self._quantize(traced, deploy, pictures.calibration)
            write = self._writer(traced)
            write(draft, card)
            watcher.stage("proving")
            parity, scores = self._prove(draft, card, pictures.proof, watcher)
            proof = parity.as_dict() if parity is not None else {}
            if scores is not None:
                proof = {"map50_95": scores[1], "map50_95_checkpoint": scores[0], "split": request.split}
            card = replace(card, facts={**card.facts, "proof": proof})
            write(draft, card)
            size = self._publish(draft)
        return ExportOutcome(self.path, size, card, parity, scores)

    def _trace(self, network: Any, preprocessing: Preprocessing) -> tuple[Deployable, Any]:
        from lightdet.export.network import deployable  # noqa: PLC0415 - torch only when it is wanted
        from lightdet.export.onnx import add_nms, to_onnx  # noqa: PLC0415

        request, defaults = self.request, EvalConfig()
        try:
            deploy = deployable(
                network,
                preprocessing,
                layout="planar" if request.kind == "onnx" else "interleaved",
                decode=request.nms,
                sums=request.kind == "openvino" and request.precision != "int8",
                half=request.precision == "fp16" and request.kind == "onnx",
            )
        except NotImplementedError:
            raise UserError("networks of this kind cannot be exported", path=request.weights) from None
        traced = to_onnx(deploy, preprocessing.imgsz, batch=request.batch, dynamic_size=request.dynamic_size)
        if request.nms:
            traced = add_nms(
                traced,
                confidence=request.confidence,
                iou=defaults.iou if request.iou is None else request.iou,
                max_detections=request.max_detections or defaults.max_detections,
            )
        return deploy, traced

    def _card(self, trained: ModelCard, network: Any, preprocessing: Preprocessing, deploy: Deployable) -> ExportCard:
        from lightdet.profiling.complexity import measure_complexity  # noqa: PLC0415

        counted = measure_complexity(network, preprocessing.imgsz)
        cost = {"params": counted.params, "flops": counted.flops}
        request, defaults = self.request, EvalConfig()
        return ExportCard(
            names=trained.names,
            preprocessing=preprocessing,
            layout=deploy.layout,
            outputs="detections" if request.nms else deploy.outputs,
            anchors=deploy.anchors,
            strides=deploy.strides,
            confidence=request.confidence,
            iou=defaults.iou if request.iou is None else request.iou,
            max_detections=request.max_detections or defaults.max_detections,
            batch=request.batch,
            dynamic_size=request.dynamic_size,
            precision=request.precision,
            version=_version(),
            facts={"model": trained.model, "training": trained.facts, "complexity": cost},
            decision=trained.decision,
        )

    def _pictures(self, preprocessing: Preprocessing) -> _Data:
        """Letterboxed pictures: of the data set, else rendered ones."""
        side = (preprocessing.imgsz, preprocessing.imgsz)
        request = self.request
        if self.spec is None:
            from lightdet.data.synthetic import render_sample  # noqa: PLC0415 - it takes a moment

            rendered = [render_sample(0, index).image for index in range(PROOF_PICTURES)]
            return _Data([letterbox(image, side, pad_value=preprocessing.pad_value)[0] for image in rendered])
        depth = self.spec.bit_depth

        def read(annotations: Sequence[Annotation], most: int) -> list[Image]:
            chosen = [annotations[index] for index in _spread(len(annotations), most)]
            images = (read_image(annotation.image, bit_depth=depth) for annotation in chosen)
            return [letterbox(image, side, pad_value=preprocessing.pad_value)[0] for image in images]

        data = _Data(read(read_split(self.spec, request.split)[0], PROOF_PICTURES))
        if request.precision == "int8":
            data.calibration = read(read_split(self.spec, "train")[0], request.calibration)
        return data

    def _quantize(self, traced: Any, deploy: Deployable, pictures: Sequence[Image]) -> Any:
        from lightdet.export.openvino import to_openvino  # noqa: PLC0415
        from lightdet.export.quantize import quantize_onnx, quantize_openvino  # noqa: PLC0415

        batch = self.request.batch or 1
        arrays = [np.stack([image] * batch) for image in pictures]
        if deploy.layout == "planar":
            return quantize_onnx(traced, [np.ascontiguousarray(array.transpose(0, 3, 1, 2)) for array in arrays])
        return quantize_openvino(to_openvino(traced), arrays)

    def _writer(self, traced: Any) -> Any:
        """Return what writes the network with a card to a path."""
        kind, precision = self.request.kind, self.request.precision
        if kind == "onnx":
            from lightdet.export.onnx import with_card  # noqa: PLC0415

            return lambda path, card: path.write_bytes(with_card(traced, card))
        from lightdet.export.openvino import save_ir, to_openvino  # noqa: PLC0415

        converted = traced if precision == "int8" else to_openvino(traced)
        return lambda path, card: save_ir(converted, path, card)

    def _prove(
        self,
        draft: Path,
        card: ExportCard,
        pictures: Sequence[Image],
        watcher: Watcher,
    ) -> tuple[Parity | None, tuple[float, float] | None]:
        if card.precision == "int8":
            return None, self._score(draft, watcher)
        from lightdet.export.parity import TOLERANCES  # noqa: PLC0415

        tolerance = TOLERANCES[card.precision]
        parity = self._compare(draft, card, pictures, tolerance)
        if not parity.detections:
            where = (
                "its pictures"
                if self.spec is not None
                else "the rendered pictures; give --data with pictures of its kind"
            )
            raise UserError(f"finds nothing to compare on {where}", path=self.request.weights)
        if not parity.holds(tolerance):
            raise UserError(
                f"not exported: {parity.unmatched} of {parity.detections} detections on {parity.pictures} pictures "
                f"differ from the checkpoint's by more than {tolerance.score:g} in score or "
                f"{100 * tolerance.box:g} % of the box" + _way_out(card.precision),
                path=self.path,
            )
        return parity, None

    def _compare(
        self,
        draft: Path,
        card: ExportCard,
        pictures: Sequence[Image],
        tolerance: Tolerance,
    ) -> Parity:
        from lightdet.export.parity import FLOORS, Side, choose_floor, compare  # noqa: PLC0415

        own_nms = card.outputs == "detections"
        lowest = card.confidence if own_nms else FLOORS[-1]

        def found(weights: Path, confidence: float, **thresholds: Any) -> list[RawDetections]:
            imgsz = self.request.imgsz if weights is self.request.weights else None
            thresholds = {"iou": card.iou, "max_detections": card.max_detections} | thresholds
            return run_batches(load(weights, imgsz=imgsz, confidence=confidence, **thresholds).runtime, pictures)

        floor = max(choose_floor(found(self.request.weights, lowest)), lowest)
        # What is looked for may lie below the floor by the tolerance, except where NMS in the network ends at it.
        below = lowest if own_nms else max(0.0, floor - tolerance.score)
        if own_nms:
            floor += tolerance.score

        def side(weights: Path, *, bare: bool = False) -> Side:
            candidates = None if bare else found(weights, below, iou=1.0, max_detections=CANDIDATES)
            return Side(found(weights, below), candidates, CANDIDATES)

        ours, theirs = side(self.request.weights), side(draft, bare=own_nms)
        return compare(ours, theirs, tolerance, floor=floor, iou=card.iou)

    def _score(self, draft: Path, watcher: Watcher) -> tuple[float, float]:
        """Score checkpoint and draft on the split; refuse a draft that lost too much."""
        request = self.request
        found = []
        for weights, what in ((request.weights, "the checkpoint"), (draft, "8 bits")):
            watcher.stage(f"scoring {what}")
            validation = Validation(
                ValRequest(
                    data=request.data or Path(),
                    weights=weights,
                    split=request.split,
                    data_root=request.data_root,
                    imgsz=request.imgsz if weights is request.weights else None,
                    device="cpu",
                )
            )
            result = validation.find(watcher)
            score = evaluate(result.predictions, result.annotations, validation.spec.classes).map50_95
            if score is None:
                raise UserError(f"the split '{request.split}' has no boxes to score 8 bits on", path=request.data)
            found.append(score)
        drop = 100 * (found[0] - found[1])
        if drop > request.max_drop:
            raise UserError(
                f"not exported: 8 bits lose {drop:.2f} points of mAP@0.5:0.95 ({found[0]:.4f} to {found[1]:.4f}) on "
                f"'{request.split}', more than --max-drop {request.max_drop:g}",
                path=self.path,
            )
        return found[0], found[1]

    def _publish(self, draft: Path) -> int:
        """Move the draft to its place, whole or not at all; the weights first, so that no XML waits for them."""
        files = [(draft, self.path)]
        if self.request.kind == "openvino":
            files.insert(0, (draft.with_suffix(".bin"), self.path.with_suffix(".bin")))
        size = 0
        for source, target in files:
            size += source.stat().st_size
            with atomic_path(target) as temporary:
                source.replace(temporary)
        return size


def _preprocessing(trained: ModelCard, imgsz: int | None) -> Preprocessing:
    try:
        return trained.preprocessing if imgsz is None else replace(trained.preprocessing, imgsz=imgsz)
    except ValueError as error:
        raise UserError(str(error)) from None


def run_batches(runtime: Runtime, pictures: Sequence[Image]) -> list[RawDetections]:
    """Put letterboxed pictures through a runtime, a few at a time."""
    found: list[RawDetections] = []
    for first in range(0, len(pictures), PROOF_BATCH):
        found += runtime(np.stack(pictures[first : first + PROOF_BATCH]))
    return found


def _spread(count: int, most: int) -> list[int]:
    """At most `most` indices, evenly over all `count`."""
    return sorted({int(index) for index in np.linspace(0, count - 1, min(count, most))}) if count else []


def _way_out(precision: str) -> str:
    return "" if precision == "fp32" else "; take --precision fp32"


def _version() -> str:
    from lightdet import __version__  # noqa: PLC0415

    return __version__
