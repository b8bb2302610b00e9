"""Made-up results to make tables and pages of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.comparison.detector_view import DetectorView
from lightdet.comparison.results import Comparison, Cost, Kind, Model, Run
from lightdet.structures import Annotation, Detections

CLASSES = ("Kratzer | ü", "<dent>")


def metrics(
    map50: float, *, ap: tuple[float | None, float | None] = (0.5, 0.25), threshold: float = 0.5
) -> dict[str, Any]:
    per_class = {name: {"ap50": value} for name, value in zip(CLASSES, ap, strict=True)}
    return {
        "map50": map50,
        "map75": map50 / 2,
        "map50_95": map50 / 4,
        "threshold": threshold,
        "per_class": per_class,
    }


def history(*values: float) -> list[dict[str, float]]:
    return [
        {"epoch": float(i), "minutes": i / 2, "loss": 100.0 / i, "box": 1.0 / i, "iou": 2.0, "map50": value, "lr": 0.1}
        for i, value in enumerate(values, 1)
    ]


def run(map50: float, label: str = "", seed: int | None = None, **more: Any) -> Run:
    return Run(label, seed, metrics(map50, **more), history(map50 / 2, map50) if seed is not None else ())


def model(name: str, *runs: Run, kind: Kind = "trained", params: int | None = 1_500_000, **more: Any) -> Model:
    cost = None
    if params is not None:
        times = {"preprocess": 1.0, "network": params / 1e6, "postprocess": 1.0, "total": params / 1e6 + 2}
        cost = Cost(params, 2 * params * 1000, 608, times, {**times, "total": params / 1e6 + 3})
    return Model(name, kind, f"configs/{name}.yaml", runs, cost=cost, **more)


def comparison(*models: Model, pictures: Sequence[Annotation] = (), **more: Any) -> Comparison:
    return Comparison("A <title>", CLASSES, models, DetectorView(pictures), **more)


def picture() -> tuple[Annotation, Detections]:
    boxes = np.array([[10, 10, 40, 40], [60, 60, 90, 90]], np.float32)
    truth = Annotation(Path("folder/pic <1>.png"), (100, 100), boxes, np.array([0, 1]))
    found = Detections(boxes[:1], np.array([0.75], np.float32), np.array([0]), CLASSES, (100, 100))
    return truth, found
