"""One training at a time in an output folder: two would write over each other's files."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightdet.errors import UserError
from lightdet.lock_file import lock_file

LOCK_FILE = ".lightdet.lock"


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` within the block, as `lightdet.lock_file.lock_file` does.

    Raises:
        UserError: another process holds it; names that process.
    """
    with lock_file(folder / LOCK_FILE, f"{os.getpid()} {socket.gethostname()}", lambda says: _in_use(folder, says)):
        yield


def _in_use(folder: Path, holder: str) -> UserError:
    pid, _, host = holder.partition(" ")
    who = f" (process {pid}{'' if host == socket.gethostname() else f' on {host}'})" if pid else ""
    message = f"another training{who} is writing here; wait for it, stop it, or use another --output"
    return UserError(message, path=folder)
