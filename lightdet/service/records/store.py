"""Reading and writing records: one door to the database, with what is done behind it in the files beside this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from lightdet.service.inspection import Inspection, first_id, new_id
from lightdet.service.records import search, statistics
from lightdet.service.records.database import AwayError, Database, is_away, reason
from lightdet.service.records.rows import detection_rows, inspection_row
from lightdet.service.records.search import ANYTHING, Wanted
from lightdet.service.records.span import Span
from lightdet.service.records.tables import detections, inspections, model_changes, thumbnails


class Store:
    """The records in a database.

    Args:
        database: a SQLite file, or a URL: ``sqlite:///file``, ``postgresql://user:password@host:port/name``.

    Raises:
        UserError: a URL of another kind, a database that cannot be opened, one of another version.
    """

    def __init__(self, database: str) -> None:
        self.database = Database(database)
        self._engine = self.database.engine

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            SQLAlchemyError, OSError: it gave none.
        """
        self.database.ping()

    # --- writing ---------------------------------------------------------------------------------------------

    def insert(self, entries: Sequence[Inspection]) -> None:
        """Write all or none of these; what is there already is left as it is.

        Raises:
            AwayError: the database is not there or takes nothing now; the same may go well later.
            Exception: it will never take one of these.
        """
        try:
            self.database.find_again()
            with self._engine.begin() as connection:
                _insert(connection, entries)
        except Exception as error:
            if is_away(error):
                raise AwayError(reason(error)) from None
            raise

    def note_model(self, time_ms: int, model: str, sha256: str, before: str | None) -> None:
        """Record which model answers from now on, and which one did; None at a start.

        Raises:
            SQLAlchemyError, OSError: the database is away.
        """
        row = {"id": new_id(time_ms), "time_ms": time_ms, "model": model, "sha256": sha256, "before": before}
        with self._engine.begin() as connection:
            connection.execute(insert(model_changes), row)

    def purge(self, before_ms: int) -> int:
        """Delete what is older than this, with all that belongs to it; returns how many inspections."""
        old = inspections.c.id < first_id(before_ms)
        with self._engine.begin() as connection:
            return int(connection.execute(delete(inspections).where(old)).rowcount)

    # --- reading ---------------------------------------------------------------------------------------------

    def history(
        self, span: Span, wanted: Wanted = ANYTHING, *, limit: int, before: str | None = None
    ) -> list[dict[str, Any]]:
        """Return what is wanted, see `search.history`."""
        with self._engine.connect() as connection:
            return search.history(connection, span, wanted, limit=limit, before=before)

    def one(self, identity: str) -> dict[str, Any] | None:
        """Return one inspection with its detections; None where there is none."""
        with self._engine.connect() as connection:
            return search.one(connection, identity)

    def thumbnail(self, identity: str) -> bytes | None:
        """Return an inspection's small picture; None where there is none."""
        with self._engine.connect() as connection:
            return search.thumbnail(connection, identity)

    def export(self, span: Span) -> Iterator[dict[str, Any]]:
        """Yield every inspection of a time with its detections, the oldest first; reads page by page."""
        return search.export(self._engine, span)

    def totals(self, span: Span) -> tuple[int, int, int | None, int | None]:
        """Return how many were inspected, how many were NG, the first and last time, see `statistics.totals`."""
        with self._engine.connect() as connection:
            return statistics.totals(connection, span)

    def overridden(self, span: Span) -> int:
        """Return how many were inspected by a rule of the caller's own."""
        with self._engine.connect() as connection:
            return statistics.overridden(connection, span)

    def by_class(self, span: Span) -> dict[str, tuple[int, int]]:
        """Return by class name: how many defects, in how many pictures."""
        with self._engine.connect() as connection:
            return statistics.by_class(connection, span)

    def series(self, span: Span, start_ms: int, width_ms: int) -> list[tuple[int, int, int]]:
        """Return ``(bin, inspected, NG)`` for every bin with inspections, see `statistics.series`."""
        with self._engine.connect() as connection:
            return statistics.series(connection, span, start_ms, width_ms)


def _insert(connection: Connection, entries: Sequence[Inspection]) -> None:
    ids = [entry.id for entry in entries]
    there = set(connection.execute(select(inspections.c.id).where(inspections.c.id.in_(ids))).scalars())
    fresh = [entry for entry in entries if entry.id not in there]
    if not fresh:
        return
    connection.execute(insert(inspections), [inspection_row(entry) for entry in fresh])
    found = [row for entry in fresh for row in detection_rows(entry)]
    if found:
        connection.execute(insert(detections), found)
    small = [{"inspection": e.id, "jpeg": e.thumbnail} for e in fresh if e.thumbnail is not None]
    if small:
        connection.execute(insert(thumbnails), small)


__all__ = ["AwayError", "SQLAlchemyError", "Span", "Store", "Wanted"]
