"""One training at a time in an output folder: two would write over each other's files.

The system holds the lock and frees it when its process ends, however it ends (``kill -9`` too), so a file left
behind is never in the way. A process number in a file could not promise that: by now it may belong to another
process, or to one in another container. The number is kept only for the message.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from lightdet.errors import UserError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: an open file cannot be deleted there, which serves as a lock
    fcntl = None

LOCK_FILE = ".lightdet.lock"


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` within the block.

    If the file system has no locks, or the folder cannot be written (which writing reports), nothing is held.

    Raises:
        UserError: another process holds it; names that process.
    """
    path = folder / LOCK_FILE
    handle = _locked(path) if fcntl is not None else _opened_alone(path)
    if handle is None:
        yield
        return
    try:
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.write(handle, f"{os.getpid()} {socket.gethostname()}\n".encode())
        yield
    finally:
        if fcntl is not None:  # first, so that nobody else locks a file that is about to be deleted
            with suppress(OSError):
                path.unlink()
        os.close(handle)
        if fcntl is None:
            with suppress(OSError):
                path.unlink()


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
            raise _in_use(path, holder) from None
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
        raise _in_use(path, holder) from None
    except OSError:
        return None


def _in_use(path: Path, holder: bytes) -> UserError:
    pid, _, host = holder.decode(errors="replace").strip().partition(" ")
    who = f" (process {pid}{'' if host == socket.gethostname() else f' on {host}'})" if pid else ""
    message = f"another training{who} is writing here; wait for it, stop it, or use another --output"
    return UserError(message, path=path.parent)
