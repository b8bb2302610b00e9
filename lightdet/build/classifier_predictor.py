"""A classifier's model file → a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lightdet.build.classifier import fixed_size
from lightdet.build.classifier import load_classifier as load_network
from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.classification.predictor import ClassifierPredictor


def load_classifier(
    path: str | Path,
    *,
    device: str = "cpu",
    imgsz: int | None = None,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    threads: int | None = None,
) -> ClassifierPredictor:
    """Return a predictor for a trained classifier (``best.safetensors``).

    Args:
        path: the model file that training wrote.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        imgsz: side of the network input, a multiple of 32; by default the one of the training.
        precision: fp32, or bf16 or fp16 where they are faster.
        threads: of the processor; by default what torch chooses.

    Raises:
        UserError: a missing, truncated or foreign file, a detector's, a device that is not there, an input size that
            the network cannot take.
    """
    if not Path(path).is_file():  # said before torch is imported, which takes seconds
        raise UserError(
            "is a folder; give the .safetensors in it" if Path(path).is_dir() else "no such file", path=path
        )
    if threads is not None and threads < 1:
        raise UserError(f"threads must be at least 1, got {threads}")
    import torch  # noqa: PLC0415

    from lightdet.classification.predictor import ClassifierPredictor  # noqa: PLC0415
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
    if threads is not None:
        torch.set_num_threads(threads)
    return ClassifierPredictor(network, card.names, preprocessing, device=chosen, precision=precision)
