"""A folder of very many pictures: counted first, then listed while the run goes; never are all its names held."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lightdet.errors import UserError


class InFolder(NamedTuple):
    """A file, and the folder that the place of its results is relative to."""

    path: Path
    base: Path


class FolderListing:
    """The files of a folder that end in one of some suffixes, in no order; each iteration lists anew.

    Hidden files and folders are left out, and links to folders are not followed (they may be circular).

    Attributes:
        count: how many there were at the start.
        passed_over: other files, of the last iteration.

    Args:
        folder: to list.
        suffixes: in lower case.
        recursive: also its sub-folders.
        exclude: files and folders for which this is true are left out.
        base: of all its files.

    Raises:
        UserError: a folder cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        suffixes: Iterable[str],
        *,
        recursive: bool,
        exclude: Callable[[Path], bool],
        base: Path,
    ) -> None:
        self._folder, self._suffixes = folder, frozenset(suffixes)
        self._recursive, self._exclude = recursive, exclude
        self._base = base
        self.passed_over = 0
        self.count = sum(1 for _ in self)

    @property
    def name(self) -> str:
        """As messages show it."""
        return str(self._folder)

    def __iter__(self) -> Iterator[InFolder]:
        self.passed_over = 0
        folders = [self._folder]
        while folders:
            for entry in _entries(folders.pop()):
                path, hidden = Path(entry.path), entry.name.startswith(".")
                if entry.is_dir():
                    if self._recursive and not (hidden or entry.is_symlink() or self._exclude(path)):
                        folders.append(path)
                elif hidden or path.suffix.lower() not in self._suffixes:
                    self.passed_over += 1
                elif not self._exclude(path):
                    yield InFolder(path, self._base)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise UserError(f"the folder cannot be read: {error.strerror}", path=folder) from None
