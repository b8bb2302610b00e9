"""A classifier's checkpoint → a file for ONNX Runtime or OpenVINO, written only when it says the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.assembly.classifier import fixed_size, load_classifier
from lightdet.assembly.classifier_predictor import load_classifier as load_predictor
from lightdet.data.image_labels import read_image_labels
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.inference.classifier import to_input
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
from lightdet.runs.export_request import ExportRequest
from lightdet.runs.validate import ValRequest
from lightdet.runs.validate_classes import ClassValidation
from lightdet.structures import ImageLabel, Preprocessing

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.export.network import Deployable

TOLERANCES = {"fp32": 0.002, "fp16": 0.02, "bf16": 0.08}
"""Largest difference of a probability that still counts as the same; those of a detector's scores."""


class ClassExport(ExportJob):
    """One request for a classifier; see `ExportJob`.

    Raises:
        UserError: as `ExportJob`; flags that belong to boxes, a data set of boxes.
    """

    def __init__(self, request: ExportRequest) -> None:
        given = {
            "--nms": request.nms,
            "--confidence": request.confidence is not None,
            "--iou": request.iou is not None,
            "--agnostic": request.agnostic,
            "--max-detections": request.max_detections is not None,
        }
        flag = next((flag for flag, is_given in given.items() if is_given), None)
        if flag is not None:
            raise UserError(f"{flag} belongs to detectors, and {request.weights} is a classifier: leave it out")
        super().__init__(request)
        if self.spec is not None and not self.spec.labels_pictures:
            raise UserError(
                f"marks boxes (format: {self.spec.format}), and {request.weights} is a classifier: it needs a data set "
                "with one class per picture (format folders or csv)",
                path=request.data,
            )

    def _load(self) -> tuple[Any, ModelCard]:
        request = self.request
        network, config, card = load_classifier(request.weights)
        side = card.preprocessing.imgsz
        if fixed_size(config) and (request.dynamic_size or request.imgsz not in (None, side)):
            raise UserError(
                f"takes pictures of {side} pixels alone ({config.name}): leave out --imgsz and --dynamic-size",
                path=request.weights,
            )
        return network, card

    def _deployable(self, network: Any, preprocessing: Preprocessing) -> Deployable:
        from lightdet.export.classifier import deployable_classifier  # noqa: PLC0415 - torch only when it is wanted

        onnx = self.request.kind == "onnx"
        half = onnx and self.request.precision == "fp16"
        return deployable_classifier(network, preprocessing, layout="planar" if onnx else "interleaved", half=half)

    def _quantized_nodes(self) -> Sequence[str]:
        from lightdet.export.classifier import QUANTIZED  # noqa: PLC0415

        return QUANTIZED

    def _outputs(self, deploy: Deployable) -> dict[str, Any]:
        return {"outputs": deploy.outputs}

    def _pictures(self, preprocessing: Preprocessing) -> ProofData:
        request = self.request
        if self.spec is None:
            return ProofData([to_input(image, preprocessing) for image in rendered_pictures()])
        depth = self.spec.bit_depth

        def read(labels: Sequence[ImageLabel], most: int) -> list[Image]:
            chosen = [labels[index] for index in spread(len(labels), most)]
            return [to_input(read_image(each.image, bit_depth=depth), preprocessing) for each in chosen]

        data = ProofData(read(read_image_labels(self.spec, request.split)[0], PROOF_PICTURES))
        if request.precision == "int8":
            data.calibration = read(read_image_labels(self.spec, "train")[0], request.calibration)
        return data

    def _prove(
        self, draft: Path, card: ExportCard, pictures: Sequence[Image], watcher: Watcher, computed: str
    ) -> tuple[dict[str, Any], str]:
        if card.precision == "int8":
            return self._score(draft, watcher)
        wanted, given = (self._probabilities(path, pictures) for path in (self.request.weights, draft))
        difference = float(np.abs(wanted - given).max())
        tolerance = TOLERANCES[proof_precision(card.precision, computed)]
        if not difference <= tolerance:  # also where it is no number
            raise UserError(
                f"not exported: probabilities of {len(pictures)} pictures differ from the checkpoint's by up to "
                f"{difference:.2g}, more than {tolerance:g}" + way_out(card.precision),
                path=self.path,
            )
        told = f"proved on {len(pictures)} pictures: probabilities differ by at most {difference:.2g}"
        return {"pictures": len(pictures), "probability": difference}, told

    def _probabilities(self, weights: Path, pictures: Sequence[Image]) -> FloatArray:
        imgsz = self.request.imgsz if weights is self.request.weights else None
        runtime = load_predictor(weights, imgsz=imgsz).runtime
        from lightdet.classification.runtime import TorchClassRuntime  # noqa: PLC0415

        if isinstance(runtime, TorchClassRuntime):
            runtime = runtime.as_trained()
        return np.concatenate([runtime(picture[None]) for picture in pictures])

    def _score(self, draft: Path, watcher: Watcher) -> tuple[dict[str, Any], str]:
        """Count right answers of checkpoint and draft on the split; refuse a draft that lost too many."""
        request = self.request
        shares = []
        for weights, what in ((request.weights, "the checkpoint"), (draft, "8 bits")):
            watcher.stage(f"scoring {what}")
            validation = ClassValidation(
                ValRequest(
                    data=request.data or Path(),
                    weights=weights,
                    split=request.split,
                    data_root=request.data_root,
                    imgsz=request.imgsz if weights is request.weights else None,
                    device="cpu",
                )
            )
            found = validation.find(watcher)
            truth = np.array([each.label for each in found.labels])
            shares.append(float((found.shares.argmax(axis=1) == truth).mean()))
        before, after = shares
        drop = 100 * (before - after)
        if drop > request.max_drop:
            raise UserError(
                f"not exported: 8 bits lose {drop:.2f} points of accuracy ({before:.4f} to {after:.4f}) on "
                f"'{request.split}', more than --max-drop {request.max_drop:g}",
                path=self.path,
            )
        told = (
            f"accuracy on {request.split}: {before:.4f} checkpoint, {after:.4f} int8 "
            f"({100 * (after - before):+.2f} points)"
        )
        return {"accuracy": after, "accuracy_checkpoint": before, "split": request.split}, told
