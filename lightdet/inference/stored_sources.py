"""Pictures of archives and stores as sources: which texts name them, and where their results go."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from lightdet.addresses import ARCHIVES, STORES
from lightdet.data.images import MAX_BYTES, SUFFIXES
from lightdet.inference.places import owners
from lightdet.storage.listing import Listing
from lightdet.storage.urls import WEB, archive_kind, as_url, file_part, scheme_of

NOT_HERE = "this command reads files of this computer: copy or unpack them first"


def is_stored(text: str) -> bool:
    """Whether `text` names an archive, or a picture, a folder, a glob or an archive by URL.

    An address over HTTP is a stream, unless it ends like a picture or an archive.
    """
    url = as_url(text)
    if url is None:
        there = os.path.isfile(text)  # noqa: PTH113 - Path.is_file fails on a name that is too long
        return archive_kind(text) is not None and (there or "{" in text)
    scheme = scheme_of(url)
    if scheme in WEB:
        return archive_kind(url) is not None or PurePosixPath(file_part(url)).suffix.lower() in SUFFIXES
    return scheme in (*STORES, *ARCHIVES)


def stored_pictures(text: str, suffixes: Iterable[str], *, recursive: bool) -> Listing:
    """Return the listing of the files in `text` that end in one of `suffixes` (lower case); one is there.

    Raises:
        UserError: there is none, or the store or archive cannot be read.
    """
    wanted = frozenset(suffixes)
    known = lambda name: PurePosixPath(name).suffix.lower() in wanted  # noqa: E731
    listing = Listing(text.strip(), known, recursive=recursive, limit=MAX_BYTES)
    listing.first()
    return listing


def plain_place(place: str) -> Path:
    """Where the results of a stored file go: its path without suffix, inside the output folder whatever it says."""
    parts = [part for part in place.replace("\\", "/").replace("\0", "").split("/") if part not in ("", ".", "..")]
    *folders, name = parts or ["picture"]
    stem = name.removesuffix(PurePosixPath(name).suffix).replace("#", "_")  # a.tif#2 is its second page
    return Path(*folders, stem)


class TakenPlaces:
    """Gives each source a place of its own; they are kept in a temporary file, because there may be millions."""

    def __init__(self, taken: Iterable[tuple[Path, bool]]) -> None:
        self._table = sqlite3.connect("")  # a file of the system's that is gone with the connection
        self._table.execute("CREATE TABLE taken (place TEXT PRIMARY KEY, moves INTEGER) WITHOUT ROWID")
        self._table.execute(
            "CREATE TABLE parts (place TEXT, frames INTEGER, PRIMARY KEY (place, frames)) WITHOUT ROWID"
        )
        for stem, moves in taken:
            self._take(stem, moves)

    def free(self, wanted: Path, *, moves: bool) -> Path:
        """Return `wanted`, or with ``-2``, ``-3``, … behind it if that is taken; it is taken from now on.

        Args:
            wanted: the place.
            moves: it is a video's, and its frames have places as well (`lightdet.inference.places.owners`).
        """
        stem, number = wanted, 1
        while not self._take(stem, moves):
            number += 1
            stem = wanted.with_name(f"{wanted.name}-{number}")
        return stem

    def _take(self, stem: Path, moves: bool) -> bool:
        key = os.fsencode(str(stem).casefold()).decode("utf-8", "backslashreplace")
        of = list(owners(key))
        for owner in of:
            if self._has("SELECT 1 FROM taken WHERE place = ? AND moves >= ?", owner):
                return False
        if self._has("SELECT 1 FROM parts WHERE place = ? AND frames <= ?", (key, moves)):
            return False
        if self._table.execute("INSERT OR IGNORE INTO taken VALUES (?, ?)", (key, moves)).rowcount != 1:
            return False
        self._table.executemany("INSERT OR IGNORE INTO parts VALUES (?, ?)", of)
        return True

    def _has(self, question: str, values: tuple[str, bool]) -> bool:
        return self._table.execute(question, values).fetchone() is not None
