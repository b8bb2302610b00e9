"""The database itself: its address, its connections, its tables, and whether it is the one that was opened."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, func, insert, inspect, literal, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from lightdet.addresses import hide_sign_in
from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.service.records.chain import Chain, Link, begin_chain, holds, lock_head, move_end, read_end
from lightdet.service.records.migrations import is_current, migrate, stored_version
from lightdet.service.records.tables import SCHEMA, about, metadata
from lightdet.service.records.text_index import add_lower, make_text_index

log = logging.getLogger("lightdet.service")

_WAIT_SECONDS = 5
"""Seconds to wait for another process's lock (SQLite) and for the server's answer (PostgreSQL)."""


class AwayError(Exception):
    """The database is away, full, locked or misconfigured: nothing is wrong with the data to be written."""


class Database:
    """A database with the tables of records.

    Args:
        address: a SQLite file, or a URL: ``sqlite:///file``, ``postgresql://user:password@host:port/name``.
        patient: wait for a server as long as it takes, as no service may.
        make: make a SQLite file that is not there; otherwise it was deleted, and a new one would hide that.
        migrate: make the tables where there are none, and take along those of an earlier version; otherwise both are
            refused.
        durable: SQLite writes to the disk before it says that something is written; PostgreSQL does as it is set up.

    Attributes:
        engine: opens its connections.
        shown: its address without a password.
        version_before: the number of its tables when it was opened; None: there were none.

    Raises:
        UserError: a URL of another kind, a database that cannot be opened, one of another version.
    """

    def __init__(
        self,
        address: str,
        *,
        durable: bool = False,
        patient: bool = False,
        make: bool = True,
        migrate: bool = True,
    ) -> None:
        self.url = _url(address)
        self.shown = hide_sign_in(self.url.render_as_string(hide_password=True))
        self.file = _file_of(self.url)
        seconds = None if patient else _WAIT_SECONDS
        self.engine = _engine(self.url, seconds) if self.file is None else _sqlite_engine(self.file, durable)
        try:
            if self.file is not None and not self.file.exists():
                if not make:
                    raise UserError(f"the database {self.shown} was deleted")
                _make_sqlite(self.file)  # connections never do: one that is deleted is not replaced by an empty one
            self._open(migrate)
        except UserError:
            self.engine.dispose()
            raise
        except (DBAPIError, sqlite3.Error, OSError) as error:
            self.engine.dispose()
            raise UserError(f"the database {self.shown} cannot be used: {reason(error)}") from None
        self._known = self._identity()

    def _open(self, may_migrate: bool) -> None:
        """Make the tables, or take them along, where that is needed; millions of rows take minutes."""
        with self.engine.begin() as connection:
            current = is_current(connection)
            if not current and not may_migrate:
                self._refuse(stored_version(connection) if inspect(connection).has_table(about.name) else None)
        engine = self.engine if current or self.file is not None else _engine(self.url, None)
        try:
            with engine.begin() as connection:
                self._prepare(connection)
                self._last = read_end(connection, "head")
        finally:
            if engine is not self.engine:
                engine.dispose()

    def _identity(self) -> tuple[int, int] | None:
        """What distinguishes one SQLite file from another of the same name; None if there is no file."""
        try:
            found = self.file.stat() if self.file is not None else None
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found is not None else None

    @property
    def present(self) -> bool:
        """Whether the SQLite file is still the one that was opened; of a server, this is not known."""
        return self.file is None or (self._known is not None and self._identity() == self._known)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction that writes, in turn with every other one, and end it.

        Raises:
            AwayError: the database was deleted, replaced or set back since it was opened; what is written belongs
                behind what is there.
        """
        self._find_again()
        with self.engine.begin() as connection:
            if self.file is not None:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def extending(self) -> Iterator[tuple[Connection, Chain]]:
        """Do as `writing`, and let the chain be extended; its head is written at the end."""
        with self.writing() as connection:
            head = lock_head(connection)
            if head.seq < self._last.seq or (head.seq == self._last.seq and head.hash != self._last.hash):
                raise AwayError(
                    f"the database was set back or replaced: its last row is {head.seq}, where {self._last.seq} was "
                    "seen; put it back, or start the service again"
                )
            chain = Chain(head)
            yield connection, chain
            if chain.head != head:
                move_end(connection, "head", chain.head)
        self._last = chain.head

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Open a connection that reads.

        Raises:
            AwayError: as of `writing`; what was deleted or replaced is no record.
        """
        self._find_again()
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a transaction that sees one state of the database, whatever is written meanwhile.

        Raises:
            AwayError: as of `looking`.
        """
        self._find_again()
        with self.engine.connect() as connection:
            if self.file is None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
                with connection.begin():
                    yield connection
            else:
                connection.exec_driver_sql("BEGIN")
                yield connection
                connection.rollback()

    def saw(self, head: Link) -> None:
        """Remember the end of the chain as it was read, by which the database is known again."""
        if head.seq > self._last.seq:
            self._last = head

    def is_back(self) -> bool:
        """Whether the file is the one that was opened, or one with the same records, which is used from now on."""
        try:
            self._find_again()
        except (AwayError, DBAPIError, PoolTimeoutError, OSError):
            return False
        return True

    def _find_again(self) -> None:
        """Take a SQLite file that was moved away and came back, or a copy of it with later records."""
        if self.present:
            return
        now = self._identity()
        if now is not None:
            self.engine.dispose()
            with self.engine.connect() as connection:
                if is_current(connection) and holds(connection, self._last):
                    log.warning("the database file was replaced by one with the same records; it is used from now on")
                    self._known = now
                    return
        what = "deleted" if now is None else "replaced by another one"
        raise AwayError(f"the database file was {what}; put it back, or start the service again")

    def _prepare(self, connection: Connection) -> None:
        # Workers that start at the same time take turns.
        if self.url.get_backend_name() == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(0x6C696768)))
        elif not is_current(connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        metadata.create_all(connection)
        version = self.version_before = stored_version(connection)
        if version is None:
            connection.execute(insert(about).values(schema_version=SCHEMA))
            begin_chain(connection)
            make_text_index(connection)
            return
        if version != SCHEMA:
            version = migrate(connection)
        if version != SCHEMA:
            self._refuse(version)

    def _refuse(self, version: int | None) -> NoReturn:
        """Refuse tables of this number; None: there are none."""
        if version is None:
            raise UserError(f"the database {self.shown} has no records' tables; name another --database")
        then = "name another --database"
        if version <= SCHEMA:
            then = "stop its service, copy it, and run 'lightdet records migrate'"
        raise UserError(
            f"the database {self.shown} was written by another version of lightdet (its tables have number "
            f"{version}, these are {SCHEMA}); {then}"
        )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def ping(self) -> None:
        """Check that the database answers.

        Raises:
            SQLAlchemyError, OSError: it does not.
        """
        with self.engine.connect() as connection:
            connection.execute(select(literal(1)))


def sqlite_file(address: str) -> Path | None:
    """Return the file of a SQLite database; None for a PostgreSQL.

    Raises:
        UserError: an address of neither.
    """
    return _file_of(_url(address))


def _file_of(url: URL) -> Path | None:
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def _url(database: str) -> URL:
    scheme, separator, rest = database.partition("://")
    if not separator:
        path = Path(database)
        if path.is_dir():
            raise UserError("is a folder; name a file in it", path=path)
        return URL.create("sqlite", database=str(path))
    if not scheme.startswith("sqlite") and ("@" in rest[len(re.split(r"[/?#]", rest)[0]) :] or rest.count("@") > 1):
        raise UserError(  # a part of the password would count as the host, be asked for and be shown
            "the database URL can be split in two ways: in a user and a password write @ as %40, / as %2F, ? as %3F "
            "and # as %23"
        )
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


def _engine(url: URL, seconds: float | None) -> Engine:
    return create_engine(
        url, pool_size=4, max_overflow=4, pool_timeout=_WAIT_SECONDS, pool_pre_ping=True,
        connect_args={"timeout": seconds},
    )  # fmt: skip


def _make_sqlite(file: Path) -> None:
    """Make an empty one that gives space back when rows are deleted, which it must know before its first table."""
    connection = sqlite3.connect(file, timeout=_WAIT_SECONDS)
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _sqlite_engine(file: Path, durable: bool) -> Engine:
    make_folder(file.parent)
    address = f"file:{quote(str(file.absolute()))}?mode=rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS, check_same_thread=False)
        # Readers and one writer at the same time; a power failure may cost the last records, never the database.
        level = "FULL" if durable else "NORMAL"
        for pragma in ("journal_mode=WAL", f"synchronous={level}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        add_lower(connection)
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=4, max_overflow=4)


def is_away(error: Exception) -> bool:
    """Whether a failed write is due to the database rather than to the data."""
    if isinstance(error, (OSError, PoolTimeoutError, UserError)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(fields, dict):  # PostgreSQL: class 22 is bad data, class 23 a broken constraint
        return str(fields.get("C", ""))[:2] not in ("22", "23")
    return not isinstance(error, (IntegrityError, DataError))


def reason(error: Exception) -> str:
    """The database's own message in one line, without a password or SQL."""
    cause = getattr(error, "orig", None) or error
    first = cause.args[0] if cause.args else cause
    if isinstance(first, dict):  # PostgreSQL's fields: M is the message
        first = first.get("M", "it refused")
    return " ".join(str(first).split())[:200] or type(cause).__name__
