"""A detector's model file → a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.assembly.need_torch import need_torch
from lightdet.config import EvalConfig
from lightdet.errors import UserError
from lightdet.model_kind import is_export

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.inference.export_card import ExportCard
    from lightdet.inference.exported_file import ExportedFile
    from lightdet.inference.predictor import Predictor

Precision = Literal["fp32", "bf16", "fp16"]


def detector_predictor(
    path: Path,
    *,
    device: str = "cpu",
    imgsz: int | None = None,
    confidence: float | None = None,
    iou: float | None = None,
    max_detections: int | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    rect: bool = False,
    agnostic: bool | None = None,
    no_promise: bool = False,
    tiled: bool = False,
) -> Predictor:
    """Return a predictor for a detector, trained or exported; see `lightdet.runs.load.load`.

    With `tiled`, its pictures will be tiles, and NMS knows boxes as low as their joining needs.

    Raises:
        UserError: a damaged or foreign file, a classifier's, a device that is not there, a value out of range.
    """
    from lightdet.inference.open_exported import open_exported  # noqa: PLC0415
    from lightdet.inference.predictor import Predictor  # noqa: PLC0415 - OpenCV only when a network is wanted

    if is_export(path):
        file = open_exported(path, device=device, threads=threads, precision=precision)
        bounds = {"iou": iou, "max_detections": max_detections, "agnostic": agnostic}
        return _of_export(file, path, no_promise, tiled, imgsz=imgsz, confidence=confidence, rect=rect, **bounds)
    need_torch(path)
    from lightdet.assembly.detector import load_detector  # noqa: PLC0415
    from lightdet.inference.torch_runtime import TorchRuntime  # noqa: PLC0415
    from lightdet.models.device import choose_device  # noqa: PLC0415

    chosen, defaults = choose_device(device), EvalConfig()
    detector, card = load_detector(path)
    lowest, floor = _lowest(confidence, card.confidence, card, path, no_promise, tiled)
    preprocessing = card.preprocessing
    if imgsz is not None:
        try:
            preprocessing = replace(preprocessing, imgsz=imgsz)
        except ValueError as error:
            raise UserError(str(error)) from None
    runtime = TorchRuntime(
        detector,
        card.names,
        preprocessing,
        confidence=floor,
        iou=defaults.iou if iou is None else iou,
        max_detections=defaults.max_detections if max_detections is None else max_detections,
        device=chosen,
        precision=precision or "fp32",
        threads=threads,
        agnostic=bool(agnostic),
    )
    return Predictor(runtime, confidence=lowest, rect=rect, decision=card.decision, path=path, no_promise=no_promise)


def _of_export(
    file: ExportedFile,
    path: Path,
    no_promise: bool,
    tiled: bool,
    *,
    confidence: float | None,
    rect: bool,
    **settings: Any,
) -> Predictor:
    from lightdet.inference.exported import ExportedRuntime  # noqa: PLC0415
    from lightdet.inference.predictor import Predictor  # noqa: PLC0415

    lowest, floor = _lowest(confidence, file.card.confidence, file.card, path, no_promise, tiled)
    fixed = file.card.outputs == "detections"  # NMS is in the network
    if fixed:
        lowest = _reported_by(file.card, confidence, path)
    runtime = ExportedRuntime(file, confidence=confidence if fixed else floor, **settings)
    if rect and not runtime.card.dynamic_size:
        raise UserError("takes only square pictures; export it with --dynamic-size, or leave out rect", path=path)
    decision = runtime.card.decision
    return Predictor(runtime, confidence=lowest, rect=rect, decision=decision, path=path, no_promise=no_promise)


def _reported_by(card: ExportCard, asked: float | None, path: Path) -> float:
    """The lowest score to report of a file that may give lower ones for its rule (`export_promise.deep_enough`)."""
    from lightdet.decisions import DecisionRule  # noqa: PLC0415

    if asked is not None:
        return asked
    try:
        rule = DecisionRule.stored(card.decision, card.names, path)
    except UserError:  # reported when the rule is used
        rule = None
    usual = EvalConfig().show_confidence
    return card.confidence if rule is None else max(card.confidence, min(usual, rule.lowest_threshold))


def _lowest(
    asked: float | None, usual: float, card: ModelCard | ExportCard, path: Path, no_promise: bool, tiled: bool
) -> tuple[float, float]:
    """Return the lowest score to report, and the lowest that takes part in NMS.

    The first is the usual one if none was asked for, or lower if the model's OK/NG rule counts lower scores. The
    second is the same, or lower if a promise or the joining of tiles depends on the boxes below.
    """
    from lightdet.decisions.detection_rule import DecisionRule, voters_share  # noqa: PLC0415
    from lightdet.decisions.promise import stored_conditions  # noqa: PLC0415

    lowest = usual if asked is None else asked
    try:
        rule, then = DecisionRule.stored(card.decision, card.names, path), stored_conditions(card.decision, path)
    except UserError:  # reported when the rule is used
        rule, then = None, None
    if rule is not None and asked is None:
        lowest = min(usual, rule.lowest_threshold)
    floor = max(voters_share(places=False, tiled=tiled) * lowest, min(lowest, EvalConfig().confidence))
    if rule is None or then is None or no_promise or (needed := rule.needed_floor(then)) is None:
        return lowest, floor
    return lowest, min(lowest, needed)
