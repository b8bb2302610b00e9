"""The conditions under which a runtime looks at pictures."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from lightdet.decisions.conditions import Conditions


def conditions_of(runtime: Any) -> Conditions:
    """Return what every runtime decides; what a foreign runtime does not tell is unlike any calibration."""
    preprocessing = asdict(runtime.preprocessing)
    digest = getattr(runtime, "weights_digest", None)
    return Conditions(
        runtime=getattr(runtime, "kind", ""),
        precision=str(getattr(runtime, "precision", "")),
        imgsz=preprocessing.pop("imgsz"),
        preprocessing=preprocessing,
        weights=None if digest is None else digest(),
    )


def detector_conditions(runtime: Any, *, rect: bool) -> Conditions:
    """Return what a detector's runtime decides as well."""
    return replace(
        conditions_of(runtime),
        rect=rect,
        iou=getattr(runtime, "iou", None),
        agnostic=getattr(runtime, "agnostic", None),
        max_detections=getattr(runtime, "max_detections", None),
        confidence=getattr(runtime, "confidence", None),
    )
