"""A classifier's model file → a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.assembly.classifier import fixed_size
from lightdet.assembly.classifier import load_classifier as load_network
from lightdet.assembly.need_torch import need_torch
from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.inference.classifier import ClassifierPredictor, ClassRuntime


def load_classifier(
    path: str | Path,
    *,
    device: str = "cpu",
    imgsz: int | None = None,
    precision: Literal["fp32", "bf16", "fp16"] | None = None,
    threads: int | None = None,
) -> ClassifierPredictor:
    """Return a predictor for a trained classifier, or for what was exported from one; torch is for the first only.

    Args:
        path: the model file that training wrote (``best.safetensors``), or an export (``.onnx``, ``.xml``).
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``; for ``.xml`` what OpenVINO knows: ``cpu``, ``gpu``, ``auto``.
        imgsz: side of the network input, a multiple of 32; by default the one of the training or export.
        precision: fp32, or bf16 or fp16 where they are faster; default fp32, or what the export was made for.
        threads: of the processor; by default what the runtime chooses.

    Raises:
        UserError: a missing, truncated or foreign file, a detector's, a device that is not there, an input size that
            the network cannot take.
    """
    source = Path(path)
    if not source.is_file():  # said before torch is imported, which takes seconds
        raise UserError("is a folder; give the .safetensors in it" if source.is_dir() else "no such file", path=path)
    if threads is not None and threads < 1:
        raise UserError(f"threads must be at least 1, got {threads}")
    from lightdet.inference.classifier import ClassifierPredictor  # noqa: PLC0415 - OpenCV only when it is wanted
    from lightdet.inference.open_exported import SUFFIXES, open_exported  # noqa: PLC0415

    if source.suffix.lower() in SUFFIXES:
        from lightdet.inference.exported_classifier import ExportedClassRuntime  # noqa: PLC0415

        file = open_exported(source, device=device, threads=threads, precision=precision)
        return ClassifierPredictor(ExportedClassRuntime(file, imgsz=imgsz))
    return ClassifierPredictor(_trained(source, device, imgsz, precision, threads))


def parameter_count(predictor: ClassifierPredictor) -> int:
    """Return the number of parameters of the network as it was trained."""
    runtime: Any = predictor.runtime
    card = getattr(runtime, "card", None)
    if card is not None:
        return int(card.facts.get("complexity", {}).get("params", 0))
    return sum(parameter.numel() for parameter in runtime.network.parameters())


def _trained(path: Path, device: str, imgsz: int | None, precision: str | None, threads: int | None) -> ClassRuntime:
    need_torch(path)
    from lightdet.classification.runtime import TorchClassRuntime  # noqa: PLC0415
    from lightdet.models.device import choose_device  # noqa: PLC0415

    chosen = choose_device(device)
    network, config, card = load_network(path)
    preprocessing = card.preprocessing
    if imgsz is not None and imgsz != preprocessing.imgsz:
        if fixed_size(config):
            raise UserError(
                f"takes pictures of {preprocessing.imgsz} pixels alone ({config.name}), not {imgsz}", path=path
            )
        try:
            preprocessing = replace(preprocessing, imgsz=imgsz)
        except ValueError as error:
            raise UserError(str(error)) from None
    return TorchClassRuntime(
        network, card.names, preprocessing, device=chosen, precision=precision or "fp32", threads=threads
    )
