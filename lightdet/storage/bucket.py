"""A folder of a store that many small files are written to, read from and deleted in, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lightdet.addresses import shown_address
from lightdet.storage.filesystem import explained, filesystem
from lightdet.storage.listing import in_order

_TOGETHER = 16
"""Files that are deleted at the same time."""


class Bucket:
    """The folder; nothing is requested before it is used.

    Args:
        url: such as ``s3://bucket/prefix``.

    Each method raises:
        AwayStoreError: the store does not answer.
        UserError: it is not there, or access is forbidden, or its library is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._found: tuple[Any, str] | None = None

    @property
    def shown(self) -> str:
        """Its URL without secrets."""
        return shown_address(self._url)

    def check(self) -> None:
        """Write a file into it, and delete that again."""
        system, path = self._system
        with explained(self.shown, "written"):
            probe = f"{path}/.lightdet-probe"
            system.pipe_file(probe, b"-")
            system.rm_file(probe)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        system, path = self._system
        with explained(f"{self.shown}/{name}", "written"):
            system.pipe_file(f"{path}/{name}", data)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None: there is no such file."""
        system, path = self._system
        with explained(f"{self.shown}/{name}"):
            try:
                data: bytes = system.cat_file(f"{path}/{name}")
            except FileNotFoundError:
                return None
            return data

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; one that is gone is no error."""
        system, path = self._system

        def one(name: str) -> None:
            with explained(f"{self.shown}/{name}", "deleted"):
                try:
                    system.rm_file(f"{path}/{name}")
                except FileNotFoundError:
                    return

        with ThreadPoolExecutor(_TOGETHER) as pool:
            list(pool.map(one, names))

    def folders(self, below: str = "") -> list[str]:
        """Return the names of the folders in it, or in one of its folders (``a/``), in order."""
        return [name.rstrip("/") for name, size in self._listed(below, deep=False) if size is None]

    def files(self, below: str = "") -> Iterator[tuple[str, int]]:
        """Yield the names and sizes in bytes of all files, in order, those in folders too.

        An S3 server is asked for the next thousand when these are used up; of others, a folder's are held at a time.
        """
        return ((name, size) for name, size in self._listed(below, deep=True) if size is not None)

    def _listed(self, below: str, *, deep: bool) -> Iterator[tuple[str, int | None]]:
        system, path = self._system
        with explained(f"{self.shown}/{below}"):
            try:
                for key, size, _ in in_order(system, f"{path}/{below}", deep=deep):
                    yield key[len(path) + 1 :], size
            except FileNotFoundError:  # other stores than S3 say so of an empty folder
                if not system.exists(path.partition("/")[0]):
                    raise

    @property
    def _system(self) -> tuple[Any, str]:
        if self._found is None:
            system, path = filesystem(self._url)
            self._found = system, path.rstrip("/")
        return self._found
