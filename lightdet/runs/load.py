"""A model file → a predictor, for either task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.errors import UserError
from lightdet.tasks import task_of_model
from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.predictor import Predictor


def load(
    path: str | Path,
    *,
    device: str = "cpu",
    imgsz: int | None = None,
    confidence: float | None = None,
    iou: float | None = None,
    max_detections: int | None = None,
    precision: Literal["fp32", "bf16", "fp16"] | None = None,
    threads: int | None = None,
    rect: bool = False,
    agnostic: bool | None = None,
) -> Any:
    """Return a predictor for a trained model or an export; only the former needs torch.

    >>> model = lightdet.load("best.safetensors")
    >>> found = model("part.png")
    >>> found.to_dict()["width"], found.plot().size[0], found.decision is None
    (96, 96, True)

    Args:
        path: the model file that training wrote (``best.safetensors``), or an export (``.onnx``, ``.xml``).
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``; for ``.xml`` OpenVINO's devices: ``cpu``, ``gpu``, ``auto``.
        imgsz: side of the network input, a multiple of 32; default: that of the training or export.
        confidence: for a detector, lowest score reported, in [0, 1]; default 0.25, or the export's own, or lower
            if the model's OK/NG rule counts lower scores.
        iou: for a detector, NMS threshold in [0, 1]; default 0.55, or the export's own.
        max_detections: for a detector, most boxes per picture; default 300, or the export's own.
        precision: fp32, bf16 or fp16; default fp32, or the export's own.
        threads: processor threads; default: the runtime's choice.
        rect: for a detector, letterbox to rectangles in multiples of 32 instead of squares.
        agnostic: for a detector, boxes of different classes also suppress each other; default no, or the export's
            own.

    Returns:
        A `lightdet.Predictor` finds boxes, a `lightdet.ClassifierPredictor` gives each picture a class.

    Raises:
        UserError: a missing, truncated or foreign file, a device that is not there, a value out of range, an option
            that belongs to the other task.
    """
    source = Path(path)
    if not source.is_file():  # said before torch is imported, which takes seconds
        raise UserError("is a folder; give the model file in it" if source.is_dir() else "no such file", path=path)
    if max_detections is not None and max_detections < 1:  # every part would pass for good
        raise UserError(f"max_detections must be at least 1, got {max_detections}")
    from lightdet.inference.onnx_runtime import check_threads  # noqa: PLC0415 - numpy only when a network is wanted

    check_threads(threads)
    boxes = {
        "confidence": confidence,
        "iou": iou,
        "max_detections": max_detections,
        "rect": rect or None,
        "agnostic": agnostic,
    }
    given = {name: value for name, value in boxes.items() if value is not None}
    task = task_of_model(source)
    task.check_options(given, source)
    return task.predictor(source, device=device, imgsz=imgsz, precision=precision, threads=threads, **given)


def parameter_count(predictor: Predictor | ClassifierPredictor) -> int | None:
    """Return the number of parameters of the network as trained; None if an export's card does not say."""
    runtime: Any = predictor.runtime
    card = getattr(runtime, "card", None)
    if card is not None:
        params = card.facts.get("complexity", {}).get("params")
        return None if params is None else int(params)
    network = getattr(runtime, "network", None)
    return None if network is None else sum(parameter.numel() for parameter in network.parameters())


def computed(predictor: Predictor | ClassifierPredictor) -> str:
    """How a predictor computes, in words, such as ``cpu, fp32, channels last, rewritten network, 2 threads``."""
    runtime: Any = predictor.runtime
    device, precision = getattr(runtime, "device", "cpu"), getattr(runtime, "precision", "fp32")
    computing = getattr(runtime, "computing", None)  # other runtimes arrange this themselves
    if computing is None or str(device) != "cpu":
        return f"{device}, {precision}"
    return f"{device}, {computing.precision}, {computing.kernels}, {counted(computing.threads, 'thread')}"
