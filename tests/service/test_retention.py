"""Deleting the oldest: how much, in which steps, and never because of a clock."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_store import NOON, inspection

from lightdet.service.inspection import Origin
from lightdet.service.records import keeper as module
from lightdet.service.records import retention
from lightdet.service.records.keeper import Keeper, read_published
from lightdet.service.records.retention import HOUR_MS, Purged
from lightdet.service.records.store import Keep, Span, Store, Wanted

DAY = 24 * HOUR_MS


def days_with_records(store: Store, *days: float) -> None:
    store.insert([inspection(NOON + round(day * DAY), "dent", name=f"d{day}") for day in days])


def names(store: Store) -> list[str]:
    return [each["name"] for each in store.export(Span())]


def test_by_days_back_from_the_newest(database: str) -> None:
    store = Store(database)
    days_with_records(store, *range(10))
    assert store.purge(Keep(days=3)) == Purged(6, 4)  # the clock says that all of them are old
    assert names(store) == ["d6", "d7", "d8", "d9"]
    assert store.purge(Keep(days=3)).rows == 0
    verdict = store.verify()
    assert (verdict.faults, verdict.deleted, verdict.first, verdict.rows) == (0, 6, 7, 4)
    assert store.totals(Span())[0] == 4 and store.by_class(Span()) == {"dent": (4, 4)}
    assert [each["name"] for each in store.history(Span(), Wanted(text="d7"), limit=5)] == ["d7"]
    assert store.history(Span(), Wanted(text="d2"), limit=5) == []
    store.close()


def test_a_clock_that_jumps_ahead_deletes_nothing(database: str) -> None:
    store = Store(database)
    days_with_records(store, *range(5), 4000)
    done = store.purge(Keep(days=6))
    assert done.rows == 0 and "this time does not count" in done.told and "was the clock wrong?" in done.told
    days_with_records(store, *(4000 + day for day in range(1, 8)))  # time did go on: what is old goes
    done = store.purge(Keep(days=6))
    assert done.rows == 6 and names(store)[0] == "d4001"
    store.close()


@pytest.mark.parametrize("ahead", [[4], [0], [3, 4, 5], [*range(4, 200)]])
def test_records_of_a_clock_that_ran_ahead_go_with_their_neighbours(database: str, ahead: list[int]) -> None:
    store = Store(database)
    hours = [(4 * 365 * 24 if number in ahead else 0) + number for number in range(960)]
    store.insert([inspection(NOON + hour * HOUR_MS, name=str(number)) for number, hour in enumerate(hours)])
    first = next(store.export(Span()))["id"]
    store.correct(first, "OK", "", Origin(), NOON + hours[ahead[-1]] * HOUR_MS)
    done = store.purge(Keep(days=5))
    assert done.left == 5 * 24 + 2 and done.rows == 961 - done.left and "was the clock wrong?" in done.told
    assert store.verify().faults == 0
    store.close()


@pytest.mark.parametrize("back", [2, 11, 400])
def test_records_of_a_clock_that_is_behind_take_no_others_with_them(database: str, back: int) -> None:
    """Thirty days, with a holiday, then some that claim to be older: which clock is wrong is not known."""
    store = Store(database)
    days_with_records(store, *(day for day in range(31) if not 20 <= day < 24))
    store.insert([inspection(NOON + (30 - back) * DAY + each, name="behind") for each in range(10)])
    store.purge(Keep(days=5))
    kept = names(store)
    assert kept.count("behind") == 10 and {f"d{day}" for day in range(26, 31)} <= set(kept)
    store.close()


def test_by_rows_and_bytes(database: str) -> None:
    store = Store(database)
    store.insert([inspection(NOON + i, "dent", thumbnail=random.randbytes(20_000)) for i in range(300)])
    first = store.history(Span(), limit=1)[0]["id"]
    store.correct(first, "OK", "dust", Origin(), NOON + 999)
    assert store.purge(Keep(rows=200)) == Purged(101, 200)
    with store.database.reading() as connection:
        used = retention.size(connection, 200)
    assert 2e6 < used < 9e6
    done = store.purge(Keep(size=used // 2))
    assert 90 <= done.rows <= 110
    assert store.verify().faults == 0
    assert store.purge(Keep(rows=1)).left == 1  # the correction; what it speaks of is gone
    assert store.verify().faults == 0 and names(store) == []
    store.close()


def test_space_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "i.sqlite3"
    store = Store(str(path))
    for start in range(0, 2000, 200):
        store.insert([inspection(NOON + i, thumbnail=bytes(8000)) for i in range(start, start + 200)])
    before, writing, turns = path.stat().st_size, store.database.writing, []

    @contextmanager
    def counted() -> Iterator[Any]:
        turns.append(1)
        with writing() as connection:
            yield connection

    monkeypatch.setattr(store.database, "writing", counted)
    store.purge(Keep(rows=100))
    store.close()
    assert path.stat().st_size < before / 2
    assert len(turns) < 40  # some 4000 pages, many of them in each


def test_inserts_go_through_meanwhile(database: str) -> None:
    store, writer = Store(database), Store(database)
    store.insert([inspection(NOON + i, "dent") for i in range(3000)])
    waits: list[float] = []
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            began = time.monotonic()
            writer.insert([inspection(NOON + DAY)])
            waits.append(time.monotonic() - began)
            time.sleep(0.01)

    thread = threading.Thread(target=write)
    thread.start()
    store.purge(Keep(rows=500))
    done.set()
    thread.join()
    assert len(waits) > 5 and max(waits) < 5  # the time that is meant is measured in benchmarks/records.py
    assert store.verify().faults == 0
    for each in (store, writer):
        each.close()


def test_steps_stay_large_where_others_hold_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a busy service is no sign that a step is too long for it."""
    store = Store(str(tmp_path / "i.sqlite3"))
    store.insert([inspection(NOON + i) for i in range(1200)])
    writing, turns = store.database.writing, []

    @contextmanager
    def late() -> Iterator[Any]:
        turns.append(1)
        time.sleep(1.5 * retention._STEP_SECONDS)
        with writing() as connection:
            yield connection

    monkeypatch.setattr(store.database, "writing", late)
    monkeypatch.setattr(retention, "give_back", lambda *_: None)
    assert store.purge(Keep(rows=100)).rows == 1100
    assert len(turns) <= 7  # 50, 100, 200, 400, then what is left; 22 with the shortest steps
    store.close()


def test_over_a_hole_nothing_is_deleted(database: str) -> None:
    """What someone took out is not to vanish among what retention deleted."""
    store = Store(database)
    days_with_records(store, *range(10))
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM inspections WHERE seq = 4")
    assert store.purge(Keep(rows=2)).rows == 3
    assert "row 4 is missing, between the beginning" in store.verify().told[0]
    store.close()


def test_a_keeper_deletes_and_publishes(tmp_path: Path) -> None:
    database, chain_file = str(tmp_path / "i.sqlite3"), tmp_path / "chain"
    store = Store(database)
    days_with_records(store, *range(5))
    keeper = Keeper(database, Keep(rows=3), chain_file)
    keeper.work()
    assert len(names(store)) == 3
    days_with_records(store, 6)
    keeper.start()
    keeper.close()  # tells the last link once more, where there is a new one
    links = list(read_published(chain_file))
    assert [link.seq for link in links] == [5, 6] and links[-1] == store.head()[0]
    assert store.verify(links).faults == 0
    store.close()


def test_a_keeper_deletes_nothing_when_the_clock_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = str(tmp_path / "i.sqlite3")
    store = Store(database)
    days_with_records(store, *range(5))
    keeper = Keeper(database, Keep(rows=2), None)
    real = time.time
    monkeypatch.setattr(module.time, "time", lambda: real() + 7 * 86400)
    with caplog.at_level("WARNING", logger="lightdet.service"):
        keeper.work()
    assert len(names(store)) == 5 and re.search(r"the clock jumped ahead by 60(4799|4800|4801) s", caplog.text)
    keeper.work()  # steady again, as far as it can tell
    assert len(names(store)) == 2
    store.close()


def test_ready_says_that_the_database_is_gone(start: Any) -> None:
    served = start()
    assert served.client.get("/ready").status_code == 200
    file = served.service.store.database.file
    file.rename(file.with_name("elsewhere"))
    answer = served.client.get("/ready")
    assert answer.status_code == 503 and answer.json()["database"] == "down" and answer.json()["ready"] is False
    file.with_name("elsewhere").rename(file)
    assert served.client.get("/ready").status_code == 200


def test_a_copy_that_is_put_back_is_read_and_ready_without_a_write(start: Any) -> None:
    served = start()
    file = served.service.store.database.file
    elsewhere = file.with_name("elsewhere")
    with sqlite3.connect(file) as connection, sqlite3.connect(elsewhere) as copy:
        connection.backup(copy)
    connection.close()
    copy.close()
    for each in file.parent.glob(f"{file.name}*"):
        if each.is_file():
            each.unlink()
    assert served.client.get("/ready").status_code == 503
    assert served.client.get("/api/inspections").status_code == 503  # what was deleted is no record
    shutil.copy(elsewhere, file)
    other = Store(str(file))
    other.insert([inspection(NOON, name="later")])
    other.close()
    assert served.client.get("/ready").json()["database"] == "up"
    assert [each["name"] for each in served.client.get("/api/inspections").json()["results"]] == ["later"]
    file.unlink()
    file.write_bytes(b"another file" * 100)
    assert served.client.get("/ready").status_code == 503
