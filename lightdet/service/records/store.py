"""Reading and writing records: the only access to the database; the other files of this folder do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from lightdet.service.inspection import Inspection, Origin
from lightdet.service.keep import Keep
from lightdet.service.records import pictures, search, statistics
from lightdet.service.records.chain import Link, read_end
from lightdet.service.records.database import AwayError, Database, is_away, reason
from lightdet.service.records.retention import Purged, cutoff, purge
from lightdet.service.records.search import ANYTHING, Wanted
from lightdet.service.records.span import Span
from lightdet.service.records.tables import chain_ends
from lightdet.service.records.verify import Picture, Verdict, verify
from lightdet.service.records.watch_states import read_state, write_state
from lightdet.service.records.write import write_correction, write_inspections, write_model


class Store:
    """The records in a database.

    Args:
        database: a SQLite file, or a URL: ``sqlite:///file``, ``postgresql://user:password@host:port/name``.
        durable, patient, make, migrate: see `Database`.

    Raises:
        UserError: a URL of another kind, a database that cannot be opened, one of another version.
    """

    def __init__(
        self,
        database: str,
        *,
        durable: bool = False,
        patient: bool = False,
        make: bool = True,
        migrate: bool = True,
    ) -> None:
        self.database = Database(database, durable=durable, patient=patient, make=make, migrate=migrate)
        self._engine = self.database.engine

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def ping(self) -> None:
        """Check that the database answers.

        Raises:
            SQLAlchemyError, OSError: it does not.
        """
        self.database.ping()

    # --- writing ---------------------------------------------------------------------------------------------

    def insert(self, entries: Sequence[Inspection]) -> None:
        """Write all or none of these; existing records are left as they are.

        Raises:
            AwayError: the database cannot be reached or written now; the same may succeed later.
            Exception: it will never accept one of these.
        """
        try:
            with self.database.extending() as (connection, chain):
                write_inspections(connection, chain, entries)
        except Exception as error:
            if is_away(error):
                raise AwayError(reason(error)) from None
            raise

    def note_model(self, time_ms: int, model: str, sha256: str, before: str | None) -> None:
        """Record which model answers from now on, and which one did before; None at a start.

        Raises:
            SQLAlchemyError, OSError: the database is away.
        """
        with self.database.extending() as (connection, chain):
            write_model(connection, chain, time_ms, model, sha256, before)

    def watch_state(self, sha256: str) -> Any:
        """Return what the watch over a model's promise knew, plain values; None if nothing was kept.

        Raises:
            SQLAlchemyError, OSError: the database is away.
            ValueError: it is damaged.
        """
        with self.database.looking() as connection:
            return read_state(connection, sha256)

    def keep_watch_state(self, sha256: str, time_ms: int, state: dict[str, Any], *, anew: bool = False) -> bool:
        """Keep what the watch over a model's promise knows; returns whether it is, see `watch_states.write_state`.

        Raises:
            AwayError, SQLAlchemyError, OSError: the database is away.
        """
        with self.database.writing() as connection:
            return write_state(connection, sha256, time_ms, state, anew=anew)

    def correct(
        self,
        identity: str,
        decision: str | None,
        note: str,
        origin: Origin,
        time_ms: int,
        boxes: Sequence[dict[str, Any]] | None = None,
    ) -> dict[str, Any] | None:
        """Write what a person says of an inspection, whose own row stays as it is; None where there is none.

        `boxes` as `lightdet.service.corrected_boxes.checked_boxes` returns them; None: nothing is said of them.

        Raises:
            AwayError, SQLAlchemyError, OSError: the database is away.
        """
        with self.database.extending() as (connection, chain):
            return write_correction(connection, chain, identity, decision, note, origin, time_ms, boxes)

    def verify(
        self,
        published: Iterable[Link] = (),
        progress: Callable[[int, int], None] = lambda *_: None,
        picture: Picture | None = None,
    ) -> Verdict:
        """Go along the chain of all records, see `verify.verify`."""
        return verify(self.database, published, progress, picture, self.pictures_deleted_until)

    def pictures_deleted_until(self) -> str:
        """Return the id of the last inspection whose kept picture retention has deleted; "" if none was."""
        with self.database.looking() as connection:
            return pictures.deleted_until(connection)

    def note_pictures_deleted(self, until: str) -> None:
        """Write that the pictures of inspections up to this id are deleted, before they are.

        Raises:
            AwayError, SQLAlchemyError, OSError: the database is away.
        """
        with self.database.writing() as connection:
            pictures.move_deleted_until(connection, until)

    def originals_of(self, digests: Sequence[str]) -> dict[str, list[str]]:
        """Return by the SHA-256 of a picture's bytes under which names it was kept, the newest first."""
        with self.database.looking() as connection:
            return pictures.originals_of(connection, digests)

    def any_picture_kept(self) -> bool:
        """Whether there is an inspection whose picture was kept, and not deleted by retention since."""
        with self.database.looking() as connection:
            return pictures.any_kept(connection)

    def cutoff(self, days: float) -> int:
        """Return the time in ms before which these days end, back from the newest record; 0: nothing is that old."""
        with self.database.looking() as connection:
            return cutoff(connection, days).before

    def knows_any(self, identities: Sequence[str]) -> bool:
        """Whether any of these is an inspection on record."""
        with self.database.looking() as connection:
            return pictures.any_of_these(connection, identities)

    def head(self) -> tuple[Link, int]:
        """Return the last link of the chain, and when it was written, in ms."""
        with self.database.looking() as connection:
            time_ms = connection.execute(select(chain_ends.c.time_ms).where(chain_ends.c.name == "head")).scalar_one()
            return read_end(connection, "head"), int(time_ms)

    @property
    def present(self) -> bool:
        """Whether the database is still the one that was opened, see `Database.present`."""
        return self.database.present

    def is_back(self) -> bool:
        """Whether the database is the one that was opened, or has come back, see `Database.is_back`."""
        return self.database.is_back()

    def purge(
        self,
        keep: Keep,
        *,
        stop: Callable[[], bool] = lambda: False,
        forget: Callable[[str], None] = lambda _: None,
    ) -> Purged:
        """Delete the oldest rows until what is there is within these bounds, see `retention.purge`."""
        return purge(self.database, keep, stop=stop, forget=forget)

    # --- reading ---------------------------------------------------------------------------------------------

    def history(
        self, span: Span, wanted: Wanted = ANYTHING, *, limit: int, before: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the wanted inspections, see `search.history`."""
        with self.database.looking() as connection:
            return search.history(connection, span, wanted, limit=limit, before=before)

    def written(self, after: int | None, span: Span, *, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return what was written after this number of the chain, and the last number, see `search.written`."""
        with self.database.reading() as connection:
            found, head = search.written(connection, after, span, limit=limit)
        self.database.saw(head)
        return found, head.seq

    def one(self, identity: str) -> dict[str, Any] | None:
        """Return one inspection with its detections; None where there is none."""
        with self.database.looking() as connection:
            return search.one(connection, identity)

    def thumbnail(self, identity: str) -> bytes | None:
        """Return an inspection's small picture; None where there is none."""
        with self.database.looking() as connection:
            return search.thumbnail(connection, identity)

    def export(self, span: Span, model: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield every inspection of a time (by the model of this name), the oldest first; reads page by page."""
        return search.export(self.database.looking, span, model)

    def totals(self, span: Span, model: str | None = None) -> tuple[int, int, int | None, int | None]:
        """Return how many were inspected, how many were NG, the first and last time, see `statistics.totals`."""
        with self.database.looking() as connection:
            return statistics.totals(connection, span, model)

    def overridden(self, span: Span, model: str | None = None) -> int:
        """Return how many were inspected by a rule of the caller's own."""
        with self.database.looking() as connection:
            return statistics.overridden(connection, span, model)

    def by_class(self, span: Span, model: str | None = None) -> dict[str, tuple[int, int]]:
        """Return by class name: how many defects, in how many pictures."""
        with self.database.looking() as connection:
            return statistics.by_class(connection, span, model)

    def series(self, span: Span, start_ms: int, width_ms: int, model: str | None = None) -> list[tuple[int, int, int]]:
        """Return ``(bin, inspected, NG)`` for every bin with inspections, see `statistics.series`."""
        with self.database.looking() as connection:
            return statistics.series(connection, span, start_ms, width_ms, model)


__all__ = ["AwayError", "Keep", "SQLAlchemyError", "Span", "Store", "Wanted"]
