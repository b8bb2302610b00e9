"""lightdet: a lightweight detector for defects in industrial pictures.

>>> run = lightdet.train("mine.yaml", imgsz=64, epochs=1, batch=4, output="runs/mine", progress=False)
>>> model = lightdet.load(run.best)
>>> for box, score, label in model("part.png"):
...     print(model.names[label], score, box)

Names are imported on first use, so ``import lightdet`` is instant and does not import torch.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself takes a moment to import
if TYPE_CHECKING:
    from typing import Any

    from lightdet.api.compare import compare
    from lightdet.api.crossval import cross_validate
    from lightdet.api.detect import detect, explain
    from lightdet.api.export import export
    from lightdet.api.profile import profile
    from lightdet.api.train import train
    from lightdet.api.tune import tune
    from lightdet.api.validate import calibrate, validate
    from lightdet.decisions import Decision
    from lightdet.errors import UserError
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.predictor import Predictor
    from lightdet.inference.results import ClassificationResult, DetectionResult
    from lightdet.inference.tiled import TiledPredictor
    from lightdet.runs.load import load
    from lightdet.structures import Annotation, Classification, Detections
    from lightdet.training.callbacks.base import Callback, TrainingRun
    from lightdet.training.callbacks.mlflow import MLflow
    from lightdet.training.callbacks.wandb import WandB
    from lightdet.training.result import Scores, TrainResult

    __version__: str

__all__ = [
    "Annotation",
    "Callback",
    "Classification",
    "ClassificationResult",
    "ClassifierPredictor",
    "Decision",
    "DetectionResult",
    "Detections",
    "MLflow",
    "Predictor",
    "Scores",
    "TiledPredictor",
    "TrainResult",
    "TrainingRun",
    "UserError",
    "WandB",
    "__version__",
    "calibrate",
    "compare",
    "cross_validate",
    "detect",
    "explain",
    "export",
    "load",
    "profile",
    "train",
    "tune",
    "validate",
]

_HOMES = {
    "TrainingRun": "lightdet.training.callbacks.base",
    "WandB": "lightdet.training.callbacks.wandb",
    "MLflow": "lightdet.training.callbacks.mlflow",
    "Callback": "lightdet.training.callbacks.base",
    "Annotation": "lightdet.structures",
    "Classification": "lightdet.structures",
    "ClassificationResult": "lightdet.inference.results",
    "ClassifierPredictor": "lightdet.inference.classifier",
    "Decision": "lightdet.decisions",
    "DetectionResult": "lightdet.inference.results",
    "Detections": "lightdet.structures",
    "Predictor": "lightdet.inference.predictor",
    "Scores": "lightdet.training.result",
    "TiledPredictor": "lightdet.inference.tiled",
    "TrainResult": "lightdet.training.result",
    "UserError": "lightdet.errors",
    "calibrate": "lightdet.api.validate",
    "compare": "lightdet.api.compare",
    "cross_validate": "lightdet.api.crossval",
    "detect": "lightdet.api.detect",
    "explain": "lightdet.api.detect",
    "export": "lightdet.api.export",
    "load": "lightdet.runs.load",
    "profile": "lightdet.api.profile",
    "train": "lightdet.api.train",
    "tune": "lightdet.api.tune",
    "validate": "lightdet.api.validate",
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
