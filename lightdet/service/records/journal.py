"""What the database could not take, in a file on this computer until it does: no end of a process loses it."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lightdet.addresses import hide_sign_in
from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.lock_file import lock_file
from lightdet.service.inspection import Inspection
from lightdet.service.records.database import sqlite_file
from lightdet.wording import counted

log = logging.getLogger("lightdet.service")

MOST_BYTES = 1 << 30
"""The largest file of one process: a hundred thousand inspections with small pictures, or so."""
SERVER_JOURNALS = Path("runs/serve/journal")
_SUFFIX = ".jsonl"
_NEVER_RECORDED = ("data", "picture")
_READER = TypeAdapter(Inspection)


def journal_folder(database: str) -> Path:
    """Where what a database could not take waits for it: beside a SQLite file, or in a folder below ``runs/serve``.

    That of a server goes by its address without the password, so that services of two databases never mix.

    Raises:
        UserError: an address of neither kind.
    """
    file = sqlite_file(database)
    if file is not None:
        return file.with_name(f"{file.name}.journal")
    return SERVER_JOURNALS / hashlib.sha256(hide_sign_in(database).encode()).hexdigest()[:12]


class Journal:
    """Inspections that wait for a database: a line of JSON for each request, in a file of this process alone.

    A process that ends, however it ends, leaves its file; the next one that starts takes it over. The folder and the
    file are made when there is something to write. One thread at a time may use it.

    Args:
        folder: where the files of all processes are, see `journal_folder`.
        durable: what is added is on the disk before `add` returns.
        most: bytes of the file; beyond them nothing is added.
    """

    def __init__(self, folder: Path, *, durable: bool = False, most: int = MOST_BYTES) -> None:
        self._folder, self._durable, self._most = folder, durable, most
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        self._held = ExitStack()
        self._handle: int | None = None
        self._told = False

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    def add(self, inspections: Sequence[Inspection]) -> bool:
        """Add the inspections of one request; False if they cannot be kept, which the log says once."""
        line = json.dumps([_plain(each) for each in inspections], ensure_ascii=True).encode() + b"\n"
        try:
            handle = self._open()
            end = os.fstat(handle).st_size
            if end + len(line) > self._most:
                raise OSError(f"its file has {self._most >> 20} MiB")
            try:
                _write(handle, line)
                if self._durable:
                    os.fsync(handle)
            except OSError:
                os.ftruncate(handle, end)  # a full disk: no half line before the next one
                raise
        except (OSError, UserError) as error:
            if not self._told:
                log.error("the journal %s cannot be written (%s); records wait in memory alone", self._folder, error)
            self._told = True
            return False
        self._told = False
        return True

    def own(self) -> Iterator[list[Inspection]]:
        """Yield what this process has added, request by request."""
        return _read(self._path) if self._handle is not None else iter(())

    def clear(self) -> None:
        """Delete this process's file: all that it holds is written elsewhere."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            self._path.unlink(missing_ok=True)
            self._held.close()
            _remove_if_empty(self._folder)

    def close(self) -> None:
        """End; what the file holds stays for the next process."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            self._held.close()

    def left_behind(self) -> Iterator[Iterator[list[Inspection]]]:
        """Yield the requests of each file whose process has ended; a file is deleted when the next one is asked for.

        Stop asking where they could not be written: that file stays.
        """
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path == self._path:
                continue
            with ExitStack() as held:
                try:
                    held.enter_context(lock_file(_lock(path), "journal", _taken))
                except UserError:  # its process lives
                    continue
                if path.exists():  # otherwise another process has just taken it
                    yield _read(path)
                    path.unlink(missing_ok=True)
        _remove_if_empty(self._folder)

    def _open(self) -> int:
        if self._handle is None:
            make_folder(self._folder)
            self._held.enter_context(lock_file(_lock(self._path), "journal", _taken))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._handle = os.open(self._path, flags, 0o600)
        return self._handle


def _write(handle: int, line: bytes) -> None:
    while line:
        line = line[os.write(handle, line) :]


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")


def _taken(_: str) -> UserError:
    return UserError("another process holds it")


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # it holds another process's file, or is not there
        return


def _plain(inspection: Inspection) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(inspection).items() if name not in _NEVER_RECORDED}
    small = inspection.thumbnail
    return {**fields, "thumbnail": None if small is None else base64.b64encode(small).decode()}


def _read(path: Path) -> Iterator[list[Inspection]]:
    """The requests in a file; a line that cannot be read is told and left out, and the file kept under another name."""
    damaged = 0
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield [_inspection(fields) for fields in json.loads(line)]
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ValidationError):
                damaged += 1
    if damaged:
        aside = path.with_suffix(".damaged")
        aside.write_bytes(path.read_bytes())
        log.error("%s of the journal cannot be read; all are kept in %s", counted(damaged, "line"), aside)


def _inspection(fields: dict[str, Any]) -> Inspection:
    small = fields["thumbnail"]
    small = None if small is None else base64.b64decode(small, validate=True)
    return _READER.validate_python({**fields, "thumbnail": small})
