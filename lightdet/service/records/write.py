"""Writing rows, each behind the last one of the chain; a row is never changed afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from lightdet import __version__
from lightdet.service.inspection import Inspection, Origin, new_id
from lightdet.service.records.chain import Chain
from lightdet.service.records.hours import count
from lightdet.service.records.rows import correction_dict, detection_rows, inspection_row
from lightdet.service.records.tables import corrections, detections, inspections, model_changes, thumbnails
from lightdet.service.records.text_index import index_texts


def write_inspections(connection: Connection, chain: Chain, entries: Sequence[Inspection]) -> None:
    """Write these; what is there already is left as it is."""
    ids = [entry.id for entry in entries]
    there = set(connection.execute(select(inspections.c.id).where(inspections.c.id.in_(ids))).scalars())
    fresh = [entry for entry in entries if entry.id not in there]
    if not fresh:
        return
    rows, found = [], []
    for entry in fresh:
        row, mine = inspection_row(entry), list(detection_rows(entry))
        chain.extend("inspection", row, mine, entry.thumbnail)
        rows.append(row)
        found += mine
    connection.execute(insert(inspections), rows)
    if found:
        connection.execute(insert(detections), found)
    small = [{"inspection": e.id, "jpeg": e.thumbnail} for e in fresh if e.thumbnail is not None]
    if small:
        connection.execute(insert(thumbnails), small)
    index_texts(connection, rows)
    count(connection, rows, found)


def write_model(
    connection: Connection, chain: Chain, time_ms: int, model: str, sha256: str, before: str | None
) -> None:
    """Write which model answers from now on, and which one did; None at a start."""
    row = {"id": new_id(time_ms), "time_ms": time_ms, "model": model, "sha256": sha256, "before": before}
    chain.extend("model", row)
    connection.execute(insert(model_changes), row)


def write_correction(
    connection: Connection,
    chain: Chain,
    identity: str,
    decision: str | None,
    note: str,
    origin: Origin,
    time_ms: int,
    boxes: Sequence[dict[str, Any]] | None = None,
) -> dict[str, Any] | None:
    """Write a correction and return it; None where there is no such inspection.

    `boxes` are checked (`lightdet.service.corrected_boxes`); None: nothing is said of them.
    """
    if connection.execute(select(inspections.c.id).where(inspections.c.id == identity)).scalar() is None:
        return None
    row: dict[str, Any] = {
        "id": new_id(time_ms),
        "time_ms": time_ms,
        "inspection": identity,
        "decision": decision,
        "note": note,
        "key_name": origin.key,
        "role": origin.role,
        "software": __version__,
        "boxes": None if boxes is None else json.dumps(list(boxes), ensure_ascii=False),
    }
    chain.extend("correction", row)
    connection.execute(insert(corrections), row)
    return correction_dict(row)
