"""A file that one process at a time holds: two that write to one folder would write over each other's files.

The system holds the lock and frees it when its process ends, however it ends (``kill -9`` too), so a file left
behind is never in the way. A process number in a file could not promise that: by now it may belong to another
process, or to one in another container. What the file says is kept only for the message.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from lightdet.errors import UserError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: an open file cannot be deleted there, which serves as a lock
    fcntl = None


@contextmanager
def lock_file(path: Path, says: str, taken: Callable[[str], UserError]) -> Iterator[None]:
    """Hold the lock of a file within the block; the file is deleted afterwards.

    If the file system has no locks, or the folder cannot be written (which writing reports), nothing is held.

    Args:
        path: of the file; its folder exists.
        says: a line that other processes read in it.
        taken: returns the error to raise if another process holds it, from what that one says (at most 200 bytes).

    Raises:
        UserError: another process holds it.
    """
    try:
        handle = _locked(path) if fcntl is not None else _opened_alone(path)
    except _TakenError as error:
        raise taken(error.says) from None
    if handle is None:
        yield
        return
    try:
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.write(handle, f"{says}\n".encode())
        yield
    finally:
        if fcntl is not None:  # first, so that nobody else locks a file that is about to be deleted
            with suppress(OSError):
                path.unlink()
        os.close(handle)
        if fcntl is None:
            with suppress(OSError):
                path.unlink()


class _TakenError(Exception):
    def __init__(self, holder: bytes) -> None:
        super().__init__(holder)
        self.says = holder.decode(errors="replace").strip()


def _locked(path: Path) -> int | None:
    """An open file with the system's lock on it; None if there are no locks."""
    assert fcntl is not None  # noqa: S101 - for the type checker
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200)
            os.close(handle)
            raise _TakenError(holder) from None
        except OSError:  # a file system without locks
            os.close(handle)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            # Its holder may have ended and deleted it between our opening and locking it.
            if os.path.samestat(os.fstat(handle), os.lstat(path)):
                os.ftruncate(handle, 0)
                return handle
        os.close(handle)


def _opened_alone(path: Path) -> int | None:
    """A file that only this process has open; one left by a dead process is deleted first."""
    try:
        path.unlink(missing_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except (PermissionError, FileExistsError):
        try:
            holder = path.read_bytes()[:200]
        except OSError:
            return None  # not a lock, but a folder that cannot be written
        raise _TakenError(holder) from None
    except OSError:
        return None
