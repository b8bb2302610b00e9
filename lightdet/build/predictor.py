"""A model file → a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lightdet.config import EvalConfig, YamlFile, load_network_config
from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.inference.predictor import Predictor
    from lightdet.models import DetectionNetwork
    from lightdet.models.weights import ModelCard


def load(
    path: str | Path,
    *,
    device: str = "cpu",
    imgsz: int | None = None,
    confidence: float = 0.25,
    iou: float | None = None,
    max_detections: int | None = None,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    rect: bool = False,
) -> Predictor:
    """Return a predictor for a trained model (``best.safetensors``).

    Args:
        path: the model file that training wrote.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        imgsz: side of the network input, a multiple of 32; by default the one of the training.
        confidence: lowest score reported, in [0, 1].
        iou: NMS threshold in [0, 1]; default 0.55.
        max_detections: most boxes a picture; default 300.
        precision: fp32, or bf16 or fp16 where they are faster.
        rect: letterbox to rectangles in multiples of 32 instead of squares.

    Raises:
        UserError: a missing, truncated or foreign file, a device that is not there, a value out of range.
    """
    if not Path(path).is_file():  # said before torch is imported, which takes seconds
        raise UserError(
            "is a folder; give the .safetensors in it" if Path(path).is_dir() else "no such file", path=path
        )
    from lightdet.inference.predictor import Predictor  # noqa: PLC0415 - torch only when a network is wanted
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
    runtime = TorchRuntime(
        detector,
        card.names,
        preprocessing,
        confidence=confidence,
        iou=defaults.iou if iou is None else iou,
        max_detections=defaults.max_detections if max_detections is None else max_detections,
        device=chosen,
        precision=precision,
    )
    return Predictor(runtime, confidence=confidence, rect=rect)


def load_detector(path: str | Path) -> tuple[DetectionNetwork, ModelCard]:
    """Rebuild the network of a model file on the CPU, with its card.

    Raises:
        UserError: a missing, truncated or foreign file; a card and weights that do not fit each other.
    """
    import torch  # noqa: PLC0415

    from lightdet.build.model import build_detector  # noqa: PLC0415
    from lightdet.models.weights import load_model  # noqa: PLC0415

    weights, card = load_model(path)
    if not isinstance(card.model, dict) or not all(isinstance(name, str) for name in card.names):
        raise UserError("its model card is damaged; train or export it again", path=path)
    if not card.names:
        raise UserError("names no classes; train or export it again", path=path)
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
