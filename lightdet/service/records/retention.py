"""Deletes the oldest rows, along the chain, in steps so small that nobody waits for them.

What is old goes by the records, never by the clock: the newest record is today. A time of more than three days, or of
more than half of what is kept, without any record counts for nothing: it may be a holiday, or a clock that was wrong.
Rows beyond such a gap that earlier ones follow in the chain are as old as those.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
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
        old = cutoff(connection, keep.days)
        surplus = _surplus(connection, keep)
    done, step = 0, _FIRST_STEP
    while not stop():
        with database.writing() as connection:
            began = time.monotonic()  # what others wait for, not what this waited for others
            gone = _step(connection, old, surplus - done, step)
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
    return Purged(done, left, old.told)


@dataclass(frozen=True)
class Cutoff:
    """Which rows are old.

    Attributes:
        before: rows of earlier times are, in ms; 0: none is.
        ahead: rows from this time on came from a clock that ran ahead, and are as old as the next one that did not;
            None: no such rows are known.
        told: what is to be said about times without records.
    """

    before: int = 0
    ahead: int | None = None
    told: str = ""


def cutoff(connection: Connection, days: float) -> Cutoff:
    """Return which rows are old.

    A clock ran ahead if records follow in the chain that are older by a gap that does not count. If these in turn were
    too old to be kept, it is as likely that the clock is behind now: nobody's time is doubted then.
    """
    if not days:
        return Cutoff()
    found = _going_back(connection, days, None)
    last = select(inspections.c.time_ms).where(inspections.c.seq.is_not(None)).order_by(inspections.c.seq.desc())
    time_ms = connection.execute(last.limit(1)).scalar()
    gap = None if time_ms is None else _gap_after(connection, time_ms // HOUR_MS, _longest_gap(days))
    if time_ms is None or gap is None:
        return found
    before = _going_back(connection, days, gap[1]).before
    return found if time_ms < before else Cutoff(before, gap[1] * HOUR_MS, found.told or _told(*gap, days))


def _longest_gap(days: float) -> int:
    """The ms without records that still count."""
    return min(_GAP_MS, round(days * DAY_MS) // 2)


def _gap_after(connection: Connection, last: int, longest: int) -> tuple[int, int] | None:
    """Return the hours with records around the first gap after this hour; None: there is none."""
    query = select(hours.c.hour).where(hours.c.inspected + hours.c.overridden > 0, hours.c.hour > last)
    for hour in connection.execute(query.order_by(hours.c.hour)).scalars():
        if (hour - last - 1) * HOUR_MS > longest:
            return last, int(hour)
        last = hour
    return None


def _going_back(connection: Connection, days: float, until: int | None) -> Cutoff:
    """Count the days back from the newest hour with records, or from that before the hour `until`."""
    keep_ms, longest = round(days * DAY_MS), _longest_gap(days)
    kept, after, told = 0, None, ""
    query = select(hours.c.hour).where(hours.c.inspected + hours.c.overridden > 0)
    if until is not None:
        query = query.where(hours.c.hour < until)
    for hour in connection.execute(query.order_by(hours.c.hour.desc())).scalars():
        if after is not None:
            gap = (after - hour - 1) * HOUR_MS
            if gap > longest:
                told = told or _told(hour, after, days)
                gap = 0
            kept += gap + HOUR_MS
            if kept > keep_ms:
                return Cutoff((hour + 1) * HOUR_MS, told=told)
        after = hour
    return Cutoff(told=told)


def _told(hour: int, after: int, days: float) -> str:
    return (
        f"no records from {iso_time((hour + 1) * HOUR_MS)} to {iso_time(after * HOUR_MS)}: this time does not count "
        f"for the {days:g} days that are kept (was the clock wrong?)"
    )


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


def _step(connection: Connection, old: Cutoff, surplus: int, most: int) -> list[dict[str, Any]]:
    """Delete the oldest rows, `most` at most, if they are too old or too many; returns them."""
    anchor = _lock_anchor(connection)
    rows: list[tuple[str, dict[str, Any]]] = []
    for kind, table in KINDS.items():
        query = select(table).where(table.c.seq > anchor.seq, table.c.seq <= anchor.seq + most)
        rows += [(kind, dict(row)) for row in connection.execute(query).mappings()]
    rows.sort(key=lambda each: each[1]["seq"])
    going: list[tuple[str, dict[str, Any]]] = []
    times = _times(connection, [row for _, row in rows], old.ahead)
    for place, (kind, row) in enumerate(rows):
        if row["seq"] != anchor.seq + place + 1:
            break  # what is missing is told by `verify`; nothing is deleted over it
        if place >= surplus and times[place] >= old.before:
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


def _times(connection: Connection, rows: Sequence[dict[str, Any]], ahead: int | None) -> list[int]:
    """Return the time in ms by which each row is old or not: of one that is ahead, that of the next that is not."""
    times = [int(row["time_ms"]) for row in rows]
    if ahead is None or not times:
        return times
    after = _next_time(connection, rows[-1]["seq"], ahead) if times[-1] >= ahead else None
    for place in reversed(range(len(times))):
        if times[place] < ahead:
            after = times[place]
        elif after is not None:
            times[place] = after
    return times


def _next_time(connection: Connection, seq: int, ahead: int) -> int | None:
    """Return the time of the first row after this number that is not ahead."""
    found: list[tuple[int, int]] = []
    for table in KINDS.values():
        later = select(table.c.seq, table.c.time_ms).where(table.c.seq > seq, table.c.time_ms < ahead)
        found += [(each.seq, each.time_ms) for each in connection.execute(later.order_by(table.c.seq).limit(1))]
    return min(found)[1] if found else None


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
