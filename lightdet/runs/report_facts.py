"""What the report of a validation says about the model, the zones and the software."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.runs.load import computed, parameter_count
from lightdet.runs.zoned_truths import ZonedLabels
from lightdet.storage.kept import shown_path
from lightdet.wording import counted

Facts = tuple[dict[str, str], dict[str, Any]]
"""For people, and for the JSON."""


def about_model(
    predictor: Any,
    weights: Path,
    stages: Sequence[str],
    found: Sequence[Any],
    *,
    batch: int,
    device: str,
    precision: Any,
    seconds: float,
) -> Facts:
    """Return what the report says about the model that made `found` in so many `seconds`.

    Args:
        predictor: the model.
        weights: its file.
        stages: of which the predictions have their times.
        found: the predictions.
        batch: pictures per call.
        device, precision: as they were asked for, where the runtime does not tell its own.
        seconds: for all pictures, including reading.
    """
    preprocessing = predictor.preprocessing
    side = preprocessing.imgsz
    medians = {s: float(np.median([each.milliseconds.get(s, 0.0) for each in found])) for s in stages}
    rate = len(found) / seconds
    params = parameter_count(predictor)
    facts = {
        "weights": shown_path(weights),
        "parameters": "unknown" if params is None else f"{params / 1e6:.3f} million",
        "input": f"{side} × {side} pixels{', gray' if preprocessing.gray else ''}",
        "runs on": f"{computed(predictor)}, batch {batch}",
        "time per picture": ", ".join(f"{s} {value:.1f} ms" for s, value in medians.items()) + " (medians)",
        "pace": f"{rate:.1f} pictures per second, including reading",
    }
    details = {
        "weights": shown_path(weights),
        "params": params,
        "imgsz": side,
        "device": str(getattr(predictor.runtime, "device", device)),
        "precision_mode": str(getattr(predictor.runtime, "precision", precision)),
        "batch": batch,
        "latency_ms": {**medians, "total": sum(medians.values())},
        "images_per_second": rate,
    }
    return facts, details


def about_zones(labels: ZonedLabels | None, found: Sequence[Any]) -> Facts:
    """Return what the report says about zones; nothing without them."""
    if labels is None:
        return {}, {}
    outside = sum(each.outside or 0 for each in found)
    left_out = f"{counted(labels.outside, 'labelled box')} and {counted(outside, 'detection')} outside are left out"
    counts = {"labels": labels.outside, "detections": outside}
    return {"zones": f"{labels.zones.describe()}; {left_out}"}, {"zones": labels.zones.as_dict(), "outside": counts}


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
