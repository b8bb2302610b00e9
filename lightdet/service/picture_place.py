"""Where kept pictures are: a folder of this computer, or one of a store by way of such a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from lightdet.service.picture_bucket import PictureBucket
from lightdet.service.picture_folder import Entry, PictureFolder
from lightdet.service.records.database import sqlite_file
from lightdet.service.records.journal import journal_folder
from lightdet.storage.outgoing import output_url
from lightdet.storage.urls import local_path


class PicturePlace(Protocol):
    """What keepers and readers of pictures need; names are those that `picture_folder.file_name` gives.

    Each method raises:
        ValueError: another name.
        OSError, UserError: the disk or the store does not do it.
    """

    @property
    def shown(self) -> str:
        """What it is called in messages."""

    def read(self, name: str) -> bytes | None:
        """Return a picture; None if it is not there."""

    def discard(self, names: Sequence[str]) -> None:
        """Delete pictures; one that is gone is no error."""

    def entries(self) -> Iterator[Entry]:
        """Yield all pictures, the oldest first; what is not asked for is not looked up."""

    def newest(self, most: int) -> list[str]:
        """Return the names of the newest pictures, the newest first, without those that wait for a store."""

    def size(self) -> int:
        """Return how many bytes the pictures have."""


class Places(NamedTuple):
    """Where pictures are kept.

    Attributes:
        folder: the folder that they are written to; None: nowhere.
        url: the folder of a store that they are sent to from there; None: they stay.
    """

    folder: Path | None
    url: str | None = None

    def open(self) -> PictureFolder | PictureBucket | None:
        """Return the place; None if there is none."""
        if self.folder is None:
            return None
        here = PictureFolder(self.folder)
        return here if self.url is None else PictureBucket(self.url, here)


def places_of(database: str, given: str | Path | None) -> Places:
    """Return where the pictures of these records are kept.

    A folder that is given is taken, or else ``pictures`` beside a SQLite database; none beside a PostgreSQL. On their
    way to a store they wait where records wait that the database could not take (`journal_folder`).

    Raises:
        UserError: this is the address of no database, or a URL that nothing can be written to.
    """
    url = output_url(given)
    if url is not None:
        return Places(journal_folder(database) / "pictures", url)
    if given is not None:
        return Places(local_path(given) or Path(given))
    file = sqlite_file(database)
    return Places(None if file is None else file.parent / "pictures")
