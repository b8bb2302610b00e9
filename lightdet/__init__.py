"""lightdet: a light detector for defects on industrial pictures.

>>> predictor = lightdet.load("best.safetensors")
>>> for box, score, label in predictor("part.png"):
...     print(predictor.names[label], score, box)

Names are looked up when first used, so ``import lightdet`` is instant and does not import torch.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself takes a moment to import
if TYPE_CHECKING:
    from typing import Any

    from lightdet.errors import UserError
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.predictor import Predictor
    from lightdet.inference.tiled import TiledPredictor
    from lightdet.runs.load import load
    from lightdet.structures import Annotation, Classification, Detections

    __version__: str

__all__ = [
    "Annotation",
    "Classification",
    "ClassifierPredictor",
    "Detections",
    "Predictor",
    "TiledPredictor",
    "UserError",
    "__version__",
    "load",
]

_HOMES = {
    "Annotation": "lightdet.structures",
    "Classification": "lightdet.structures",
    "ClassifierPredictor": "lightdet.inference.classifier",
    "Detections": "lightdet.structures",
    "Predictor": "lightdet.inference.predictor",
    "TiledPredictor": "lightdet.inference.tiled",
    "UserError": "lightdet.errors",
    "load": "lightdet.runs.load",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'lightdet' has no attribute '{name}'; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - it takes 20 ms

    for distribution in ("lightdet", "lightdet-runtime"):  # the second is the same package, without torch
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "0+unknown"  # run from a checkout that is not installed
