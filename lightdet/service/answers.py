"""A record as the API answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightdet.service.inspection import iso_time


def as_result(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its times as text, and the address of its picture if that was kept."""
    return {
        **timed(record),
        "original": original_address(record["id"]) if record["original"] else None,
        "corrections": [timed(each) for each in record["corrections"]],
    }


def original_address(identity: str) -> str:
    """Return where a kept picture is answered, within the service."""
    return f"/api/inspections/{identity}/original"


def timed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return these values with ``time`` in place of ``time_ms``."""
    return {"time": iso_time(record["time_ms"])} | {key: value for key, value in record.items() if key != "time_ms"}
