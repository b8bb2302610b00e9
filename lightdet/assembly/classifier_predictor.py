"""A classifier's model file → a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lightdet.assembly.classifier import fixed_size, load_classifier
from lightdet.assembly.need_torch import need_torch
from lightdet.errors import UserError
from lightdet.model_kind import is_export

if TYPE_CHECKING:
    from lightdet.inference.classifier import ClassifierPredictor


def classifier_predictor(
    path: Path,
    *,
    device: str = "cpu",
    imgsz: int | None = None,
    precision: Literal["fp32", "bf16", "fp16"] | None = None,
    threads: int | None = None,
    no_promise: bool = False,
) -> ClassifierPredictor:
    """Return a predictor for a classifier, trained or exported; see `lightdet.runs.load.load`.

    Raises:
        UserError: a damaged or foreign file, a detector's, a device that is not there, an input size that the network
            cannot take.
    """
    from lightdet.inference.classifier import ClassifierPredictor  # noqa: PLC0415 - OpenCV only when it is wanted
    from lightdet.inference.open_exported import open_exported  # noqa: PLC0415

    if is_export(path):
        from lightdet.inference.exported_classifier import ExportedClassRuntime  # noqa: PLC0415

        file = open_exported(path, device=device, threads=threads, precision=precision)
        exported = ExportedClassRuntime(file, imgsz=imgsz)
        return ClassifierPredictor(exported, decision=file.card.decision, path=path, no_promise=no_promise)
    need_torch(path)
    from lightdet.classification.runtime import TorchClassRuntime  # noqa: PLC0415
    from lightdet.models.device import choose_device  # noqa: PLC0415

    chosen = choose_device(device)
    network, config, card = load_classifier(path)
    preprocessing = card.preprocessing
    if imgsz is not None and imgsz != preprocessing.imgsz:
        if fixed_size(config):
            raise UserError(
                f"takes only pictures of {preprocessing.imgsz} pixels ({config.name}), not {imgsz}", path=path
            )
        try:
            preprocessing = replace(preprocessing, imgsz=imgsz)
        except ValueError as error:
            raise UserError(str(error)) from None
    runtime = TorchClassRuntime(
        network, card.names, preprocessing, device=chosen, precision=precision or "fp32", threads=threads
    )
    return ClassifierPredictor(runtime, decision=card.decision, path=path, no_promise=no_promise)
