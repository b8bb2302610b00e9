"""Kept pictures as files of this computer: those of a store are copied, each when it is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from lightdet.service.picture_folder import PictureFolder
from lightdet.service.picture_place import PicturePlace


class LocalPictures(Protocol):
    """Gives pictures by the names that `picture_folder.file_name` gives; others are a ValueError."""

    def read(self, name: str) -> bytes | None:
        """Return a picture; None if it is not there. Raises OSError and UserError where it cannot be read."""

    def path(self, name: str) -> Path:
        """Return where a picture that was read is."""


@contextmanager
def as_files(place: PicturePlace | None) -> Iterator[LocalPictures | None]:
    """Yield the pictures of `place` as files, which are there until the end."""
    if place is None or isinstance(place, PictureFolder):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="lightdet-") as name:
        yield _Copies(place, PictureFolder(Path(name)))


class _Copies:
    def __init__(self, place: PicturePlace, folder: PictureFolder) -> None:
        self._place, self._folder = place, folder

    def read(self, name: str) -> bytes | None:
        data = self._place.read(name)
        if data is not None:
            self._folder.write(name, data, sync=False)
        return data

    def path(self, name: str) -> Path:
        return self._folder.path(name)
