"""An index for parts of a text: SQLite's FTS5 with trigrams, PostgreSQL's pg_trgm. Where neither is, a search reads on.

A row of SQLite's index has the number that the inspection has in the chain; it holds no text of its own.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Function, Select, func, literal_column, or_, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from lightdet.service.records.tables import inspections

log = logging.getLogger("lightdet.service")

SHORTEST = 3
"""Characters that a text must have to be looked up."""
_MOST = 20_000
"""A text that more inspections hold is found sooner by reading them, the latest first."""
_MATCHING = text("SELECT rowid FROM texts WHERE texts MATCH :match ORDER BY rowid DESC LIMIT :most")
"""From the latest on: from the first on, each trigram would pass over all that a purge has deleted."""
_LOWER = "lightdet_lower"
_NEWER = "\u0500"
"""Behind Latin, Greek and Cyrillic letters, SQLite's index lacks the upper case of some that later Unicode has."""
_COLUMNS = ("name", "station", "order_number")
_JOINED = "(name || chr(10) || coalesce(station, '') || chr(10) || coalesce(order_number, ''))"


def make_text_index(connection: Connection) -> None:
    """Make the index where it can be made; a new one is filled by `fill_text_index`."""
    if connection.dialect.name == "sqlite":
        make = "CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(part, content='', detail=none, tokenize='trigram')"
    else:
        make = f"CREATE INDEX IF NOT EXISTS inspections_by_text ON inspections USING gin ({_JOINED} gin_trgm_ops)"
    try:
        with connection.begin_nested():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            connection.exec_driver_sql(make)
    except DBAPIError:
        log.warning("this database has no index for parts of a text (SQLite 3.34 with FTS5, PostgreSQL with pg_trgm)")


def has_text_index(connection: Connection) -> bool:
    """Whether there is one."""
    if connection.dialect.name == "sqlite":
        query = "SELECT count(*) FROM sqlite_master WHERE name = 'texts'"
    else:
        query = "SELECT count(*) FROM pg_indexes WHERE indexname = 'inspections_by_text'"
    return bool(connection.exec_driver_sql(query).scalar())


def index_texts(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Take new inspections into SQLite's index; PostgreSQL does it by itself."""
    _change(connection, "INSERT INTO texts (rowid, part) VALUES (:seq, :part)", rows)


def unindex_texts(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Take inspections that are deleted out of SQLite's index."""
    _change(connection, "INSERT INTO texts (texts, rowid, part) VALUES ('delete', :seq, :part)", rows)


def _change(connection: Connection, statement: str, rows: Iterable[Mapping[str, Any]]) -> None:
    if connection.dialect.name == "sqlite" and has_text_index(connection):
        values = [{"seq": row["seq"], "part": "\n".join(row[name] or "" for name in _COLUMNS)} for row in rows]
        if values:
            connection.execute(text(statement), values)


def add_lower(connection: sqlite3.Connection) -> None:
    """Give a connection the function that `contains` needs: SQLite's own knows A-Z alone."""
    connection.create_function(_LOWER, 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    """Each letter by itself: how a sigma ends a word is another matter."""
    return None if text is None else "".join(map(str.lower, text))


def contains(connection: Connection, column: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Return the condition that a column holds this text, in upper or lower case; PostgreSQL goes by its locale."""
    if connection.dialect.name == "postgresql" or wanted.isascii():
        return column.icontains(wanted, autoescape=True)
    lowered: Function[str] = getattr(func, _LOWER)(column)
    return func.instr(lowered, _lower(wanted)) > 0


def holds_text(connection: Connection, columns: ReadOnlyColumnCollection[str, Any], wanted: str) -> ColumnElement[bool]:
    """Return the condition that an inspection with these columns holds this text, in upper or lower case."""
    if connection.dialect.name == "postgresql":
        joined: ColumnElement[str] = literal_column(_JOINED)
        return joined.op("ILIKE")(f"%{_escaped(wanted)}%")
    return or_(*(contains(connection, columns[name], wanted) for name in _COLUMNS))


def ids_with_text(connection: Connection, wanted: str) -> Select[tuple[str]] | None:
    """Return the ids of the inspections that may hold this text, by the index; None where it does not help."""
    if len(wanted) < SHORTEST or not has_text_index(connection):
        return None
    if connection.dialect.name == "sqlite":
        if not all(each < _NEWER or each.lower() == each.upper() for each in wanted):
            return None
        trigrams = dict.fromkeys(wanted[at : at + 3] for at in range(len(wanted) - 2))
        match = " AND ".join('"' + each.replace('"', '""') + '"' for each in trigrams)
        numbers = list(connection.execute(_MATCHING, {"match": match, "most": _MOST}).scalars())
        if len(numbers) == _MOST:
            return None
        joined = ",".join(map(str, numbers))  # integers of our own; as parameters they would be too many
        return select(inspections.c.id).where(literal_column(f"inspections.seq IN ({joined})"))
    ids = select(inspections.c.id).where(holds_text(connection, inspections.c, wanted))
    few = ids.limit(_MOST).subquery()
    if connection.execute(select(func.count()).select_from(few)).scalar() == _MOST:
        return None
    return ids


def _escaped(wanted: str) -> str:
    return wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
