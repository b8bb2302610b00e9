"""What copies of buckets and of archives have in common: their names, safe paths, their limit, one writer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.lock_file import lock_file
from lightdet.storage.kept import kept_space, named

MAX_BYTES = 1 << 30
"""Largest file of a data set that is copied."""


def plain(url: str) -> str:
    """The name of the folder with the files: the end of where they come from."""
    return named(url, []).rpartition("-")[0] or "data"


def parts_of(place: str, name: str) -> list[str]:
    """The parts of a file's path below its data set.

    Raises:
        UserError: it leads out of the data set.
    """
    parts = [part for part in place.split("/") if part != "."]
    if not all(parts) or ".." in parts or any(set(part) & {"\\", "\0"} for part in parts):
        raise UserError("has a path that leads out of the data set, or none that a file can have", path=name)
    return parts


def check_space(total: int, url: str) -> None:
    """Refuse a data set of `total` bytes for which no room could be made.

    Raises:
        UserError: it is larger than all copies together may be.
    """
    if total > kept_space():
        raise UserError(f"is larger than the {kept_space() / 1e9:g} GB that LIGHTDET_CACHE_GB allows", path=url)


@contextmanager
def alone(place: Path, url: str) -> Iterator[None]:
    """Copy or unpack in one process at a time."""

    def taken(_says: str) -> UserError:
        return UserError("another process is copying it; try again when it has ended", path=url)

    with lock_file(make_folder(place) / ".lock", str(os.getpid()), taken):
        yield
