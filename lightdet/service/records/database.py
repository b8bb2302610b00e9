"""The database itself: its address, its connections, its tables, and whether it is the one that was opened."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, literal, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lightdet.addresses import hide_sign_in
from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.service.records.migrations import is_current, migrate, stored_version
from lightdet.service.records.tables import SCHEMA, about, metadata

log = logging.getLogger("lightdet.service")

_WAIT_SECONDS = 5
"""For another process's lock (SQLite), and for the server's answer (PostgreSQL)."""


class AwayError(Exception):
    """The database is away, full, locked or misconfigured: nothing is wrong with what was to be written."""


class Database:
    """A database with the tables of records.

    Args:
        address: a SQLite file, or a URL: ``sqlite:///file``, ``postgresql://user:password@host:port/name``.

    Attributes:
        engine: gives its connections.
        shown: its address without a password.

    Raises:
        UserError: a URL of another kind, a database that cannot be opened, one of another version.
    """

    def __init__(self, address: str) -> None:
        self.url = _url(address)
        self.shown = hide_sign_in(self.url.render_as_string(hide_password=True))
        self.engine = _engine(self.url)
        self.file = Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None
        try:
            with self.engine.begin() as connection:
                self._prepare(connection)
        except (DBAPIError, OSError) as error:
            raise UserError(f"the database {self.shown} cannot be used: {reason(error)}") from None
        self._known = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        """Tell one SQLite file from another of the same name; None where there is none."""
        try:
            found = self.file.stat() if self.file is not None else None
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found is not None else None

    def find_again(self) -> None:
        """Begin anew where the SQLite file was deleted or replaced: what is still open would be written to nowhere."""
        if self.file is None or (self._known is not None and self._identity() == self._known):
            return
        log.warning("the database file was deleted or replaced; it is opened anew")
        self.engine.dispose()
        with self.engine.begin() as connection:
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
        self.engine.dispose()

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            SQLAlchemyError, OSError: it gave none.
        """
        with self.engine.connect() as connection:
            connection.execute(select(literal(1)))


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


def is_away(error: Exception) -> bool:
    """Whether a failed write says something about the database rather than about what was written."""
    if isinstance(error, (OSError, PoolTimeoutError, UserError)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(fields, dict):  # PostgreSQL: class 22 is bad data, class 23 a broken constraint
        return str(fields.get("C", ""))[:2] not in ("22", "23")
    return not isinstance(error, (IntegrityError, DataError))


def reason(error: Exception) -> str:
    """A database's own words in one line, without a password or SQL."""
    cause = getattr(error, "orig", None) or error
    first = cause.args[0] if cause.args else cause
    if isinstance(first, dict):  # PostgreSQL's fields: M is the message
        first = first.get("M", "it refused")
    return " ".join(str(first).split())[:200] or type(cause).__name__
