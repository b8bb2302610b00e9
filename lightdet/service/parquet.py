"""Records as Parquet, with types that pandas and DuckDB read as they are: times with their zone, lists, structs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from lightdet.decisions.promise import table_word
from lightdet.service.csv_rows import (
    CORRECTION_COLUMNS,
    DETECTION_COLUMNS,
    INSPECTION_COLUMNS,
    correction_rows,
    detection_rows,
    inspection_rows,
    zones_in,
)

_GROUP = 20_000
"""Rows that are held, and written, at a time."""
_WHOLE = frozenset({"defects", "width", "height", "bytes", "label"})
_NUMBERS = frozenset({"best_score", "milliseconds", "score", "x1", "y1", "x2", "y2"})
_FLAGS = frozenset({"overridden", "defect"})
_LISTS = frozenset({"defect_classes", "defect_zones", "zones"})
_BOXES = CORRECTION_COLUMNS.index("boxes")
_FOUND = ("class", "label", "score", "x1", "y1", "x2", "y2", "defect", "zones")


def write_inspections(records: Iterable[Mapping[str, Any]], target: Path) -> None:
    """Write a row per inspection: the columns of the CSV, ``defect_classes`` and ``defect_zones`` as lists, and
    ``detections``, a list of structs.
    """
    _write((*INSPECTION_COLUMNS, "detections"), map(_inspection, records), target)


def write_detections(records: Iterable[Mapping[str, Any]], target: Path) -> None:
    """Write a row per detection, with the columns of the CSV, ``zones`` as a list."""
    rows = (
        _typed(DETECTION_COLUMNS, row, record) | {"zones": each.get("zones")}
        for record in records
        for row, each in zip(detection_rows([record]), record["detections"], strict=True)
    )
    _write(DETECTION_COLUMNS, rows, target)


def write_corrections(records: Iterable[Mapping[str, Any]], target: Path) -> None:
    """Write a row per correction, with the columns of the CSV; ``boxes`` is JSON, null if none were said."""
    rows = (
        dict(zip(CORRECTION_COLUMNS, row, strict=True)) | {"time": each["time_ms"], "boxes": row[_BOXES] or None}
        for record in records
        for row, each in zip(correction_rows([record]), record["corrections"], strict=True)
    )
    _write(CORRECTION_COLUMNS, rows, target)


def _inspection(record: Mapping[str, Any]) -> dict[str, Any]:
    [row] = inspection_rows([record])
    found = record["detections"]
    defects = [each for each in found if each["defect"]]
    return _typed(INSPECTION_COLUMNS, row, record) | {
        "defect_classes": list(dict.fromkeys(each["name"] for each in defects)),
        "defect_zones": zones_in(defects),
        "promise": None if record["promise"] is None else table_word(record["promise"]),
        "detections": [_detection(each) for each in found],
    }


def _detection(each: Mapping[str, Any]) -> dict[str, Any]:
    x1, y1, x2, y2 = each["box"]
    place = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    named = {"class": each["name"], "label": each["label"], "score": each["score"]}
    return {**named, **place, "defect": each["defect"], "zones": each.get("zones")}


def _typed(columns: Iterable[str], row: Iterable[object], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a CSV's row as values; those that are empty for want of a value are null."""
    values: dict[str, Any] = dict(zip(columns, row, strict=True))
    for name in values.keys() & (_NUMBERS | _FLAGS):
        values[name] = None if values[name] == "" else bool(values[name]) if name in _FLAGS else values[name]
    return values | {"time": record["time_ms"]}


def _write(columns: Iterable[str], rows: Iterator[dict[str, Any]], target: Path) -> None:
    import pyarrow  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    types = dict.fromkeys(_WHOLE, pyarrow.int64())
    types |= dict.fromkeys(_NUMBERS, pyarrow.float64()) | dict.fromkeys(_FLAGS, pyarrow.bool_())
    types |= dict.fromkeys(_LISTS, pyarrow.list_(pyarrow.string()))
    found = pyarrow.struct([(name, types.get(name, pyarrow.string())) for name in _FOUND])
    types |= {
        "time": pyarrow.timestamp("ms", tz="UTC"),
        "detections": pyarrow.list_(found),
    }
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in columns])
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


WRITERS = {"inspections": write_inspections, "detections": write_detections, "corrections": write_corrections}
"""By what has a row."""
