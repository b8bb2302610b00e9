"""A model file → a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.assembly.need_torch import need_torch
from lightdet.config import EvalConfig, YamlFile, load_network_config
from lightdet.errors import UserError
from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.predictor import Predictor
    from lightdet.inference.torch_runtime import TorchRuntime
    from lightdet.models import DetectionNetwork

Precision = Literal["fp32", "bf16", "fp16"]


def load(
    path: str | Path,
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
) -> Predictor:
    """Return a predictor for a trained model, or for what was exported from one; torch is imported for the first only.

    Args:
        path: the model file that training wrote (``best.safetensors``), or an export (``.onnx``, ``.xml``).
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``; for ``.xml`` what OpenVINO knows: ``cpu``, ``gpu``, ``auto``.
        imgsz: side of the network input, a multiple of 32; by default the one of the training or export.
        confidence: lowest score reported, in [0, 1]; default 0.25, or what the export says.
        iou: NMS threshold in [0, 1]; default 0.55, or what the export says.
        max_detections: most boxes a picture; default 300, or what the export says.
        precision: fp32, or bf16 or fp16 where they are faster; default fp32, or what the export was made for.
        threads: of the processor; by default what the runtime chooses.
        rect: letterbox to rectangles in multiples of 32 instead of squares.
        agnostic: boxes of different classes suppress each other, too; default no, or what the export says.

    Raises:
        UserError: a missing, truncated or foreign file, a device that is not there, a value out of range.
    """
    source = Path(path)
    if not source.is_file():  # said before torch is imported, which takes seconds
        raise UserError("is a folder; give the model file in it" if source.is_dir() else "no such file", path=path)
    if max_detections is not None and max_detections < 1:  # every part would pass for good
        raise UserError(f"max_detections must be at least 1, got {max_detections}")
    from lightdet.inference.onnx_runtime import check_threads  # noqa: PLC0415 - numpy only when a network is wanted

    check_threads(threads)
    from lightdet.inference.open_exported import SUFFIXES as EXPORTED  # noqa: PLC0415
    from lightdet.inference.open_exported import open_exported  # noqa: PLC0415
    from lightdet.inference.predictor import Predictor  # noqa: PLC0415 - OpenCV only when a network is wanted

    if source.suffix.lower() in EXPORTED:
        from lightdet.inference.exported import ExportedRuntime  # noqa: PLC0415

        exported = ExportedRuntime(
            open_exported(source, device=device, threads=threads, precision=precision),
            imgsz=imgsz,
            confidence=confidence,
            iou=iou,
            max_detections=max_detections,
        )
        if rect and not exported.card.dynamic_size:
            raise UserError("takes square pictures alone; export it with --dynamic-size, or leave out rect", path=path)
        across = exported.iou if (exported.card.agnostic if agnostic is None else agnostic) else None
        return Predictor(exported, confidence=exported.confidence, rect=rect, agnostic_iou=across)
    lowest = EvalConfig().show_confidence if confidence is None else confidence
    runtime = _trained(source, device, imgsz, lowest, iou, max_detections, precision, threads)
    across = runtime.iou if agnostic else None
    return Predictor(runtime, confidence=lowest, rect=rect, agnostic_iou=across)


def computed(predictor: Predictor | ClassifierPredictor) -> str:
    """How a predictor computes, in words, such as ``cpu, fp32, channels last, rewritten network, 2 threads``."""
    runtime: Any = predictor.runtime
    device, precision = getattr(runtime, "device", "cpu"), getattr(runtime, "precision", "fp32")
    computing = getattr(runtime, "computing", None)  # what others run, they have arranged for themselves
    if computing is None or str(device) != "cpu":
        return f"{device}, {precision}"
    return f"{device}, {computing.precision}, {computing.kernels}, {counted(computing.threads, 'thread')}"


def _trained(
    path: Path,
    device: str,
    imgsz: int | None,
    confidence: float,
    iou: float | None,
    max_detections: int | None,
    precision: Precision | None,
    threads: int | None,
) -> TorchRuntime:
    need_torch(path)
    from lightdet.inference.torch_runtime import TorchRuntime  # noqa: PLC0415
    from lightdet.models.device import choose_device  # noqa: PLC0415

    chosen = choose_device(device)
    detector, card = load_detector(path)
    preprocessing = card.preprocessing
    if imgsz is not None:
        try:
            preprocessing = replace(preprocessing, imgsz=imgsz)
        except ValueError as error:
            raise UserError(str(error)) from None
    defaults = EvalConfig()
    return TorchRuntime(
        detector,
        card.names,
        preprocessing,
        confidence=confidence,
        iou=defaults.iou if iou is None else iou,
        max_detections=defaults.max_detections if max_detections is None else max_detections,
        device=chosen,
        precision=precision or "fp32",
        threads=threads,
    )


def load_detector(path: str | Path) -> tuple[DetectionNetwork, ModelCard]:
    """Rebuild the network of a model file on the CPU, with its card.

    Raises:
        UserError: a missing, truncated or foreign file; a card and weights that do not fit each other.
    """
    import torch  # noqa: PLC0415

    from lightdet.assembly.detector import build_detector  # noqa: PLC0415
    from lightdet.models.weights import load_model  # noqa: PLC0415

    weights, card = load_model(path)
    if card.model.get("task") == "classify":
        raise UserError("is a classifier, and a detector is needed here (Python: lightdet.load_classifier)", path=path)
    config = load_network_config(YamlFile(card.model, Path(path)))
    detector = build_detector(config, len(card.names), card.preprocessing.imgsz)
    try:
        detector.load_state_dict(weights)
    except RuntimeError:
        raise UserError("its weights do not fit the model that it describes; was it edited?", path=path) from None
    broken = next((name for name, value in weights.items() if not torch.isfinite(value).all()), None)
    if broken is not None:
        raise UserError(f"'{broken}' holds values that are no numbers; the training diverged", path=path)
    return detector, card
