"""Copies of a SQLite database: taken while records are written, and put back."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from lightdet.errors import UserError
from lightdet.files import atomic_path
from lightdet.missing import require_file
from lightdet.service.records.chain import Link
from lightdet.service.records.database import sqlite_file
from lightdet.service.records.tables import SCHEMA, about


def backup(address: str, target: Path) -> Link:
    """Copy a database as it is at one moment, whatever is written meanwhile; returns the last link in the copy.

    Raises:
        UserError: it is no SQLite file, the copy cannot be written, or is there already.
    """
    file = _existing(address, "backup")
    if target.exists():
        raise UserError("is there already; name another file", path=target)
    with atomic_path(target) as temporary:
        _copy(file, temporary, file)
        return _checked(temporary, target)


def restore(backup_file: Path, address: str, *, replace: bool = False) -> tuple[Link, Path | None]:
    """Put a backup in the place of a database that no service uses now; deleted space is given back.

    Returns the last link, and with `replace` where the database lies that was there before.

    Raises:
        UserError: the backup is damaged or of another version, the database is there and not to be replaced, or is
            in use.
    """
    target = sqlite_file(address)
    if target is None:
        raise UserError("a backup is put back into a SQLite file; for PostgreSQL use pg_restore")
    require_file(backup_file)
    if target.exists() and not replace:
        raise UserError("is there already; give --replace to put it aside, or another --database", path=target)
    with atomic_path(target) as temporary:
        _copy(backup_file, temporary, backup_file)
        head = _checked(temporary, backup_file)
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("VACUUM")
        aside = _put_aside(target) if target.exists() else None
    return head, aside


def _existing(address: str, verb: str) -> Path:
    file = sqlite_file(address)
    if file is None:
        raise UserError(
            f"'records {verb}' is for SQLite; of PostgreSQL take: pg_dump --format=custom --file=FILE DATABASE "
            "(while the service runs), and put it back with pg_restore"
        )
    require_file(file)
    return file


def _copy(source: Path, target: Path, told: Path) -> None:
    """In one step: a reader holds up no writer (WAL), and would begin anew after each record if it took several."""
    try:
        address = f"{source.absolute().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=30)) as origin,
            closing(sqlite3.connect(target)) as copy,
        ):
            origin.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")  # all in one file
    except sqlite3.Error as error:
        raise UserError(f"cannot be copied: {error}", path=told) from None


def _checked(copy: Path, told: Path) -> Link:
    """Return the last link of a copy (0 and "" where an earlier version wrote it); refuse one that is damaged."""
    try:
        with closing(sqlite3.connect(copy)) as connection:
            [fault] = connection.execute("PRAGMA quick_check(1)").fetchone()
            if fault != "ok":
                raise UserError(f"is damaged: {fault}", path=told)
            [version] = connection.execute("SELECT max(schema_version) FROM lightdet_about").fetchone()
            if version is not None and version < SCHEMA:
                return Link(0, "")
            head = connection.execute("SELECT seq, hash FROM chain_ends WHERE name = 'head'").fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise UserError(f"is no database of lightdet: {error}", path=told) from None
    if version != SCHEMA or head is None:
        raise UserError(f"was written by another version of lightdet (tables {version}, here {SCHEMA})", path=told)
    return Link(*head)


def _put_aside(target: Path) -> Path:
    """Rename the database that is there, all of it in its one file; refuse where it is in use."""
    try:
        with closing(sqlite3.connect(target, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()  # takes everyone else's leave
    except sqlite3.OperationalError:
        raise UserError("is in use; stop the service first", path=target) from None
    except sqlite3.DatabaseError:
        pass  # damaged: it may be why a backup is put back
    aside = target.with_name(f"{target.name}.{time.strftime('%Y%m%d-%H%M%S')}")
    target.rename(aside)
    for rest in ("-wal", "-shm"):
        old = target.with_name(target.name + rest)
        if old.exists():
            old.rename(aside.with_name(aside.name + rest))
    return aside


def check_exists(address: str) -> None:
    """Refuse a SQLite file that is not there or holds no records: opening it would make their tables.

    Raises:
        UserError: it is not there, is something else, or no address.
    """
    file = sqlite_file(address)
    if file is None:
        return
    require_file(file, note="; name the records' database with --database")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
            [known] = connection.execute(query, (about.name,)).fetchone()
    except sqlite3.Error as error:
        raise UserError(f"is no database of lightdet: {error}", path=file) from None
    if not known:
        raise UserError("is no database of lightdet: it has no records' tables", path=file)
