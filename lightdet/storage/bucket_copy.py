"""A bucket's folder as a folder here: one for each state of the bucket, so what a training reads stays as it is.

A file that did not change is a hard link to that of the last copy, so only the others are fetched and take space.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path

from lightdet.errors import UserError
from lightdet.files import make_folder, write_bytes
from lightdet.storage.kept import kept_folder, make_room, named, note_address, note_used, sizes_in
from lightdet.storage.listing import Listing
from lightdet.storage.set_folder import MAX_BYTES, alone, check_space, parts_of, plain
from lightdet.storage.stored_file import StoredFile

TOGETHER = 16
"""Files that are fetched at the same time."""
_INDEX = "index.sqlite3"


class _Copy:
    """A copy of the folder: its files are below `data`, and an index says which content each of them has."""

    def __init__(self, place: Path, url: str) -> None:
        self.place, self.data = place, place / plain(url)
        self._index = sqlite3.connect(make_folder(place) / _INDEX)
        self._index.execute("CREATE TABLE IF NOT EXISTS files (place TEXT PRIMARY KEY, mark TEXT)")

    def close(self) -> None:
        self._index.close()

    @property
    def finished(self) -> bool:
        return bool(self._index.execute("PRAGMA user_version").fetchone()[0])

    def finish(self) -> None:
        self._index.execute("PRAGMA user_version = 1")
        self._index.commit()

    def is_whole(self) -> bool:
        """Whether all was copied, and nobody has deleted any of it."""
        places = self._index.execute("SELECT place FROM files")
        return self.finished and all(self.data.joinpath(*parts_of(place, place)).is_file() for (place,) in places)

    def target(self, file: StoredFile) -> Path:
        return self.data.joinpath(*parts_of(file.place, file.name))

    def holding(self, file: StoredFile) -> Path | None:
        """The copy of a file, if it is here with the same content."""
        row = self._index.execute("SELECT mark FROM files WHERE place = ?", (file.place,)).fetchone()
        same = row is not None and row[0] is not None and row[0] == file.mark
        return path if same and (path := self.target(file)).is_file() else None

    def add(self, files: list[StoredFile]) -> None:
        rows = [(file.place, file.mark) for file in files]
        self._index.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", rows)
        self._index.commit()


class _State:
    """What a listing says of the whole folder: its size, and a name for its content."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.total = 0
        self.known = True

    def add(self, file: StoredFile) -> None:
        self._hash.update(json.dumps([file.place, file.mark]).encode())
        self.total += file.size or 0
        self.known = self.known and file.mark is not None

    @property
    def name(self) -> str:
        return self._hash.hexdigest()[:20]


def copy_of_bucket(url: str) -> Path:
    """A bucket's folder as it is now; what the last copy has is not fetched again.

    Raises:
        UserError: it cannot be read, is too large, holds no files, or changes meanwhile.
    """
    files = Listing(f"{url}/**", lambda _path: True, recursive=True)
    name = named(url, [url])
    with ExitStack() as stack:
        last = _last_copy(name, url)
        if last is not None:
            stack.enter_context(closing(last))
        state, missing = _asked(files, url, last)
        now = state.name if state.known else f"{state.name}{time.time_ns():x}"  # nothing shows whether it is the same
        copy = stack.enter_context(closing(_Copy(kept_folder() / "sets" / f"{name}-{now}", url)))
        note_used(copy.place)
        if not copy.is_whole():
            with alone(copy.place, url):
                last = _with_room(copy, last, missing, state.total)
                if _filled(copy, last, files).name != state.name:
                    raise UserError("was changed while it was copied; try again", path=url)
                copy.finish()
    note_address(copy.place, url)
    return copy.data


def _last_copy(name: str, url: str) -> _Copy | None:
    """The copy of the folder that was used last, of those that were finished."""
    found = [path for path in (kept_folder() / "sets").glob(f"{name}-*") if (path / _INDEX).is_file()]
    for place in sorted(found, key=_age):
        with suppress(OSError, sqlite3.Error):  # another process has just removed it
            copy = _Copy(place, url)
            if copy.finished:
                os.utime(place)  # so that none is about to
                return copy
            copy.close()
    return None


def _age(folder: Path) -> float:
    try:
        return -folder.stat().st_mtime
    except OSError:
        return 0.0


def _asked(files: Listing, url: str, last: _Copy | None) -> tuple[_State, int]:
    """What the bucket holds, and how many bytes of it the last copy lacks."""
    state, missing = _State(), 0
    for file in files:
        state.add(file)
        check_space(state.total, url)
        if last is None or last.holding(file) is None:
            missing += file.size or 0
    if not state.total:
        raise UserError("holds no files", path=url)
    return state, missing


def _with_room(copy: _Copy, last: _Copy | None, missing: int, total: int) -> _Copy | None:
    """Make room for what is fetched; return the last copy, or None if room is made by removing it as well."""
    there = int(sum(sizes_in(copy.place)))  # of a copy that was broken off
    try:
        make_room(max(0, missing - there), copy.place, *([last.place] if last else []))
    except UserError:
        if last is None or last.place == copy.place:
            raise
        make_room(max(0, total - there), copy.place)
        return None
    return last


def _filled(copy: _Copy, last: _Copy | None, files: Listing) -> _State:
    """Link or fetch what is not there yet; return what was listed for that."""
    state = _State()
    with ThreadPoolExecutor(TOGETHER) as pool:
        for chunk in _chunks(files):
            wanted = [file for file in chunk if copy.holding(file) is None]
            for file in chunk:
                state.add(file)
            known = [last.holding(file) if last else None for file in wanted]
            list(pool.map(_bring, wanted, [copy.target(file) for file in wanted], known))
            copy.add(wanted)
    return state


def _chunks(files: Listing) -> Iterator[list[StoredFile]]:
    source = iter(files)
    while chunk := list(islice(source, 4 * TOGETHER)):
        yield chunk


def _bring(file: StoredFile, target: Path, known: Path | None) -> None:
    if known is None or not _linked(known, target):
        _fetch(file, target)


def _linked(known: Path, target: Path) -> bool:
    """Whether the content of a known file is at `target` now."""
    make_folder(target.parent)
    try:
        target.unlink(missing_ok=True)
        os.link(known, target)
    except OSError:  # a file system without links
        try:
            write_bytes(target, known.read_bytes(), sync=False)
        except OSError:
            return False
    return True


def _fetch(file: StoredFile, target: Path) -> None:
    write_bytes(target, file.read(MAX_BYTES), sync=False)
