"""A detector's checkpoint → a file for ONNX Runtime or OpenVINO, written only when it gives the same detections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.arrays import Image
from lightdet.assembly.predictor import load, load_detector
from lightdet.config import EvalConfig
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.evaluation.average_precision import evaluate
from lightdet.geometry.letterbox import letterbox
from lightdet.inference.export_card import ExportCard
from lightdet.runs.export import (
    PROOF_PICTURES,
    ExportJob,
    ProofData,
    Watcher,
    proof_precision,
    rendered_pictures,
    spread,
    way_out,
)
from lightdet.runs.validate import Validation, ValRequest
from lightdet.structures import Annotation, Preprocessing

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.export.network import Deployable
    from lightdet.export.parity import Parity, Tolerance
    from lightdet.inference.runtime import RawDetections, Runtime

PROOF_BATCH = 8
CANDIDATES = 10_000
CONFIDENCE = 0.25


class Export(ExportJob):
    """One request for a detector; see `ExportJob`."""

    def _load(self) -> tuple[Any, ModelCard]:
        return load_detector(self.request.weights)

    def _deployable(self, network: Any, preprocessing: Preprocessing) -> Deployable:
        from lightdet.export.network import deployable  # noqa: PLC0415 - torch only when it is wanted

        request = self.request
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

    def _traced(self, deploy: Deployable, preprocessing: Preprocessing) -> Any:
        traced = super()._traced(deploy, preprocessing)
        if not self.request.nms:
            return traced
        from lightdet.export.onnx import add_nms  # noqa: PLC0415

        return add_nms(traced, **self._thresholds())

    def _thresholds(self) -> dict[str, Any]:
        request, defaults = self.request, EvalConfig()
        return {
            "confidence": CONFIDENCE if request.confidence is None else request.confidence,
            "iou": defaults.iou if request.iou is None else request.iou,
            "max_detections": request.max_detections or defaults.max_detections,
        }

    def _outputs(self, deploy: Deployable) -> dict[str, Any]:
        return {
            "outputs": "detections" if self.request.nms else deploy.outputs,
            "anchors": deploy.anchors,
            "strides": deploy.strides,
            "agnostic": self.request.agnostic,
            **self._thresholds(),
        }

    def _pictures(self, preprocessing: Preprocessing) -> ProofData:
        side = (preprocessing.imgsz, preprocessing.imgsz)
        request = self.request
        if self.spec is None:
            return ProofData([letterbox(i, side, pad_value=preprocessing.pad_value)[0] for i in rendered_pictures()])
        depth = self.spec.bit_depth

        def read(annotations: Sequence[Annotation], most: int) -> list[Image]:
            chosen = [annotations[index] for index in spread(len(annotations), most)]
            images = (read_image(annotation.image, bit_depth=depth) for annotation in chosen)
            return [letterbox(image, side, pad_value=preprocessing.pad_value)[0] for image in images]

        data = ProofData(read(read_split(self.spec, request.split)[0], PROOF_PICTURES))
        if request.precision == "int8":
            data.calibration = read(read_split(self.spec, "train")[0], request.calibration)
        return data

    def _prove(
        self, draft: Path, card: ExportCard, pictures: Sequence[Image], watcher: Watcher, computed: str
    ) -> tuple[dict[str, Any], str]:
        if card.precision == "int8":
            before, after = self._score(draft, watcher)
            proof = {"map50_95": after, "map50_95_checkpoint": before, "split": self.request.split}
            return proof, (
                f"mAP@0.5:0.95 on {self.request.split}: {before:.4f} checkpoint, {after:.4f} int8 "
                f"({100 * (after - before):+.2f} points)"
            )
        from lightdet.export.parity import TOLERANCES  # noqa: PLC0415

        tolerance = TOLERANCES[proof_precision(card.precision, computed)]
        parity = self._compare(draft, card, pictures, tolerance)
        if not parity.detections:
            raise UserError(self._nothing_found(parity.floor), path=self.request.weights)
        if not parity.holds(tolerance):
            raise UserError(
                f"not exported: {parity.unmatched} of {parity.detections} detections on {parity.pictures} pictures "
                f"differ from the checkpoint's by more than {tolerance.score:g} in score or "
                f"{100 * tolerance.box:g} % of the box" + way_out(card.precision),
                path=self.path,
            )
        return parity.as_dict(), (
            f"proved on {parity.pictures} pictures: {parity.detections} detections from score {parity.floor:g} on, "
            f"{parity.unmatched} unmatched; scores differ by at most {parity.score:.2g}, "
            f"corners by {parity.pixels:.2g} pixels"
        )

    def _nothing_found(self, floor: float) -> str:
        """Say what the checkpoint does not find, and what to do."""
        where = "the rendered pictures" if self.spec is None else f"the split '{self.request.split}'"
        way = "give --data with pictures of its kind" if self.spec is None else "give another --split"
        lower = ", or a lower --confidence" if self.request.nms else ""
        return f"finds nothing of score {floor:g} or more on {where}, so there is nothing to compare; {way}{lower}"

    def _compare(
        self,
        draft: Path,
        card: ExportCard,
        pictures: Sequence[Image],
        tolerance: Tolerance,
    ) -> Parity:
        from lightdet.export.parity import FLOORS, Side, choose_floor, compare  # noqa: PLC0415
        from lightdet.inference.torch_runtime import TorchRuntime  # noqa: PLC0415

        own_nms = card.outputs == "detections"
        lowest = card.confidence if own_nms else FLOORS[-1]

        def found(weights: Path, confidence: float, **thresholds: Any) -> list[RawDetections]:
            imgsz = self.request.imgsz if weights is self.request.weights else None
            thresholds = {"iou": card.iou, "max_detections": card.max_detections} | thresholds
            runtime = load(weights, imgsz=imgsz, confidence=confidence, **thresholds).runtime
            return run_batches(runtime.as_trained() if isinstance(runtime, TorchRuntime) else runtime, pictures)

        floor = max(choose_floor(found(self.request.weights, lowest)), lowest)
        # What is looked for may lie below the floor by the tolerance, except where NMS in the network ends at it.
        below = lowest if own_nms else max(0.0, floor - tolerance.score)
        if own_nms:
            floor = max(floor, lowest + tolerance.score)

        def side(weights: Path, *, bare: bool = False) -> Side:
            candidates = None if bare else found(weights, below, iou=1.0, max_detections=CANDIDATES)
            return Side(found(weights, below), candidates, CANDIDATES)

        ours, theirs = side(self.request.weights), side(draft, bare=own_nms)
        return compare(ours, theirs, tolerance, floor=floor, iou=card.iou)

    def _score(self, draft: Path, watcher: Watcher) -> tuple[float, float]:
        """Score checkpoint and draft on the split; refuse a draft that lost too much."""
        request = self.request
        found: list[float] = []
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
            if not found and score == 0:
                raise UserError(
                    f"finds nothing right on '{request.split}' (mAP 0): what 8 bits lose there cannot be told; train "
                    "it longer, or give another --split",
                    path=request.weights,
                )
            found.append(score)
        drop = 100 * (found[0] - found[1])
        if drop > request.max_drop:
            raise UserError(
                f"not exported: 8 bits lose {drop:.2f} points of mAP@0.5:0.95 ({found[0]:.4f} to {found[1]:.4f}) on "
                f"'{request.split}', more than --max-drop {request.max_drop:g}",
                path=self.path,
            )
        return found[0], found[1]


def run_batches(runtime: Runtime, pictures: Sequence[Image]) -> list[RawDetections]:
    """Put letterboxed pictures through a runtime, a few at a time."""
    found: list[RawDetections] = []
    for first in range(0, len(pictures), PROOF_BATCH):
        found += runtime(np.stack(pictures[first : first + PROOF_BATCH]))
    return found
