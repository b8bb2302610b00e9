"""Databases of earlier versions are taken along, with every row in them."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy
from test_store import NOON, inspection

from lightdet.errors import UserError
from lightdet.service.inspection import new_id
from lightdet.service.records.store import Span, Store, Wanted
from lightdet.service.records.tables import SCHEMA, inspections

FIRST_TABLES = """
CREATE TABLE lightdet_about (schema_version INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE inspections (id VARCHAR(32) NOT NULL PRIMARY KEY, time_ms BIGINT NOT NULL, name VARCHAR(200) NOT NULL,
  sha256 VARCHAR(64) NOT NULL, bytes BIGINT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
  model VARCHAR(200) NOT NULL, version VARCHAR(64) NOT NULL, rule TEXT NOT NULL, decision VARCHAR(2) NOT NULL,
  defects INTEGER NOT NULL, total_ms FLOAT NOT NULL, stages TEXT NOT NULL);
CREATE INDEX inspections_sha256 ON inspections (sha256);
CREATE TABLE detections (inspection VARCHAR(32) NOT NULL REFERENCES inspections (id) ON DELETE CASCADE,
  place INTEGER NOT NULL, name VARCHAR(200) NOT NULL, label INTEGER NOT NULL, score FLOAT NOT NULL,
  x1 FLOAT NOT NULL, y1 FLOAT NOT NULL, x2 FLOAT NOT NULL, y2 FLOAT NOT NULL, defect BOOLEAN NOT NULL,
  PRIMARY KEY (inspection, place));
CREATE TABLE thumbnails (inspection VARCHAR(32) NOT NULL PRIMARY KEY REFERENCES inspections (id) ON DELETE CASCADE,
  jpeg {bytes} NOT NULL);
INSERT INTO lightdet_about VALUES (1);
INSERT INTO inspections VALUES ('{id}', {time}, 'old', 'ab', 3, 640, 480, 'best', '7367',
  '{{"threshold": 0.25}}', 'NG', 1, 12.5, '{{"total": 12.5}}');
INSERT INTO detections VALUES ('{id}', 0, 'dent', 0, 0.9, 1, 2, 3, 4, true);
"""
"""The tables of schema 1 as lightdet 0.1 made them, with one NG part in them."""


def write_first(database: str) -> str:
    """Make a database of schema 1; returns the id of its only inspection."""
    there = database.replace("postgresql://", "postgresql+pg8000://")
    engine = sqlalchemy.create_engine(there if "://" in there else f"sqlite:///{there}")
    identity = new_id(NOON)
    kind = "BYTEA" if "://" in there else "BLOB"
    with engine.begin() as connection:
        for statement in FIRST_TABLES.format(id=identity, time=NOON, bytes=kind).split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    return identity


def test_who_only_reads_changes_no_server(postgres: str) -> None:
    """Of a SQLite file, `tests/cli/test_records_command.py` tests it."""
    engine = sqlalchemy.create_engine(postgres.replace("postgresql://", "postgresql+pg8000://"))
    with pytest.raises(UserError, match="has no records' tables"):
        Store(postgres, migrate=False)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    write_first(postgres)
    with pytest.raises(UserError, match=r"number 1, these are .*lightdet records migrate"):
        Store(postgres, migrate=False)
    assert len(sqlalchemy.inspect(engine).get_table_names()) == 4
    engine.dispose()
    Store(postgres).close()
    Store(postgres, migrate=False).close()


def test_the_first_tables_are_taken_along(database: str) -> None:
    old = write_first(database)
    for _ in range(2):  # opened again, nothing is left to do
        store = Store(database)
        store.insert([inspection(NOON + 1, "dent"), inspection(NOON + 2, "dent", overridden=True)])
        store.close()
    store = Store(database)
    record = store.one(old)
    assert record is not None and (record["name"], record["decision"]) == ("old", "NG")
    assert record["overridden"] is None  # that version did not record it
    assert [each["overridden"] for each in store.export(Span())] == [None, False, False, True, True]
    assert store.totals(Span())[:2] == (3, 3) and store.overridden(Span()) == 2
    assert store.by_class(Span()) == {"dent": (3, 3)}
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT schema_version FROM lightdet_about").scalar() == SCHEMA
        indexes = {each["name"] for each in sqlalchemy.inspect(connection).get_indexes("inspections")}
    assert indexes - {"inspections_by_text"} == {str(index.name) for index in inspections.indexes}
    assert [each["id"] for each in store.history(Span(), Wanted(defect="dent"), limit=9)][-1] == old
    store.close()


def test_workers_that_start_at_the_same_time_take_turns(database: str) -> None:
    write_first(database)
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(Store(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    for store in opened:
        store.insert([inspection()])
        store.close()


def test_taken_along_and_new_tables_are_the_same(database: str, tmp_path: object) -> None:
    """What a migration leaves has the columns of tables made anew."""
    write_first(database)
    store = Store(database)
    found = {each["name"]: each["nullable"] for each in sqlalchemy.inspect(store._engine).get_columns("inspections")}
    store.close()
    new = Store(f"{tmp_path}/new.sqlite3")
    wanted = {each["name"]: each["nullable"] for each in sqlalchemy.inspect(new._engine).get_columns("inspections")}
    new.close()
    assert found == wanted
