"""Results as lines of JSON in a file: whole lines only, each once, renamed when it is long enough."""

from __future__ import annotations

import json
import os
from pathlib import Path

from lightdet.files import make_folder
from lightdet.line.ledger import Waiting
from lightdet.line.sinks.sink import BATCH, AwayError

_TAIL = 4 << 20
"""Bytes at the end of the file in which are looked for the lines that were written last."""


class FileSink:
    """Appends to a file.

    After a kill, a half line at its end is removed, and what is written already is not written twice.

    Args:
        path: of the file.
        max_bytes: a longer file is renamed.
        keep: how many renamed ones are kept.

    Raises:
        UserError: its folder cannot be made.
    """

    batch = BATCH

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self._path, self._most, self._keep = path, max_bytes, keep
        self._handle: int | None = None
        self._written: set[str] = set()
        make_folder(path.absolute().parent)

    def take(self, results: list[Waiting]) -> None:
        """Write these and wait until they are on the disk.

        Raises:
            AwayError: the disk is full or gone; nothing of these is in the file.
        """
        try:
            handle = self._open()
            fresh = [each for each in results if each.id not in self._written]
            end = os.fstat(handle).st_size
            text = "".join(json.dumps(each.body, ensure_ascii=False) + "\n" for each in fresh).encode()
            if end and end + len(text) > self._most:
                self._rotate()
                handle, end = self._open(), 0
            try:
                _write(handle, text)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, end)
                raise
        except OSError as error:
            self.close()
            raise AwayError(f"{self._path}: {error.strerror or error}") from None
        self._written = {each.id for each in results}  # should the spool not hear of it

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self) -> int:
        if self._handle is not None and not self._moved():
            return self._handle
        self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._handle = os.open(self._path, flags, 0o666)
        self._mend(self._handle)
        return self._handle

    def _moved(self) -> bool:
        """Whether somebody has renamed or deleted the file."""
        try:
            return self._handle is None or not os.path.samestat(os.fstat(self._handle), self._path.stat())
        except OSError:
            return True

    def _mend(self, handle: int) -> None:
        """Remove a half line, and note the ids in the last ones, also of the file before."""
        tail = _tail(self._path)
        if tail and not tail.endswith(b"\n"):
            half = len(tail) - (tail.rfind(b"\n") + 1)
            os.ftruncate(handle, os.fstat(handle).st_size - half)
            tail = tail[: len(tail) - half]
        for line in [*_tail(_numbered(self._path, 1)).splitlines(), *tail.splitlines()][-2 * BATCH :]:
            try:
                self._written.add(str(json.loads(line)["id"]))
            except (ValueError, KeyError, TypeError):  # not ours, or cut by the limit of the tail
                continue

    def _rotate(self) -> None:
        self.close()
        _numbered(self._path, self._keep).unlink(missing_ok=True)
        for number in range(self._keep - 1, 0, -1):
            if (older := _numbered(self._path, number)).exists():
                older.replace(_numbered(self._path, number + 1))
        if self._keep:
            self._path.replace(_numbered(self._path, 1))
        else:
            self._path.unlink()


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _TAIL))
            return file.read()
    except FileNotFoundError:
        return b""


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
