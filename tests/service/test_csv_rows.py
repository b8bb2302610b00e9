"""Records as CSV: what a spreadsheet reads, and what it must not run."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.decisions.promise import Promise
from lightdet.service.csv_rows import (
    DETECTION_COLUMNS,
    INSPECTION_COLUMNS,
    TABLES,
    csv_chunks,
    detection_rows,
    inspection_rows,
    safe_cell,
)


def record(name: str = "part 1", **changes: Any) -> dict[str, Any]:
    return {
        "id": "0" * 32,
        "time_ms": 1_767_225_600_123,
        "name": name,
        "decision": "NG",
        "defects": 2,
        "size": [640, 480],
        "bytes": 1234,
        "sha256": "ab" * 32,
        "model": {"name": "best", "version": "7367af68f706", "sha256": "7367af68f706" + "0" * 52},
        "key": "line1",
        "role": "operator",
        "station": "=1+1",
        "order": None,
        "software": "0.2.0",
        "original": None,
        "not_kept": None,
        "milliseconds": {"total": 12.5},
        "overridden": False,
        "rule": {"threshold": 0.25},
        "promise": None,
        "detections": [
            {"name": "dent", "score": 0.9, "box": [1.5, 2, 3, 4], "defect": True},
            {"name": "=cmd", "score": 0.8, "box": [-1, 2, 3, 4], "defect": True},
            {"name": "weak", "score": 0.1, "box": [0, 0, 1, 1], "defect": False},
        ],
    } | changes


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_one_row_an_inspection() -> None:
    rows = read(b"".join(csv_chunks(INSPECTION_COLUMNS, inspection_rows([record()]))))
    assert rows[0]["time"] == "2026-01-01T00:00:00.123Z"
    assert (rows[0]["decision"], rows[0]["defects"], rows[0]["defect_classes"]) == ("NG", "2", "dent;'=cmd")
    assert (rows[0]["width"], rows[0]["best_score"], rows[0]["milliseconds"]) == ("640", "0.9", "12.5")


@pytest.mark.parametrize("rows", sorted(TABLES))
@pytest.mark.parametrize(
    ("rule", "overridden", "shown"),
    [
        ({"none": "it came too late"}, True, "none"),
        ({"none": "it came too late"}, None, "NG"),  # an old record, of before there were such reasons
        ({"threshold": 0.5}, True, "NG"),
        ({"threshold": 0.5}, False, "NG"),
    ],
)
def test_a_part_without_a_verdict_counts_neither_as_good_nor_as_bad(
    rows: str, rule: dict[str, Any], overridden: bool | None, shown: str
) -> None:
    said = {"id": "1", "time_ms": 0, "decision": "OK", "note": "", "boxes": None, "key": None, "role": None}
    columns, rows_of = TABLES[rows]
    made = read(b"".join(csv_chunks(columns, rows_of([record(rule=rule, overridden=overridden, corrections=[said])]))))
    assert {row["decision"] for row in made} == {shown}


def test_every_cell_is_quoted() -> None:
    text = b"".join(csv_chunks(INSPECTION_COLUMNS, inspection_rows([record()]))).decode("utf-8-sig")
    assert all(line.startswith('"') and line.endswith('"') for line in text.splitlines())
    row = read(text.encode())[0]
    assert (row["station"], row["order"], row["key"], row["role"]) == ("'=1+1", "", "line1", "operator")


def test_one_row_a_detection() -> None:
    rows = read(b"".join(csv_chunks(DETECTION_COLUMNS, detection_rows([record(), record(detections=[])]))))
    assert [row["class"] for row in rows] == ["dent", "'=cmd", "weak"]
    assert [row["defect"] for row in rows] == ["1", "1", "0"]
    assert [row["x1"] for row in rows] == ["1.5", "-1", "0"]  # a number is no formula


def test_zones_and_promise_stand_in_the_rows() -> None:
    zones = (["thread", "=rim"], ["rim"], ["base"])
    found = [each | {"zones": place} for each, place in zip(record()["detections"], zones, strict=True)]
    suspended = Promise("escape_rate", 0.02, 0.95).suspend("focus fell", "focus").as_dict()
    records = [record(detections=found, promise=suspended), record(promise=None)]
    parts = read(b"".join(csv_chunks(INSPECTION_COLUMNS, inspection_rows(records))))
    assert [part["defect_zones"] for part in parts] == ["thread;'=rim;rim", ""]  # not that of what is no defect
    assert [part["promise"] for part in parts] == ["suspended: focus", ""]
    rows = read(b"".join(csv_chunks(DETECTION_COLUMNS, detection_rows(records))))
    assert [row["zones"] for row in rows] == ["thread;'=rim", "rim", "base", "", "", ""]


@pytest.mark.parametrize(
    ("promise", "word"),
    [
        (Promise("escape_rate", 0.02, 0.95), "yes"),
        (Promise("escape_rate", 0.02, 0.95, estimated=True), "no"),
        (Promise(why_not="none was calibrated"), "no"),
    ],
)
def test_the_promise_is_a_word(promise: Promise, word: str) -> None:
    records = [record(promise=promise.as_dict())]
    [part] = read(b"".join(csv_chunks(INSPECTION_COLUMNS, inspection_rows(records))))
    assert part["promise"] == word == promise.word()


@pytest.mark.parametrize(("overridden", "cell"), [(True, "1"), (False, "0"), (None, "")])
def test_a_rule_of_the_callers_own_stands_in_every_row(overridden: bool | None, cell: str) -> None:
    records = [record(overridden=overridden)]
    parts = read(b"".join(csv_chunks(INSPECTION_COLUMNS, inspection_rows(records))))
    found = read(b"".join(csv_chunks(DETECTION_COLUMNS, detection_rows(records))))
    assert {row["overridden"] for row in parts + found} == {cell}


def test_an_excel_sees_utf_8() -> None:
    data = b"".join(csv_chunks(INSPECTION_COLUMNS, inspection_rows([record("Prüfling ☃")])))
    assert data.startswith(b"\xef\xbb\xbf") and read(data)[0]["name"] == "Prüfling ☃"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '=HYPERLINK("x")'])
def test_no_cell_begins_like_a_formula(name: str) -> None:
    cell = read(b"".join(csv_chunks(INSPECTION_COLUMNS, inspection_rows([record(name)]))))[0]["name"]
    assert cell == "'" + name


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_name_is_kept(name: str) -> None:
    cell = read(b"".join(csv_chunks(["name"], [(safe_cell(name),)])))
    shown = cell[0]["name"] if cell else ""  # an empty single cell is an empty line
    assert shown.replace("'", "") == name.replace("'", "")
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(alphabet='=+-@;, "\ta'), st.sampled_from([",", ";"]))
def test_no_cell_is_a_formula_wherever_lines_are_split(name: str, delimiter: str) -> None:
    """Much of Europe's spreadsheets split at semicolons; names have no line breaks (`clean_name`)."""
    text = b"".join(csv_chunks(["id", "name"], [("part", safe_cell(name))])).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
    assert not [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@"))]


def test_large_files_come_in_pieces() -> None:
    chunks = list(csv_chunks(INSPECTION_COLUMNS, inspection_rows(record(str(i)) for i in range(2000))))
    assert len(chunks) > 3 and max(map(len, chunks)) < 70_000
    assert [row["name"] for row in read(b"".join(chunks))] == [str(i) for i in range(2000)]
