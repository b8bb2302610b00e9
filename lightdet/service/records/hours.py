"""Counts per hour, kept in the transaction that writes or deletes what they count, so that nothing is counted anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, text

HOUR_MS = 3_600_000
_ADD = text(
    "INSERT INTO hours (hour, inspected, rejected, overridden) VALUES (:hour, :inspected, :rejected, :overridden) "
    "ON CONFLICT (hour) DO UPDATE SET inspected = hours.inspected + excluded.inspected, "
    "rejected = hours.rejected + excluded.rejected, overridden = hours.overridden + excluded.overridden"
)
_ADD_CLASS = text(
    "INSERT INTO class_hours (hour, name, defects, pictures) VALUES (:hour, :name, :defects, :pictures) "
    "ON CONFLICT (hour, name) DO UPDATE SET defects = class_hours.defects + excluded.defects, "
    "pictures = class_hours.pictures + excluded.pictures"
)


def count(
    connection: Connection, rows: Iterable[Mapping[str, Any]], found: Iterable[Mapping[str, Any]], sign: int = 1
) -> None:
    """Add inspections and their detections to the counts; with `sign` -1, take them away.

    What was decided by a rule of the caller's own is counted as overridden alone.
    """
    hours: dict[int, Counter[str]] = {}
    hour_of: dict[str, int] = {}
    for row in rows:
        hour = row["time_ms"] // HOUR_MS
        counts = hours.setdefault(hour, Counter(inspected=0, rejected=0, overridden=0))
        if row["overridden"]:
            counts["overridden"] += sign
            continue
        hour_of[row["id"]] = hour
        counts["inspected"] += sign
        counts["rejected"] += sign * (row["decision"] == "NG")
    defects: Counter[tuple[int, str]] = Counter()
    pictures: Counter[tuple[int, str]] = Counter()
    seen: set[tuple[str, str]] = set()
    for each in found:
        hour_found = hour_of.get(each["inspection"])
        if hour_found is None or not each["defect"]:
            continue
        key = (hour_found, each["name"])
        defects[key] += sign
        if (each["inspection"], each["name"]) not in seen:
            seen.add((each["inspection"], each["name"]))
            pictures[key] += sign
    # In order, so that two transactions never wait for each other.
    if hours:
        connection.execute(_ADD, [{"hour": hour, **hours[hour]} for hour in sorted(hours)])
    if defects:
        values = [
            {"hour": hour, "name": name, "defects": defects[hour, name], "pictures": pictures[hour, name]}
            for hour, name in sorted(defects)
        ]
        connection.execute(_ADD_CLASS, values)
