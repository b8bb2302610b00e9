"""Records as CSV for spreadsheets: bytes that Excel reads as UTF-8, cells that it does not run."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from lightdet.decisions.promise import table_word
from lightdet.service.inspection import iso_time

INSPECTION_COLUMNS = (
    "id", "time", "name", "decision", "defects", "defect_classes", "best_score", "width", "height", "bytes",
    "sha256", "model", "version", "milliseconds", "overridden", "model_sha256", "key", "role", "station", "order",
    "software", "original", "not_kept", "defect_zones", "promise",
)  # fmt: skip
DETECTION_COLUMNS = (
    "id", "time", "name", "decision", "class", "score", "x1", "y1", "x2", "y2", "defect", "overridden", "zones",
)  # fmt: skip
CORRECTION_COLUMNS = (
    "id", "time", "inspection", "name", "decision", "corrected", "note", "boxes", "key", "role", "sha256", "original",
)  # fmt: skip
_SPLITS = re.compile(r'(^|;)([ "]*[=+\-@\t\r\n])')
"""A cell that begins so may be run as a formula by a spreadsheet (OWASP, CSV injection); where it splits lines at
semicolons, as in much of Europe, one begins after each of them."""
_MARK = "\ufeff"
_CHUNK = 64 * 1024


def safe_cell(value: object) -> object:
    """Return numbers as they are, and text so that no spreadsheet runs it, nor any part of it."""
    if not isinstance(value, str):
        return value
    return _SPLITS.sub(lambda found: f"{found[1]}'{found[2]}", value)


def inspection_rows(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[object, ...]]:
    """Yield one row an inspection, in the order of `INSPECTION_COLUMNS`."""
    for record in records:
        found = record["detections"]
        defects = [each for each in found if each["defect"]]
        classes = dict.fromkeys(each["name"] for each in defects)
        yield (
            record["id"], iso_time(record["time_ms"]), record["name"], decision(record), record["defects"],
            ";".join(classes), found[0]["score"] if found else "", *record["size"], record["bytes"],
            record["sha256"], record["model"]["name"], record["model"]["version"],
            record["milliseconds"].get("total", ""), _flag(record["overridden"]), record["model"]["sha256"],
            record["key"], record["role"], record["station"], record["order"], record["software"],
            record["original"], record["not_kept"], ";".join(zones_in(defects)),
            "" if record["promise"] is None else table_word(record["promise"]),
        )  # fmt: skip


def detection_rows(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[object, ...]]:
    """Yield one row per detection, in the order of `DETECTION_COLUMNS`."""
    for record in records:
        for each in record["detections"]:
            yield (
                record["id"], iso_time(record["time_ms"]), record["name"], decision(record), each["name"],
                each["score"], *each["box"], int(each["defect"]), _flag(record["overridden"]),
                ";".join(each.get("zones", ())),
            )  # fmt: skip


def correction_rows(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[object, ...]]:
    """Yield one row per correction, in the order of `CORRECTION_COLUMNS`; ``boxes`` is JSON, or empty."""
    for record in records:
        for each in record["corrections"]:
            boxes = "" if each["boxes"] is None else json.dumps(each["boxes"], ensure_ascii=False)
            yield (
                each["id"], iso_time(each["time_ms"]), record["id"], record["name"], decision(record),
                each["decision"], each["note"], boxes, each["key"], each["role"], record["sha256"], record["original"],
            )  # fmt: skip


def decision(record: Mapping[str, Any]) -> str:
    """Return ``OK``, ``NG``, or ``none`` for a part that was not judged: its record has a reason in place of a rule."""
    return "none" if record["overridden"] and "none" in record["rule"] else str(record["decision"])


def zones_in(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the zones that detections lie in, each once."""
    return list(dict.fromkeys(zone for each in found for zone in each.get("zones", ())))


def _flag(value: bool | None) -> object:
    """1, 0, or an empty cell where it is not known."""
    return "" if value is None else int(value)


def csv_chunks(columns: Iterable[str], rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    """Yield the bytes of a CSV file, head line first, in chunks of about 64 KiB."""
    buffer = io.StringIO()
    buffer.write(_MARK)
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
        if buffer.tell() >= _CHUNK:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


Rows: TypeAlias = Callable[[Iterable[Mapping[str, Any]]], Iterator[tuple[object, ...]]]
TABLES: Mapping[str, tuple[tuple[str, ...], Rows]] = {
    "inspections": (INSPECTION_COLUMNS, inspection_rows),
    "detections": (DETECTION_COLUMNS, detection_rows),
    "corrections": (CORRECTION_COLUMNS, correction_rows),
}
"""By what has a row: the columns, and the rows of records."""
