"""Reading and writing records; the only file that speaks SQL."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    case,
    create_engine,
    delete,
    distinct,
    event,
    exists,
    func,
    insert,
    literal,
    make_url,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lightdet.addresses import hide_sign_in
from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.service.inspection import Inspection, first_id, new_id
from lightdet.service.records.migrations import is_current, migrate, stored_version
from lightdet.service.records.tables import (
    OVERRIDDEN,
    SCHEMA,
    about,
    detections,
    inspections,
    metadata,
    model_changes,
    thumbnails,
)

log = logging.getLogger("lightdet.service")

_WAIT_SECONDS = 5
"""For another process's lock (SQLite), and for the server's answer (PostgreSQL)."""
_PAGE = 1000


@dataclass(frozen=True)
class Span:
    """A stretch of time in milliseconds since 1970, the end outside; None: unbounded."""

    since_ms: int | None = None
    until_ms: int | None = None

    def condition(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition on a column of ids."""
        bounds = []
        if self.since_ms is not None:
            bounds.append(column >= first_id(self.since_ms))
        if self.until_ms is not None:
            bounds.append(column < first_id(self.until_ms))
        return and_(literal(True), *bounds)


class AwayError(Exception):
    """The database is away, full, locked or misconfigured: nothing is wrong with what was to be written."""


class Store:
    """The records in a database.

    Args:
        database: a SQLite file, or a URL: ``sqlite:///file``, ``postgresql://user:password@host:port/name``.

    Raises:
        UserError: a URL of another kind, a database that cannot be opened, one of another version.
    """

    def __init__(self, database: str) -> None:
        self.url = _url(database)
        self.shown = hide_sign_in(self.url.render_as_string(hide_password=True))
        self._engine = _engine(self.url)
        self._file = Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None
        try:
            with self._engine.begin() as connection:
                self._prepare(connection)
        except (DBAPIError, OSError) as error:
            raise UserError(f"the database {self.shown} cannot be used: {_reason(error)}") from None
        self._known = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        """Tell one SQLite file from another of the same name; None where there is none."""
        try:
            found = self._file.stat() if self._file is not None else None
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found is not None else None

    def _find_again(self) -> None:
        """Begin anew where the SQLite file was deleted or replaced: what is still open would be written to nowhere."""
        if self._file is None or (self._known is not None and self._identity() == self._known):
            return
        log.warning("the database file was deleted or replaced; it is opened anew")
        self._engine.dispose()
        with self._engine.begin() as connection:
            self._prepare(connection)
        self._known = self._identity()

    def _prepare(self, connection: Connection) -> None:
        # Workers that start at the same time take turns.
        if self.url.get_backend_name() == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(0x6C696768)))
        elif not is_current(connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        metadata.create_all(connection)
        version = stored_version(connection)
        if version is None:
            connection.execute(insert(about).values(schema_version=SCHEMA))
            return
        if version != SCHEMA:
            version = migrate(connection)
        if version != SCHEMA:
            raise UserError(
                f"the database {self.shown} was written by another version of lightdet (its tables have number "
                f"{version}, these are {SCHEMA}); name another --database"
            )

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            SQLAlchemyError, OSError: it gave none.
        """
        with self._engine.connect() as connection:
            connection.execute(select(literal(1)))

    def insert(self, entries: Sequence[Inspection]) -> None:
        """Write all or none of these; what is there already is left as it is.

        Raises:
            AwayError: the database is not there or takes nothing now; the same may go well later.
            Exception: it will never take one of these.
        """
        try:
            self._find_again()
            self._insert(entries)
        except Exception as error:
            if _is_away(error):
                raise AwayError(_reason(error)) from None
            raise

    def _insert(self, entries: Sequence[Inspection]) -> None:
        with self._engine.begin() as connection:
            ids = [entry.id for entry in entries]
            there = set(connection.execute(select(inspections.c.id).where(inspections.c.id.in_(ids))).scalars())
            fresh = [entry for entry in entries if entry.id not in there]
            if not fresh:
                return
            connection.execute(insert(inspections), [_inspection_row(entry) for entry in fresh])
            found = [row for entry in fresh for row in _detection_rows(entry)]
            if found:
                connection.execute(insert(detections), found)
            small = [{"inspection": e.id, "jpeg": e.thumbnail} for e in fresh if e.thumbnail is not None]
            if small:
                connection.execute(insert(thumbnails), small)

    def note_model(self, time_ms: int, model: str, sha256: str, before: str | None) -> None:
        """Record which model answers from now on, and which one did; None at a start.

        Raises:
            SQLAlchemyError, OSError: the database is away.
        """
        row = {"id": new_id(time_ms), "time_ms": time_ms, "model": model, "sha256": sha256, "before": before}
        with self._engine.begin() as connection:
            connection.execute(insert(model_changes), row)

    def history(
        self,
        span: Span,
        *,
        limit: int,
        before: str | None = None,
        decision: str | None = None,
        name: str | None = None,
        defect: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return the latest inspections first, each with its detections.

        Args:
            span: the time to look at.
            limit: most of them.
            before: an id; only what is older than that.
            decision: OK or NG only.
            name: only those whose name holds this text.
            defect: only those with a defect of this class.
        """
        wanted = [span.condition(inspections.c.id)]
        if before is not None:
            wanted.append(inspections.c.id < before)
        if decision is not None:
            wanted.append(inspections.c.decision == decision)
        if name:
            wanted.append(inspections.c.name.contains(name, autoescape=True))
        if defect is not None:
            matching = and_(
                detections.c.inspection == inspections.c.id, detections.c.name == defect, detections.c.defect
            )
            wanted.append(exists().where(matching))
        with self._engine.connect() as connection:
            query = select(inspections).where(*wanted).order_by(inspections.c.id.desc()).limit(limit)
            return self._with_detections(connection, connection.execute(query).all())

    def one(self, identity: str) -> dict[str, Any] | None:
        """Return one inspection with its detections; None where there is none."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(inspections).where(inspections.c.id == identity)).all()
            found = self._with_detections(connection, rows)
        return found[0] if found else None

    def thumbnail(self, identity: str) -> bytes | None:
        """Return an inspection's small picture; None where there is none."""
        with self._engine.connect() as connection:
            query = select(thumbnails.c.jpeg).where(thumbnails.c.inspection == identity)
            jpeg = connection.execute(query).scalar()
        return None if jpeg is None else bytes(jpeg)

    def totals(self, span: Span) -> tuple[int, int, int | None, int | None]:
        """Return how many were inspected and how many of them were NG, and the first and last time in ms.

        Here and in the other counts, inspections by a rule of the caller's own are left out; see `overridden`.
        """
        bad = func.coalesce(func.sum(_is_bad()), 0)
        query = select(func.count(), bad, func.min(inspections.c.time_ms), func.max(inspections.c.time_ms))
        with self._engine.connect() as connection:
            count, rejected, first, last = connection.execute(query.where(_by_service(span))).one()
        return int(count), int(rejected), first, last

    def overridden(self, span: Span) -> int:
        """Return how many were inspected by a rule of the caller's own."""
        query = select(func.count()).select_from(inspections).where(span.condition(inspections.c.id), OVERRIDDEN)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def by_class(self, span: Span) -> dict[str, tuple[int, int]]:
        """Return by class name: how many defects, in how many pictures."""
        query = (
            select(detections.c.name, func.count(), func.count(distinct(detections.c.inspection)))
            .where(
                span.condition(detections.c.inspection),
                detections.c.defect,
                detections.c.inspection.not_in(select(inspections.c.id).where(OVERRIDDEN)),
            )
            .group_by(detections.c.name)
        )
        with self._engine.connect() as connection:
            return {name: (int(count), int(pictures)) for name, count, pictures in connection.execute(query)}

    def series(self, span: Span, start_ms: int, width_ms: int) -> list[tuple[int, int, int]]:
        """Return ``(bin, inspected, NG)`` for every bin with inspections; bin 0 begins at `start_ms`."""
        number = ((inspections.c.time_ms - start_ms) // width_ms).label("number")
        # Numbered first: PostgreSQL does not see that two expressions with parameters are the same one.
        each = select(number, _is_bad().label("bad")).where(_by_service(span)).subquery()
        query = select(each.c.number, func.count(), func.sum(each.c.bad)).group_by(each.c.number)
        query = query.order_by(each.c.number)
        with self._engine.connect() as connection:
            return [(int(index), int(count), int(bad)) for index, count, bad in connection.execute(query)]

    def export(self, span: Span) -> Iterator[dict[str, Any]]:
        """Yield every inspection of a time with its detections, the oldest first; reads page by page."""
        after = ""
        while True:
            query = (
                select(inspections)
                .where(span.condition(inspections.c.id), inspections.c.id > after)
                .order_by(inspections.c.id)
                .limit(_PAGE)
            )
            with self._engine.connect() as connection:
                page = self._with_detections(connection, connection.execute(query).all())
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]["id"]

    def purge(self, before_ms: int) -> int:
        """Delete what is older than this, with all that belongs to it; returns how many inspections."""
        old = inspections.c.id < first_id(before_ms)
        with self._engine.begin() as connection:
            return int(connection.execute(delete(inspections).where(old)).rowcount)

    def _with_detections(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
        found: dict[str, list[dict[str, Any]]] = {row.id: [] for row in rows}
        if found:
            query = select(detections).where(detections.c.inspection.in_(found))
            for each in connection.execute(query.order_by(detections.c.inspection, detections.c.place)):
                found[each.inspection].append(_detection_dict(each))
        return [_inspection_dict(row, found[row.id]) for row in rows]


def _by_service(span: Span) -> ColumnElement[bool]:
    return and_(span.condition(inspections.c.id), inspections.c.overridden.is_not(True))


def _is_bad() -> ColumnElement[int]:
    return case((inspections.c.decision == "NG", 1), else_=0)


def _inspection_row(entry: Inspection) -> dict[str, Any]:
    return {
        "id": entry.id,
        "time_ms": entry.time_ms,
        "name": entry.name,
        "sha256": entry.sha256,
        "bytes": entry.length,
        "width": entry.size[0],
        "height": entry.size[1],
        "model": entry.model.name,
        "version": entry.model.version,
        "rule": json.dumps(entry.rule, ensure_ascii=False),
        "decision": entry.decision,
        "defects": entry.defects,
        "total_ms": entry.milliseconds.get("total", 0.0),
        "stages": json.dumps(entry.milliseconds),
        "overridden": entry.overridden,
    }


def _detection_rows(entry: Inspection) -> Iterator[dict[str, Any]]:
    for place, each in enumerate(entry.detections):
        x1, y1, x2, y2 = each["box"]
        yield {
            "inspection": entry.id,
            "place": place,
            **{key: each[key] for key in ("name", "label", "score", "defect")},
            **{"x1": x1, "y1": y1, "x2": x2, "y2": y2},
        }


def _inspection_dict(row: Row[Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": row.id,
        "time_ms": row.time_ms,
        "name": row.name,
        "sha256": row.sha256,
        "bytes": row.bytes,
        "size": [row.width, row.height],
        "model": {"name": row.model, "version": row.version},
        "rule": json.loads(row.rule),
        "overridden": row.overridden,
        "decision": row.decision,
        "defects": row.defects,
        "detections": found,
        "milliseconds": json.loads(row.stages),
    }


def _detection_dict(row: Row[Any]) -> dict[str, Any]:
    return {
        "box": [row.x1, row.y1, row.x2, row.y2],
        "score": row.score,
        "label": row.label,
        "name": row.name,
        "defect": bool(row.defect),
    }


def _url(database: str) -> URL:
    if "://" not in database:
        path = Path(database)
        if path.is_dir():
            raise UserError("is a folder; name a file in it", path=path)
        return URL.create("sqlite", database=str(path))
    try:
        url = make_url(database)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise UserError(
            "the database URL cannot be read; write postgresql://user:password@host:5432/name, or a file's name"
        ) from None
    if backend == "postgres":  # the name that some hosts give
        backend = "postgresql"
    if backend == "postgresql":
        return url.set(drivername="postgresql+pg8000")
    if backend != "sqlite":
        raise UserError(f"databases of the kind '{backend}' are not supported; take SQLite or PostgreSQL")
    if not url.database or url.database == ":memory:":
        raise UserError("a SQLite database needs a file; write sqlite:///inspections.sqlite3")
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(
            url, pool_size=4, max_overflow=4, pool_timeout=_WAIT_SECONDS, pool_pre_ping=True,
            connect_args={"timeout": _WAIT_SECONDS},
        )  # fmt: skip
    make_folder(Path(str(url.database)).parent)
    engine = create_engine(url, pool_size=4, max_overflow=4, connect_args={"timeout": _WAIT_SECONDS})
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    # Readers and one writer at the same time; a power failure may cost the last records, never the database.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _is_away(error: Exception) -> bool:
    """Whether a failed write says something about the database rather than about what was written."""
    if isinstance(error, (OSError, PoolTimeoutError, UserError)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(fields, dict):  # PostgreSQL: class 22 is bad data, class 23 a broken constraint
        return str(fields.get("C", ""))[:2] not in ("22", "23")
    return not isinstance(error, (IntegrityError, DataError))


def _reason(error: Exception) -> str:
    """A database's own words in one line, without a password or SQL."""
    cause = getattr(error, "orig", None) or error
    first = cause.args[0] if cause.args else cause
    if isinstance(first, dict):  # PostgreSQL's fields: M is the message
        first = first.get("M", "it refused")
    return " ".join(str(first).split())[:200] or type(cause).__name__


__all__ = ["AwayError", "SQLAlchemyError", "Span", "Store"]
