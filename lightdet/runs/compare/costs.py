"""The cost of each model: all are timed together and in turn, so that a busy machine favours none."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightdet import __version__
from lightdet.comparison.results import Cost
from lightdet.files import file_hash, write_json
from lightdet.options.compare import CompareOptions
from lightdet.options.profile import ProfileOptions
from lightdet.runs.profile import profile_models

PROFILE_NAME = "profile.json"


def measure(
    options: CompareOptions, models: Mapping[str, tuple[Path, int]], picture: Path, watcher: Any
) -> tuple[dict[str, Cost], dict[str, Any]]:
    """Return the cost of each model, and the machine it was measured on.

    All are measured together: if a model is added, all are measured again. Kept in the output folder.

    Args:
        models: by name, weights and input size.
        picture: the picture to time.

    Raises:
        UserError: a model that cannot be loaded, a device that is not there.
    """
    if not models:
        return {}, {}
    key = {
        "lightdet": __version__,
        "machine": platform.node(),
        "device": options.device,
        "runs": options.runs,
        "threads": options.threads,
        "picture": str(picture),
        "models": {name: [file_hash(path), side] for name, (path, side) in models.items()},
    }
    path = Path(options.output) / PROFILE_NAME
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return _costs(kept["models"]), kept["on"]
    watcher.profiling(len(models))
    reports = profile_models(
        ProfileOptions(
            weights=[weights for weights, _ in models.values()],
            sides=[side for _, side in models.values()],
            batch=1,
            device=options.device,
            threads=options.threads,
            runs=options.runs,
            picture=picture,
        )
    )
    first = reports[0]
    on = {
        "device": first.device,
        "device_name": first.device_name,
        "threads": first.threads,
        "precision": first.precision,
        "runs": len(first.latency.samples["total"]),
        "picture": list(first.picture),
    }
    measured = {name: report.as_dict() for name, report in zip(models, reports, strict=True)}
    write_json(path, {"key": key, "on": on, "models": measured})
    return _costs(measured), on


def _costs(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Cost]:
    return {
        name: Cost(
            params=values["params"],
            flops=values["flops"],
            imgsz=values["imgsz"],
            latency_ms=values["latency_ms"],
            latency_p95_ms=values["latency_p95_ms"],
        )
        for name, values in measured.items()
    }
