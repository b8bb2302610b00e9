"""Boxes in a correction: what is taken, what is refused, and that both the chain and the exports hold them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from browsing import BAD
from hypothesis import given, settings
from hypothesis import strategies as st
from test_migrations import write_first
from test_store import NOON, inspection

from lightdet.cli.app import main
from lightdet.service.corrected_boxes import checked_boxes
from lightdet.service.inspection import Origin
from lightdet.service.record_files import write_records
from lightdet.service.records.store import Span, Store
from lightdet.web.errors import RefusalError

RIGHT = {"name": "red", "box": [10.0, 20.0, 50.0, 60.0]}


@pytest.fixture
def part(served: Any) -> tuple[Any, str]:
    """A served NG part of 256 x 192 pixels, and the address of its corrections."""
    sent = served.detect(BAD, name="a").json()["results"][0]
    return served, f"/api/inspections/{sent['id']}/corrections"


def test_boxes_are_recorded_beside_the_inspection(part: tuple[Any, str], tmp_path: Path) -> None:
    served, address = part
    for said in (
        {"decision": "NG", "note": "one is dust", "boxes": [RIGHT]},
        {"decision": "OK", "note": "all dust", "boxes": []},
        {"note": "a remark"},
    ):
        assert served.client.post(address, json=said).status_code == 201
    record = served.client.get(address.removesuffix("/corrections")).json()
    assert [each["boxes"] for each in record["corrections"]] == [[RIGHT], [], None]
    assert len(record["detections"]) == 3 and record["decision"] == "NG"  # as it was recorded
    assert served.service.store.verify().faults == 0
    text = served.client.get("/api/inspections.csv", params={"rows": "corrections"}).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["decision"], row["corrected"], row["note"]) for row in rows] == [
        ("NG", "NG", "one is dust"), ("NG", "OK", "all dust"), ("NG", "", "a remark"),
    ]  # fmt: skip
    assert [row["boxes"] for row in rows] == [json.dumps([RIGHT]), "[]", ""]
    target = tmp_path / "said.csv"
    assert main(["records", "export", "--database", served.service.settings.database, "--rows", "corrections",
                 "-o", str(target)]) == 0  # fmt: skip
    assert target.read_text(encoding="utf-8-sig").splitlines() == text.splitlines()


WRONG: dict[str, Any] = {
    "an unknown class": [{**RIGHT, "name": "scratch"}],
    "outside to the right": [{**RIGHT, "box": [10, 20, 256.5, 60]}],
    "outside above": [{**RIGHT, "box": [10, -1, 50, 60]}],
    "without area": [{**RIGHT, "box": [10, 20, 10, 60]}],
    "corners swapped": [{**RIGHT, "box": [50, 60, 10, 20]}],
    "three numbers": [{**RIGHT, "box": [10, 20, 50]}],
    "text": [{**RIGHT, "box": ["10", 20, 50, 60]}],
    "another key": [{**RIGHT, "score": 1}],
    "no list": RIGHT,
    "too many": [RIGHT] * 1001,
    "none for an NG part": [],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_boxes_are_refused_and_nothing_is_written(part: tuple[Any, str], wrong: str) -> None:
    served, address = part
    before = served.service.store.head()
    answer = served.client.post(address, json={"decision": "NG", "note": "x", "boxes": WRONG[wrong]})
    assert answer.status_code == 422 and answer.json()["error"]["message"].startswith("boxes")
    assert served.service.store.head() == before


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(part: tuple[Any, str], value: str) -> None:
    served, address = part
    body = f'{{"note": "x", "boxes": [{{"name": "red", "box": [1, 2, 3, {value}]}}]}}'
    answer = served.client.post(address, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and answer.json()["error"]["message"]


def test_boxes_of_a_part_that_is_not_there_or_a_classifiers(served: Any) -> None:
    said = {"note": "x", "boxes": [RIGHT]}
    assert served.client.post(f"/api/inspections/{'0' * 32}/corrections", json=said).status_code == 404
    entry = inspection(NOON, rule={"bad": ["dent"], "threshold": 0.5, "thresholds": {}})
    served.service.store.insert([entry])
    answer = served.client.post(f"/api/inspections/{entry.id}/corrections", json=said)
    assert answer.status_code == 422 and "classifier" in answer.json()["error"]["message"]


NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-20, 300)


@given(st.lists(NUMBER, min_size=4, max_size=4))
@settings(max_examples=300, deadline=None)
def test_what_is_taken_is_a_box_within_the_picture(box: list[float]) -> None:
    record = {"rule": {}, "detections": [], "size": [256, 192]}
    try:
        [found] = checked_boxes(record, "NG", [{"name": "red", "box": box}], {"red"})
    except RefusalError:
        return
    x1, y1, x2, y2 = found["box"]
    assert 0 <= x1 < x2 <= 256 and 0 <= y1 < y2 <= 192
    assert max(abs(a - b) for a, b in zip(found["box"], box, strict=True)) <= 0.01


def test_a_class_that_only_the_picture_knows_is_taken() -> None:
    """An earlier model's: its findings can still be confirmed."""
    record = {"rule": {}, "detections": [{"name": "old"}], "size": [256, 192]}
    assert checked_boxes(record, None, [{**RIGHT, "name": "old"}], {"red"})[0]["name"] == "old"


def test_a_forged_box_is_found(database: str) -> None:
    store = Store(database)
    entry = inspection(NOON, "dent")
    store.insert([entry])
    store.correct(entry.id, "NG", "x", Origin(), NOON + 1, [RIGHT])
    assert store.verify().faults == 0
    with store.database.engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE corrections SET boxes = '[]'"))
    assert store.verify().faults == 1
    store.close()


def test_corrections_of_an_earlier_version_stay_whole(database: str) -> None:
    """Without the column of boxes, as version 6 of the tables had it."""
    store = Store(database)
    entry = inspection(NOON, "dent")
    store.insert([entry])
    store.correct(entry.id, "OK", "dust", Origin(), NOON + 1)
    with store.database.engine.begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE corrections DROP COLUMN boxes"))
        connection.execute(sqlalchemy.text("UPDATE lightdet_about SET schema_version = 6"))
    store.close()
    store = Store(database)
    assert store.verify().faults == 0
    store.correct(entry.id, "NG", "no dust", Origin(), NOON + 2, [RIGHT])
    assert store.verify().faults == 0
    found = store.one(entry.id)
    assert found is not None and [each["boxes"] for each in found["corrections"]] == [None, [RIGHT]]
    store.close()


def test_the_first_tables_get_the_column_as_well(database: str) -> None:
    write_first(database)
    store = Store(database)
    columns = {each["name"] for each in sqlalchemy.inspect(store.database.engine).get_columns("corrections")}
    assert "boxes" in columns
    store.close()


def test_corrections_as_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pip install 'lightdet[parquet]'")
    store = Store(str(tmp_path / "i.sqlite3"))
    entry = inspection(NOON, "dent")
    store.insert([entry])
    store.correct(entry.id, "NG", "x", Origin("k", "operator"), NOON + 1, [RIGHT])
    store.correct(entry.id, None, "y", Origin(), NOON + 2)
    write_records(store.export(Span()), tmp_path / "c.parquet", "corrections")
    store.close()
    first, second = pyarrow.read_table(tmp_path / "c.parquet").to_pylist()
    assert json.loads(first["boxes"]) == [RIGHT] and (first["corrected"], first["key"]) == ("NG", "k")
    assert second["boxes"] is None and second["corrected"] is None
    assert second["time"].timestamp() * 1000 == NOON + 2
