"""Deletes the oldest rows, along the chain, in steps so small that nobody waits for them.

What is old goes by the records, never by the clock: the newest record is today. A time of more than three days, or of
more than half of what is kept, without any record counts for nothing: it may be a holiday, or a clock that was wrong.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, func, literal_column, select

from lightdet.service.inspection import iso_time
from lightdet.service.keep import Keep
from lightdet.service.records.chain import KINDS, Link, move_end, read_end
from lightdet.service.records.database import Database
from lightdet.service.records.hours import HOUR_MS, count
from lightdet.service.records.tables import chain_ends, detections, hours, inspections, thumbnails
from lightdet.service.records.text_index import unindex_texts

log = logging.getLogger("lightdet.service")

DAY_MS = 24 * HOUR_MS
_FIRST_STEP, _LAST_STEP = 50, 500
"""Rows deleted in one transaction; more and more while they take less than `_STEP_SECONDS`."""
_STEP_SECONDS = 0.2
_PAUSE_SECONDS = 0.1
"""Between two steps, at least: SQLite asks for a lock every tenth of a second."""
_GAP_MS = 3 * DAY_MS
_FREED_PAGES = 1000
"""Pages that a step gives back at most, and that stay free for the records to come."""
_INDEX_BYTES = 900
"""What PostgreSQL's indexes take for an inspection, about."""


@dataclass(frozen=True)
class Purged:
    """What was deleted.

    Attributes:
        rows: how many.
        left: how many there are.
        told: what a person should know of it; "" for nothing.
    """

    rows: int
    left: int
    told: str = ""


def purge(
    database: Database,
    keep: Keep,
    *,
    stop: Callable[[], bool] = lambda: False,
    forget: Callable[[str], None] = lambda _: None,
) -> Purged:
    """Delete the oldest rows until what is there is within all bounds; `stop` ends it after a step.

    `forget` is told the kept picture of each inspection that is gone.

    Raises:
        AwayError, SQLAlchemyError, OSError: the database is away.
    """
    with database.reading() as connection:
        before, told = cutoff(connection, keep.days)
        surplus = _surplus(connection, keep)
    done, step = 0, _FIRST_STEP
    while not stop():
        with database.writing() as connection:
            began = time.monotonic()  # what others wait for, not what this waited for others
            gone = _step(connection, before, surplus - done, step)
        took = time.monotonic() - began
        done += len(gone)
        for row in gone:  # after the rows: a crash between leaves a picture without a record, not the reverse
            if row.get("original"):
                forget(row["original"])
        if len(gone) < step:
            break
        time.sleep(max(_PAUSE_SECONDS, took))  # whoever waits has as long as this took
        step = max(_FIRST_STEP, step // 2) if took > _STEP_SECONDS else min(2 * step, _LAST_STEP)
    if done:
        give_back(database, stop)
    with database.reading() as connection:
        left = read_end(connection, "head").seq - read_end(connection, "anchor").seq
    return Purged(done, left, told)


def cutoff(connection: Connection, days: float) -> tuple[int, str]:
    """Return the time in ms before which rows are old, and what is to be said about times without records."""
    if not days:
        return 0, ""
    keep_ms = round(days * DAY_MS)
    longest = min(_GAP_MS, keep_ms // 2)
    kept, after, told = 0, None, ""
    query = select(hours.c.hour).where(hours.c.inspected + hours.c.overridden > 0).order_by(hours.c.hour.desc())
    for hour in connection.execute(query).scalars():
        if after is not None:
            gap = (after - hour - 1) * HOUR_MS
            if gap > longest:
                told = told or (
                    f"no records from {iso_time((hour + 1) * HOUR_MS)} to {iso_time(after * HOUR_MS)}: this time does "
                    f"not count for the {days:g} days that are kept (was the clock wrong?)"
                )
                gap = 0
            kept += gap + HOUR_MS
            if kept > keep_ms:
                return (hour + 1) * HOUR_MS, told
        after = hour
    return 0, told


def _surplus(connection: Connection, keep: Keep) -> int:
    """Return how many rows are too many."""
    rows = read_end(connection, "head").seq - read_end(connection, "anchor").seq
    surplus = rows - keep.rows if keep.rows else 0
    if keep.size and rows:
        used = size(connection, rows)
        if used > keep.size:
            surplus = max(surplus, rows - int(rows * keep.size / used))
    return max(0, surplus)


def size(connection: Connection, rows: int) -> int:
    """Return how many bytes the records take; in PostgreSQL an estimate from the latest thousand."""
    if connection.dialect.name == "sqlite":
        pages, free, page = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * page
    latest = select(inspections.c.id).order_by(inspections.c.id.desc()).limit(1000)
    held = 0
    for table, key in ((inspections, "id"), (detections, "inspection"), (thumbnails, "inspection")):
        row = func.pg_column_size(literal_column(f"{table.name}.*"))
        held += int(connection.execute(select(func.sum(row)).where(table.c[key].in_(latest))).scalar() or 0)
    looked_at = min(rows, 1000)
    return round(rows * (held / looked_at + _INDEX_BYTES))


def _step(connection: Connection, before_ms: int, surplus: int, most: int) -> list[dict[str, Any]]:
    """Delete the oldest rows, `most` at most, if they are too old or too many; returns them."""
    anchor = _lock_anchor(connection)
    rows: list[tuple[str, dict[str, Any]]] = []
    for kind, table in KINDS.items():
        query = select(table).where(table.c.seq > anchor.seq, table.c.seq <= anchor.seq + most)
        rows += [(kind, dict(row)) for row in connection.execute(query).mappings()]
    rows.sort(key=lambda each: each[1]["seq"])
    going: list[tuple[str, dict[str, Any]]] = []
    for place, (kind, row) in enumerate(rows):
        if row["seq"] != anchor.seq + place + 1:
            break  # what is missing is told by `verify`; nothing is deleted over it
        if place >= surplus and row["time_ms"] >= before_ms:
            break
        going.append((kind, row))
    if not going:
        return []
    gone = [row for kind, row in going if kind == "inspection"]
    _delete_inspections(connection, gone)
    for kind, table in KINDS.items():
        if kind != "inspection":
            _delete(connection, table, [row["id"] for each, row in going if each == kind])
    last = going[-1][1]
    move_end(connection, "anchor", Link(last["seq"], last["hash"]))
    return [row for _, row in going]


def _lock_anchor(connection: Connection) -> Link:
    query = select(chain_ends.c.seq, chain_ends.c.hash).where(chain_ends.c.name == "anchor").with_for_update()
    return Link(*connection.execute(query).one())


def _delete_inspections(connection: Connection, rows: Iterable[Any]) -> None:
    rows = list(rows)
    ids = [row["id"] for row in rows]
    query = select(detections).where(detections.c.inspection.in_(ids))
    found = [dict(each) for each in connection.execute(query).mappings()]
    count(connection, rows, found, -1)
    unindex_texts(connection, rows)
    _delete(connection, inspections, ids)  # what belongs to them goes with them


def _delete(connection: Connection, table: Table, ids: list[str]) -> None:
    if ids:
        connection.execute(delete(table).where(table.c.id.in_(ids)))


def give_back(database: Database, stop: Callable[[], bool] = lambda: False) -> None:
    """Give space back to the file system, in small steps; PostgreSQL does so itself, as far as it does."""
    if database.file is None:
        return
    while not stop():
        with database.writing() as connection:
            began = time.monotonic()
            if connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() != 2:
                return  # made by an earlier version: the space is used again, see `backup.restore`
            free = connection.exec_driver_sql("PRAGMA freelist_count").scalar() or 0
            if free <= _FREED_PAGES:
                return
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA cache_size=-64000")  # KiB; each page is looked up in the list of all free ones
            for _ in range(min(free, _FREED_PAGES)):
                cursor.execute("PRAGMA incremental_vacuum(1)")  # of more, Python takes the first step alone
                if time.monotonic() - began > _STEP_SECONDS / 2:
                    break
            cursor.close()
        time.sleep(max(_PAUSE_SECONDS / 2, time.monotonic() - began))
