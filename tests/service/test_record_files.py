"""Records as Parquet beside the same records as CSV, and what is left of a file that could not be finished."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.decisions.promise import Promise
from lightdet.errors import UserError
from lightdet.service import parquet as writer
from lightdet.service.record_files import write_records

pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs pip install 'lightdet[parquet]'")
from pyarrow import parquet  # noqa: E402

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
numbers = st.floats(0, 1e4).map(lambda value: round(value, 3))
findings = st.fixed_dictionaries(
    {
        "name": texts,
        "label": st.integers(0, 100),
        "score": st.floats(0, 1),
        "box": st.lists(numbers, min_size=4, max_size=4),
        "defect": st.booleans(),
    },
    optional={"zones": st.lists(texts.filter(lambda text: ";" not in text and text), max_size=3)},
)
records = st.fixed_dictionaries(
    {
        "id": st.text("0123456789abcdef", min_size=32, max_size=32),
        "time_ms": st.integers(0, 4_000_000_000_000),
        "name": texts,
        "decision": st.sampled_from(["OK", "NG"]),
        "defects": st.integers(0, 9),
        "size": st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
        "bytes": st.integers(0, 2**40),
        "sha256": st.text("0123456789abcdef", min_size=64, max_size=64),
        "model": st.fixed_dictionaries({"name": texts, "version": texts, "sha256": st.none() | texts}),
        "milliseconds": st.sampled_from([{}, {"total": 12.5}]),
        "detections": st.lists(findings, max_size=3),
        # A version that did not record them left these empty.
        **{name: st.none() | texts for name in ("key", "role", "station", "order", "software", "original", "not_kept")},
        "overridden": st.none() | st.booleans(),
        "rule": st.sampled_from([{"threshold": 0.5}, {"none": "it came too late"}]),
        "promise": st.none() | st.sampled_from([Promise().as_dict(), Promise("escape_rate", 0.1, 0.9).as_dict()]),
    }
)


@given(st.lists(records, max_size=7), st.sampled_from(["inspections", "detections"]), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_it_says_what_the_csv_says(
    tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, Any]], rows: Any, group: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_GROUP", group)
        assert write_records(found, folder / "a.parquet", rows) == len(found)
    write_records(found, folder / "a.csv", rows)
    table = parquet.read_table(folder / "a.parquet")
    assert table.schema.field("time").type == pyarrow.timestamp("ms", tz="UTC")
    plain = list(csv.DictReader(io.StringIO((folder / "a.csv").read_text(encoding="utf-8-sig"), newline="")))
    values = table.to_pylist()
    assert len(values) == len(plain)
    for value, row in zip(values, plain, strict=True):
        assert set(value) - {"detections"} == set(row)
        for name, cell in row.items():
            assert same(value[name], cell), (name, value[name], cell)
    if rows == "inspections":
        for value, record in zip(values, found, strict=True):
            assert [(each["class"], each["label"], each["score"], each["defect"]) for each in value["detections"]] == [
                (each["name"], each["label"], each["score"], each["defect"]) for each in record["detections"]
            ]
            assert [each["zones"] for each in value["detections"]] == [
                each.get("zones") for each in record["detections"]
            ]
            boxes = [[each[side] for side in ("x1", "y1", "x2", "y2")] for each in value["detections"]]
            assert boxes == [each["box"] for each in record["detections"]]


def same(value: Any, cell: str) -> bool:
    """A value of Parquet and a cell of CSV, where text that a spreadsheet would run begins with an apostrophe."""
    if value is None:
        return cell == ""
    if isinstance(value, datetime):
        return value.utcoffset() is not None and value == datetime.fromisoformat(cell).astimezone(UTC)
    if isinstance(value, bool):
        return cell == str(int(value))
    if isinstance(value, int | float):
        return float(cell) == value
    text = ";".join(value) if isinstance(value, list) else value
    return cell.replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_file_is_whole_or_not_there(tmp_path: Path, name: str) -> None:
    def breaking() -> Iterator[dict[str, Any]]:
        yield records_example()
        raise OSError(28, "No space left on device")

    (tmp_path / name).write_bytes(b"before")
    with pytest.raises(UserError, match="No space left on device"):
        write_records(breaking(), tmp_path / name, "inspections")
    assert [each.name for each in tmp_path.iterdir()] == [name] and (tmp_path / name).read_bytes() == b"before"


def records_example() -> dict[str, Any]:
    return {
        "id": "0" * 32, "time_ms": 0, "name": "a", "decision": "OK", "defects": 0, "size": (1, 1), "bytes": 1,
        "sha256": "0" * 64, "model": {"name": "m", "version": "v", "sha256": None}, "milliseconds": {},
        "detections": [], "key": None, "role": None, "station": None, "order": None, "software": None,
        "overridden": None, "promise": None, "original": None, "not_kept": None,
    }  # fmt: skip
