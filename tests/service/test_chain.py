"""The chain of records: whatever is changed, taken out, put in or moved afterwards is found, and told where."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from test_store import NOON, inspection

from lightdet.service.inspection import Origin
from lightdet.service.keep import Keep
from lightdet.service.records import verify as module
from lightdet.service.records.chain import Link
from lightdet.service.records.span import Span
from lightdet.service.records.store import Store, Wanted

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBER = st.floats(-1e6, 1e6) | st.integers(-5, 5)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def chained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = str(tmp_path_factory.mktemp("chain") / "i.sqlite3")
    if request.param == "postgresql":
        path = request.getfixturevalue("postgres_cluster").new_database("chain")
    store = Store(path)
    yield store
    store.close()


def fill(store: Store, count: int = 12) -> None:
    store.insert([inspection(NOON + i, *(["dent", "scratch"] if i % 3 else []), name=f"p{i}") for i in range(count)])
    store.note_model(NOON + 99, "best", "a" * 64, None)
    first = store.history(Span(), limit=1)[0]["id"]
    store.correct(first, "OK", "it was dust", Origin("line1", "operator"), NOON + 100)


@given(TEXT, TEXT, st.lists(st.tuples(NUMBER, NUMBER, st.floats(0, 1)), max_size=3), st.binary(max_size=9) | st.none())
@settings(max_examples=60, deadline=None)
def test_what_was_written_verifies(
    chained: Store, name: str, station: str, boxes: list[tuple[float, float, float]], small: bytes | None
) -> None:
    """Whatever the texts and numbers are: what the database gives back has the same hash."""
    found = [
        {"name": "dent", "label": 0, "score": score, "box": [x, y, x, -0.0], "defect": True} for x, y, score in boxes
    ]
    origin = Origin("k", "operator", station, "")
    chained.insert([inspection(name=name, detections=found, origin=origin, thumbnail=small)])
    verdict = chained.verify()
    assert verdict.faults == 0 and verdict.rows == verdict.head.seq


def test_the_hash_is_what_the_documentation_says(chained: Store) -> None:
    """Computed here from the rows alone, as another program would."""
    entry = inspection(NOON + 5000, "dent")
    before, _ = chained.head()
    chained.insert([entry])
    with chained._engine.connect() as connection:
        row = dict(
            connection.execute(text("SELECT * FROM inspections WHERE id = :id"), {"id": entry.id}).mappings().one()
        )
        found = dict(
            connection.execute(text("SELECT * FROM detections WHERE inspection = :id"), {"id": entry.id})
            .mappings()
            .one()
        )
    fields = {key: value for key, value in row.items() if value is not None and key not in ("seq", "previous", "hash")}
    del found["inspection"]
    fields["overridden"], found["defect"] = False, True
    fields |= {"detections": [found], "thumbnail": hashlib.sha256(entry.thumbnail or b"").hexdigest()}
    data = json.dumps([1, "inspection", before.seq + 1, before.hash, fields], sort_keys=True, separators=(",", ":"))
    assert row["previous"] == before.hash
    assert row["hash"] == hashlib.sha256(data.encode("ascii")).hexdigest() == chained.head()[0].hash


FORGERIES = {
    "a decision": ("UPDATE inspections SET decision = 'OK' WHERE seq = 5", "row 5 (inspection"),
    "a station": ("UPDATE inspections SET station = NULL WHERE seq = 5", "row 5 (inspection"),
    "a score": ("UPDATE detections SET score = 0.5 WHERE place = 0 AND inspection = {of5}", "row 5 (inspection"),
    "a finding taken out": ("DELETE FROM detections WHERE place = 1 AND inspection = {of5}", "row 5 (inspection"),
    "a picture": ("DELETE FROM thumbnails WHERE inspection = {of5}", "row 5 (inspection"),
    "a correction": ("UPDATE corrections SET decision = 'NG'", "row 14 (correction"),
    "a model": ("UPDATE model_changes SET model = 'other'", "row 13 (model"),
    "a row taken out": ("DELETE FROM inspections WHERE seq = 5", "row 5 is missing, between inspection"),
    "rows taken out": ("DELETE FROM inspections WHERE seq IN (5, 6)", "rows 5 to 6 are missing"),
    "the first row taken out": ("DELETE FROM inspections WHERE seq = 1", "row 1 is missing, between the beginning"),
    "the end cut off": ("DELETE FROM corrections", "the end is missing: the last row is 13, but 14 were written"),
    "two rows swapped": (
        "UPDATE inspections SET seq = -1 WHERE seq = 5; UPDATE inspections SET seq = 5 WHERE seq = 6; "
        "UPDATE inspections SET seq = 6 WHERE seq = -1",
        "row 5 (inspection",
    ),
    "a row without a number": ("UPDATE inspections SET seq = NULL WHERE seq = 5", "are not in the chain"),
    "a row behind the end": ("UPDATE inspections SET seq = 99 WHERE seq = 5", "are not in the chain"),
    "a beginning moved": ("UPDATE chain_ends SET seq = 3 WHERE name = 'anchor'", "row 4 (inspection"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_found_and_told_where(database: str, forgery: str) -> None:
    store = Store(database)
    fill(store)
    assert store.verify().faults == 0
    statements, told = FORGERIES[forgery]
    with store._engine.begin() as connection:
        of5 = connection.exec_driver_sql("SELECT id FROM inspections WHERE seq = 5").scalar()
        for statement in statements.format(of5=f"'{of5}'").split(";"):
            connection.exec_driver_sql(statement)
    verdict = store.verify()
    store.close()
    assert verdict.faults and any(told in each for each in verdict.told), verdict.told


def test_a_chain_made_anew_shows_against_what_was_published(database: str) -> None:
    """Who rewrites every hash after a change still cannot rewrite what was written down elsewhere."""
    store = Store(database)
    fill(store)
    published, _ = store.head()
    assert store.verify([published]).faults == 0
    assert "is not the one that was published" in store.verify([Link(5, "0" * 64)]).told[0]
    with store._engine.begin() as connection:  # cut off, and the end moved back: whole in itself
        connection.exec_driver_sql("DELETE FROM corrections")
        link = connection.exec_driver_sql("SELECT hash FROM model_changes").scalar()
        connection.exec_driver_sql(f"UPDATE chain_ends SET seq = 13, hash = '{link}' WHERE name = 'head'")
    assert store.verify().faults == 0
    assert store.verify([published]).told == ["row 14 was published, but the chain ends at 13: the end was cut off"]
    store.close()


@pytest.mark.parametrize("turned", [False, True])
def test_every_published_line_is_compared(database: str, turned: bool) -> None:
    """Cut off, written on, and published again: the chain is whole, and the last line of each number is right."""
    store = Store(database)
    published = [store.head()[0]]
    for number in range(3):
        store.insert([inspection(NOON + number, "dent")])
        published.append(store.head()[0])
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM inspections WHERE seq = 3")
        link = connection.exec_driver_sql("SELECT hash FROM inspections WHERE seq = 2").scalar()
        connection.exec_driver_sql(f"UPDATE chain_ends SET seq = 2, hash = '{link}' WHERE name = 'head'")
    store.close()
    store = Store(database)
    store.insert([inspection(NOON + 2)])
    published.append(store.head()[0])
    assert store.verify().faults == 0 and store.verify(published[:-2]).faults == 0
    told = store.verify(published[::-1] if turned else published).told
    assert len(told) == 1 and told[0].startswith("row 3 (inspection") and "is not the one that was" in told[0]
    # What the chain begins with, or what retention deleted last, has a hash as well.
    assert "row 0 (the beginning) is not the one" in store.verify([Link(0, "0" * 64)]).told[0]
    store.purge(Keep(rows=1))
    assert store.verify(published[:3]).faults == 0
    assert "row 2 (the last one deleted) is not the one" in store.verify([Link(2, "0" * 64)]).told[0]
    store.close()


def test_rows_come_and_go_while_it_is_verified(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention deletes rows before, at and behind the place that verification has reached; others are written."""
    monkeypatch.setattr(module, "_PAGE", 4)
    for kept in (30, 12, 3, 1):
        store = Store(database)
        store.insert([inspection(NOON + i, "dent", name=f"{kept} {i}") for i in range(40)])

        def meanwhile(done: int, total: int, store: Store = store, kept: int = kept) -> None:
            assert 0 < done <= total
            if done == 8:
                store.insert([inspection(NOON + 50)])
                store.purge(Keep(rows=kept))

        verdict = store.verify(progress=meanwhile)
        assert (verdict.told, verdict.faults) == ([], 0)
        assert verdict.deleted == store.head()[0].seq - kept
        assert store.verify().rows == kept
        store.close()


def test_verifying_holds_no_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that stays in one transaction keeps SQLite's log from being emptied, and it grows without bound."""
    store, log = Store(str(tmp_path / "i.sqlite3")), tmp_path / "i.sqlite3-wal"
    monkeypatch.setattr(module, "_PAGE", 100)
    store.insert([inspection(NOON + i) for i in range(6 * 100)])
    sizes = []

    def meanwhile(done: int, total: int) -> None:
        store.insert([inspection(NOON + done + i, "dent", thumbnail=bytes(4000)) for i in range(500)])
        sizes.append(log.stat().st_size)

    assert store.verify(progress=meanwhile).faults == 0
    assert len(sizes) == 6 and sizes[-1] < 3 * sizes[0], sizes
    store.close()


def test_several_writers_make_one_chain(database: str) -> None:
    stores = [Store(database) for _ in range(4)]

    def write(store: Store) -> None:
        for i in range(10):
            store.insert([inspection(NOON + i, "dent"), inspection(NOON + i)])

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = stores[0].verify()
    assert (verdict.rows, verdict.head.seq, verdict.faults) == (80, 80, 0)
    for store in stores:
        store.close()


def test_a_correction_changes_no_record(start: Any) -> None:
    served = start()
    served.service.store.insert([inspection(NOON, "red", name="a"), inspection(NOON + 1)])
    [part] = [each for each in served.client.get("/api/inspections").json()["results"] if each["name"] == "a"]
    address = f"/api/inspections/{part['id']}/corrections"
    answer = served.client.post(address, json={"decision": "OK", "note": "dust, looked at by hand"})
    assert answer.status_code == 201, answer.text
    assert served.client.post(address, json={"note": "cleaned\nthe lens"}).status_code == 201
    again = served.client.get(f"/api/inspections/{part['id']}").json()
    assert [(each["decision"], each["note"]) for each in again["corrections"]] == [
        ("OK", "dust, looked at by hand"), (None, "cleaned\nthe lens"),
    ]  # fmt: skip
    assert again | {"corrections": []} == part and part["decision"] == "NG"
    for wrong in (
        {"decision": "MAYBE", "note": "x"},
        {"note": ""},
        {"note": " "},
        {"note": "a\0"},
        {"note": "x" * 1001},
        {},
    ):
        assert served.client.post(address, json=wrong).status_code == 422, wrong
    missing = served.client.post(f"/api/inspections/{'0' * 32}/corrections", json={"note": "x"})
    assert missing.status_code == 404
    assert served.service.store.verify().faults == 0
    assert served.service.store.history(Span(), Wanted(decision="NG"), limit=5)[0]["decision"] == "NG"
