"""An inspection as rows of the tables, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Row

from lightdet.service.inspection import Inspection

PROMISE = "promise"
"""Where the JSON of a row's rule holds what was promised."""
PLACES = "places"
"""Where it holds the digest of the zones, and the zones of each detection."""


def inspection_row(entry: Inspection) -> dict[str, Any]:
    """Return the row of an inspection."""
    return {
        "id": entry.id,
        "time_ms": entry.time_ms,
        "name": entry.name,
        "sha256": entry.sha256,
        "bytes": entry.length,
        "width": entry.size[0],
        "height": entry.size[1],
        "model": entry.model.name,
        "version": entry.model.version,
        "rule": json.dumps({**entry.rule, PROMISE: entry.promise, **_places(entry)}, ensure_ascii=False),
        "decision": entry.decision,
        "defects": entry.defects,
        "total_ms": entry.milliseconds.get("total", 0.0),
        "stages": json.dumps(entry.milliseconds),
        "overridden": entry.overridden,
        "model_sha256": entry.model.sha256,
        "key_name": entry.origin.key,
        "role": entry.origin.role,
        "station": entry.origin.station,
        "order_number": entry.origin.order,
        "software": entry.software,
        "original": entry.original,
        "not_kept": entry.not_kept,
    }


def _places(entry: Inspection) -> dict[str, Any]:
    if not entry.zones:
        return {}
    return {PLACES: {"zones": entry.zones, "detections": [each.get("zones", []) for each in entry.detections]}}


def detection_rows(entry: Inspection) -> Iterator[dict[str, Any]]:
    """Yield the rows of its detections."""
    for place, each in enumerate(entry.detections):
        x1, y1, x2, y2 = each["box"]
        yield {
            "inspection": entry.id,
            "place": place,
            **{key: each[key] for key in ("name", "label", "score", "defect")},
            **{"x1": x1, "y1": y1, "x2": x2, "y2": y2},
        }


def inspection_dict(row: Row[Any], detections: Iterable[Row[Any]], corrections: Iterable[Row[Any]]) -> dict[str, Any]:
    """Return an inspection as plain values; what an earlier version did not record is None."""
    rule = json.loads(row.rule)
    promise, places = rule.pop(PROMISE, None), rule.pop(PLACES, None)
    found = [_detection_dict(each) for each in detections]
    if places is not None:
        found = [each | {"zones": zones} for each, zones in zip(found, places["detections"], strict=True)]
    return {
        "id": row.id,
        "time_ms": row.time_ms,
        "name": row.name,
        "sha256": row.sha256,
        "bytes": row.bytes,
        "size": [row.width, row.height],
        "model": {"name": row.model, "version": row.version, "sha256": row.model_sha256},
        "rule": rule,
        "promise": promise,
        "overridden": row.overridden,
        "zones": None if places is None else places["zones"],
        "key": row.key_name,
        "role": row.role,
        "station": row.station,
        "order": row.order_number,
        "software": row.software,
        "original": row.original,
        "not_kept": row.not_kept,
        "decision": row.decision,
        "defects": row.defects,
        "detections": found,
        "corrections": [correction_dict(each._asdict()) for each in corrections],
        "milliseconds": json.loads(row.stages),
    }


def correction_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a correction as plain values."""
    return {
        "id": row["id"],
        "time_ms": row["time_ms"],
        "decision": row["decision"],
        "note": row["note"],
        "key": row["key_name"],
        "role": row["role"],
        "boxes": None if row["boxes"] is None else json.loads(row["boxes"]),
    }


def _detection_dict(row: Row[Any]) -> dict[str, Any]:
    return {
        "box": [row.x1, row.y1, row.x2, row.y2],
        "score": row.score,
        "label": row.label,
        "name": row.name,
        "defect": bool(row.defect),
    }
