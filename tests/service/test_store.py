"""Records in real databases: SQLite always, PostgreSQL where it is installed."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightdet import __version__
from lightdet.errors import UserError
from lightdet.service.inspection import Inspection, ModelIdentity, Origin, new_id
from lightdet.service.records.retention import Purged
from lightdet.service.records.store import AwayError, Keep, Span, SQLAlchemyError, Store, Wanted

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z


def inspection(time_ms: int = NOON, *defects: str, name: str = "part", weak: str = "", **changes: Any) -> Inspection:
    found = [
        {"name": each, "label": i, "score": 0.9 - i / 10, "box": [i, 1.25, 30, 40.5], "defect": True}
        for i, each in enumerate(defects)
    ]
    if weak:
        found.append({"name": weak, "label": 9, "score": 0.1, "box": [0, 0, 1, 1], "defect": False})
    values: dict[str, Any] = {
        "id": new_id(time_ms),
        "time_ms": time_ms,
        "name": name,
        "sha256": "ab" * 32,
        "length": 3_000_000_000,
        "size": (640, 480),
        "model": ModelIdentity("best", "7367af68f706", "7367af68f706" + "0" * 52),
        "origin": Origin("line1", "operator", "S 1", "Ö-7"),
        "rule": {"threshold": 0.25, "thresholds": {}, "min_size": 0, "min_sizes": {}},
        "detections": found,
        "decision": "NG" if defects else "OK",
        "milliseconds": {"network": 10.5, "total": 12.25},
        "thumbnail": b"\xff\xd8small",
    }
    return Inspection(**(values | changes))


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()


def test_what_is_written_is_read(store: Store) -> None:
    entry = inspection(NOON, "dent", "scratch", name="Prüfling ☃ '; DROP TABLE inspections", weak="stain")
    store.insert([entry])
    record = store.one(entry.id)
    assert record is not None
    assert {key: record[key] for key in ("id", "time_ms", "name", "sha256", "bytes", "decision", "defects")} == {
        "id": entry.id, "time_ms": NOON, "name": entry.name, "sha256": entry.sha256, "bytes": 3_000_000_000,
        "decision": "NG", "defects": 2,
    }  # fmt: skip
    assert record["size"] == [640, 480] and record["model"] == {
        "name": "best", "version": "7367af68f706", "sha256": "7367af68f706" + "0" * 52,
    }  # fmt: skip
    assert (record["key"], record["role"], record["station"], record["order"]) == ("line1", "operator", "S 1", "Ö-7")
    assert record["software"] == __version__
    assert record["detections"] == entry.detections
    assert record["rule"] == entry.rule and record["milliseconds"] == entry.milliseconds
    assert store.thumbnail(entry.id) == entry.thumbnail
    assert store.one("f" * 32) is None and store.thumbnail("f" * 32) is None


def test_writing_again_changes_nothing(store: Store) -> None:
    """As after a connection that broke while the database said yes."""
    first, second = inspection(NOON, "dent"), inspection(NOON + 1)
    store.insert([first])
    store.insert([first, second])
    assert store.totals(Span()) == (2, 1, NOON, NOON + 1)
    assert store.by_class(Span()) == {"dent": (1, 1)}


def test_all_or_none(store: Store) -> None:
    twice = inspection()
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        store.insert([inspection(), twice, twice])
    assert store.totals(Span())[0] == 0


def test_history_goes_backwards_page_by_page(store: Store) -> None:
    entries = [inspection(NOON + i, name=f"part {i}") for i in range(25)]
    store.insert(entries[10:])
    store.insert(entries[:10])  # written late
    seen: list[str] = []
    before = None
    while page := store.history(Span(), limit=10, before=before):
        seen += [record["name"] for record in page]
        before = page[-1]["id"]
    assert seen == [f"part {i}" for i in reversed(range(25))]


def test_history_is_searched(store: Store) -> None:
    store.insert([
        inspection(NOON, name="A-100%"), inspection(NOON + 1000, "dent", name="A_1"),
        inspection(NOON + 2000, "scratch", "scratch", name="B-1", weak="dent"),
    ])  # fmt: skip

    def names(**wanted: Any) -> list[str]:
        span = wanted.pop("span", Span())
        return [record["name"] for record in store.history(span, Wanted(**wanted), limit=10)]

    assert names() == ["B-1", "A_1", "A-100%"]
    assert names(decision="OK") == ["A-100%"]
    assert names(name="A") == ["A_1", "A-100%"]
    assert names(name="%") == ["A-100%"] and names(name="_") == ["A_1"]  # no wildcards
    assert names(defect="dent") == ["A_1"]  # below its threshold it is no defect
    assert names(span=Span(NOON + 1000, NOON + 2000)) == ["A_1"]
    assert names(span=Span(until_ms=NOON)) == []


def test_counts(store: Store) -> None:
    store.insert([
        inspection(NOON + 500), inspection(NOON + 999, "dent", "dent", "scratch"), inspection(NOON + 1000, "dent"),
        inspection(NOON + 3500, weak="stain"), inspection(NOON + 60_000),
    ])  # fmt: skip
    assert store.totals(Span()) == (5, 2, NOON + 500, NOON + 60_000)
    assert store.totals(Span(NOON + 1000, NOON + 60_000)) == (2, 1, NOON + 1000, NOON + 3500)
    assert store.totals(Span(0, 5)) == (0, 0, None, None)
    assert store.by_class(Span()) == {"dent": (3, 2), "scratch": (1, 1)}
    assert store.by_class(Span(NOON + 1000)) == {"dent": (1, 1)}
    assert store.series(Span(NOON, NOON + 10_000), NOON, 1000) == [(0, 2, 1), (1, 1, 1), (3, 1, 0)]


def test_what_a_caller_decided_by_its_own_rule_is_in_no_count(store: Store) -> None:
    store.insert([inspection(NOON), inspection(NOON + 1, "dent"), inspection(NOON + 60_000, overridden=True)])
    store.insert([inspection(NOON + 2, "dent", "scratch", overridden=True)])
    assert store.totals(Span()) == (2, 1, NOON, NOON + 1)
    assert store.by_class(Span()) == {"dent": (1, 1)}
    assert store.series(Span(), NOON, 1000) == [(0, 2, 1)]
    assert store.overridden(Span()) == 2 and store.overridden(Span(NOON + 3)) == 1
    assert [record["overridden"] for record in store.history(Span(), limit=9)] == [True, True, False, False]


def test_export_reads_everything_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.service.records.search._PAGE", 7)
    entries = [inspection(NOON + i % 5, "dent", name=str(i)) for i in range(21)]
    store.insert(entries)
    records = list(store.export(Span()))
    assert [record["id"] for record in records] == sorted(entry.id for entry in entries)
    assert all(len(record["detections"]) == 1 for record in records)
    assert list(store.export(Span(NOON + 3, NOON + 4))) == [r for r in records if r["time_ms"] == NOON + 3]


def test_purge_takes_all_that_belongs_to_it(store: Store) -> None:
    old, fresh = inspection(NOON, "dent"), inspection(NOON + 1000, "dent")
    store.insert([old, fresh])
    assert store.purge(Keep(rows=1)) == Purged(1, 1)
    assert [record["id"] for record in store.history(Span(), limit=9)] == [fresh.id]
    assert store.by_class(Span()) == {"dent": (1, 1)}
    assert store.thumbnail(old.id) is None and store.thumbnail(fresh.id) is not None


def test_several_processes_would_write_at_the_same_time(database: str) -> None:
    stores = [Store(database) for _ in range(4)]
    entries = [[inspection(NOON + i, "dent") for i in range(20)] for _ in stores]

    def write(store: Store, mine: list[Inspection]) -> None:
        for entry in mine:
            store.insert([entry])

    threads = [threading.Thread(target=write, args=pair) for pair in zip(stores, entries, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].totals(Span())[:2] == (80, 80)
    for store in stores:
        store.close()


def test_a_database_opened_again_keeps_its_records(database: str) -> None:
    for number in (1, 2):
        store = Store(database)
        store.insert([inspection()])
        assert store.totals(Span())[0] == number
        store.close()


def test_what_a_database_will_never_take_is_no_absence(database: str) -> None:
    """PostgreSQL takes no null character in a text, SQLite no number of more than 64 bits."""
    store = Store(database)
    for entry in (inspection(name="a\0b"), inspection(length=2**70)):
        try:
            store.insert([entry])
        except Exception as error:
            assert not isinstance(error, AwayError)
    store.close()


def test_a_database_without_its_tables_may_come_right(database: str) -> None:
    store = Store(database)
    with store._engine.begin() as connection:
        for table in ("thumbnails", "detections", "inspections"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    with pytest.raises(AwayError, match="inspections"):
        store.insert([inspection()])
    store.close()


def test_a_file_that_is_deleted_or_replaced_is_away(tmp_path: Path) -> None:
    """Nothing is written behind other records, or into a file that nobody finds again."""
    path, kept = tmp_path / "i.sqlite3", tmp_path / "kept.sqlite3"
    store, old, new = Store(str(path)), inspection(NOON), inspection(NOON + 1)
    store.insert([old])
    assert store.present
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    path.rename(kept)
    with pytest.raises(AwayError, match="deleted; put it back, or start the service again"):
        store.insert([new])
    assert not store.present and not path.exists()
    other = Store(str(path))
    with pytest.raises(AwayError, match="replaced by another one"):
        store.insert([new])
    other.close()
    for each in tmp_path.glob("i.sqlite3*"):
        each.unlink()
    shutil.copy(kept, path)  # the same records
    store.insert([new])
    assert store.present and store.one(new.id) is not None and store.verify().faults == 0
    store.close()


def test_a_database_that_is_set_back_is_away(database: str) -> None:
    """As when an older backup is put in its place."""
    store = Store(database)
    store.insert([inspection(NOON)])
    head, _ = store.head()
    store.insert([inspection(NOON + 1)])
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM inspections WHERE seq > {head.seq}")
        connection.exec_driver_sql(f"UPDATE chain_ends SET seq = {head.seq}, hash = '{head.hash}' WHERE name = 'head'")
    with pytest.raises(AwayError, match="set back"):
        store.insert([inspection(NOON + 2)])
    again = Store(database)
    again.insert([inspection(NOON + 2)])
    assert again.verify().faults == 0
    for each in (store, again):
        each.close()


def test_a_file_whose_folder_is_gone_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    store = Store(str(folder / "i.sqlite3"))
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(AwayError):
        store.insert([inspection()])
    (tmp_path / "elsewhere").rename(folder)
    store.insert([inspection()])
    for each in folder.iterdir():
        each.rename(tmp_path / each.name)
    (folder / "i.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(AwayError):
        store.insert([inspection()])
    store.close()


def test_a_server_that_goes_and_comes_back(postgres_cluster: Any, postgres: str) -> None:
    store = Store(postgres)
    store.insert([inspection()])
    postgres_cluster.stop()
    try:
        with pytest.raises(AwayError):
            store.insert([inspection()])
        with pytest.raises((SQLAlchemyError, OSError)):
            store.ping()
    finally:
        postgres_cluster.start()
    store.insert([inspection()])
    assert store.totals(Span())[0] == 2
    store.close()


# --- mistakes ---------------------------------------------------------------------------------------------


def refusal(database: str) -> str:
    with pytest.raises(UserError) as caught:
        Store(database)
    told = str(caught.value)
    assert "\n" not in told and "secret" not in told
    return told


def test_urls_that_are_none() -> None:
    assert "not supported" in refusal("mysql://user:secret@host/db")
    assert "cannot be read" in refusal("postgresql://user:secret@host:port/db")
    assert "needs a file" in refusal("sqlite://")


@pytest.mark.parametrize(
    "password", ["secret@w/d", "secret/w", "w@secret", "secret?w", "secret#w", "secret/@w", "?secret"]
)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+pg8000"])
def test_a_password_that_splits_the_url_elsewhere_is_refused(scheme: str, password: str) -> None:
    told = refusal(f"{scheme}://user:{password}@127.0.0.1:1/x")
    assert "write @ as %40" in told and not any(part in told for part in ("127", "w/", "user:"))


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "is a folder" in refusal(str(tmp_path))
    (tmp_path / "text").write_text("no database, but long enough to be looked at as one " * 50)
    assert "not a database" in refusal(str(tmp_path / "text"))
    assert "there is a file with this name" in refusal(str(tmp_path / "text" / "i.sqlite3"))


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    link = tmp_path / "i.sqlite3"
    try:
        link.symlink_to(tmp_path / "none" / "i.sqlite3")
    except OSError:
        pytest.skip("this account may not make links")
    assert "cannot be used: unable to open" in refusal(str(link))


def test_another_versions_tables(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite3"
    Store(str(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE lightdet_about SET schema_version = 99")
    connection.commit()
    connection.close()
    assert "another version of lightdet" in refusal(str(path))


def test_a_server_that_is_not_there() -> None:
    assert "cannot be used" in refusal("postgresql://user:secret@127.0.0.1:1/db")


def test_a_wrong_password(postgres: str) -> None:
    told = refusal(postgres.replace("se%3Acret", "secret"))
    assert "password authentication failed" in told and "***" in told
