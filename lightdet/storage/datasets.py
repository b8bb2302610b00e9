"""Data sets by URL and in archives as folders of this computer, which readers of labels and trainings need.

A bucket's folder is copied file by file, and later only what has changed; an archive is unpacked whole. WebDataset
shards with ``.cls`` files become a folder for each class.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath

from lightdet.addresses import shown_address
from lightdet.errors import UserError
from lightdet.files import make_folder, write_bytes
from lightdet.lock_file import lock_file
from lightdet.storage.filesystem import mark
from lightdet.storage.kept import facts_of, kept_folder, kept_space, make_room, named, note_address, note_used
from lightdet.storage.listing import Listing
from lightdet.storage.stored_file import StoredFile
from lightdet.storage.urls import WEB, archive_kind, as_url, local_path, place_of, scheme_of

MAX_BYTES = 1 << 30
"""Largest file of a data set that is copied."""
TOGETHER = 16
"""Files that are fetched at the same time."""


def is_kept(value: str | Path) -> bool:
    """Whether `value` names an archive or a URL, of which `local_dataset` makes a folder."""
    return as_url(value) is not None or _is_archive(str(value))


def local_dataset(value: str | Path) -> Path:
    """The path itself, or the copy here of a YAML by URL with what lies beside it, of a folder by URL, of an archive.

    Raises:
        UserError: it cannot be read, is too large, or holds names that lead out of it.
    """
    url = as_url(value)
    path = Path(value) if url is None else local_path(value)
    if path is not None:
        return _unpacked(str(path)) if _is_archive(str(path)) else path
    assert url is not None  # noqa: S101 - for the type checker
    if place_of(url).members is not None:
        return _unpacked(url)
    if scheme_of(url) in WEB:
        raise UserError("a data set over HTTP is read from an archive: .zip or .tar", path=url)
    described = PurePosixPath(url).suffix.lower() in (".yaml", ".yml")
    folder = _copied(url.rpartition("/")[0] if described else url.rstrip("/"))
    return folder / url.rpartition("/")[2] if described else folder


def _is_archive(text: str) -> bool:
    there = os.path.isfile(text)  # noqa: PTH113 - Path.is_file fails on a name that is too long
    return archive_kind(text) is not None and (there or "{" in text)


def _copied(url: str) -> Path:
    """A bucket's folder here, with what has changed fetched and what is gone deleted."""
    place = kept_folder() / "sets" / named(url, [url])
    files = Listing(f"{url}/**", lambda _path: True, recursive=True)
    data = place / _plain(url)
    make_room(0, place)
    with _alone(place, url), closing(sqlite3.connect(place / "index.sqlite3")) as index:
        index.execute("CREATE TABLE IF NOT EXISTS files (place TEXT PRIMARY KEY, mark TEXT, seen INTEGER)")
        now, total = time.time_ns(), 0
        with ThreadPoolExecutor(TOGETHER) as pool:
            source = iter(files)
            while chunk := list(islice(source, 4 * TOGETHER)):
                total += sum(file.size or 0 for file in chunk)
                _check_space(total, url)
                changed = [file for file in chunk if not _unchanged(index, data, file)]
                list(pool.map(lambda file: _fetch(file, data), changed))
                rows = [(file.place, file.mark, now) for file in chunk]
                index.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
                index.commit()
        if not total:
            raise UserError("holds no files", path=url)
        for (gone,) in index.execute("SELECT place FROM files WHERE seen != ?", (now,)):
            data.joinpath(*_parts(gone, url)).unlink(missing_ok=True)
        index.execute("DELETE FROM files WHERE seen != ?", (now,))
        index.commit()
    note_address(place, url)
    return data


def _unchanged(index: sqlite3.Connection, data: Path, file: StoredFile) -> bool:
    row = index.execute("SELECT mark FROM files WHERE place = ?", (file.place,)).fetchone()
    target = data.joinpath(*_parts(file.place, file.name))
    return row is not None and row[0] is not None and row[0] == file.mark and target.is_file()


def _fetch(file: StoredFile, data: Path) -> None:
    write_bytes(data.joinpath(*_parts(file.place, file.name)), file.read(MAX_BYTES), sync=False)


def _unpacked(text: str) -> Path:
    """An archive's files here; once it is unpacked, only its mark is looked at."""
    files = Listing(text, lambda _path: True, limit=MAX_BYTES)
    marks = [_mark(place.url) for place in files.places]
    place = kept_folder() / "sets" / named(files.places[0].url, [text, marks])
    data = place / _plain(files.places[0].url)
    if not data.is_dir() or None in marks:
        make_room(0, place)
        with _alone(place, text):
            part = place / "part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(data, ignore_errors=True)
            try:
                _unpack(files, make_folder(part)).rename(data)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    note_address(place, text)
    note_used(place)
    return data


def _mark(url: str) -> str | None:
    if scheme_of(url):
        return mark(facts_of(url) or {})
    try:
        status = Path(url).stat()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=url) from None
    return f"{status.st_mtime_ns} {status.st_size}"


def _unpack(files: Listing, folder: Path) -> Path:
    """Write the files below `folder`, and return the data set's own folder: the only one in it, or itself."""
    classes: dict[str, str] = {}
    total = 0
    for file in files:
        data = file.read(MAX_BYTES)
        total += len(data)
        _check_space(total, files.text)
        target = folder.joinpath(*_parts(file.place, file.name))
        if target.exists():
            raise UserError("is there twice; a data set needs a name for each file", path=file.name)
        if file.place.endswith(".cls"):
            classes[file.place[: -len(".cls")]] = _class_name(data, file.name)
        else:
            write_bytes(target, data, sync=False)
    if not total:
        raise UserError("holds no files", path=shown_address(files.text))
    if classes:
        _sort_by_class(folder, classes)
        return folder
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _class_name(data: bytes, name: str) -> str:
    text = data[:200].decode("utf-8", "replace").strip()
    if len(data) > 200 or not text.isprintable() or set(text) & set("/\\") or text in ("", ".", ".."):
        raise UserError("should hold a class: a number or a name", path=name)
    return text


def _sort_by_class(folder: Path, classes: dict[str, str]) -> None:
    """``key.jpg`` to ``class/key.jpg``; a key is a path up to the first dot of its name, as WebDataset has it."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        below = path.relative_to(folder)
        key = below.with_name(below.name.partition(".")[0]).as_posix()
        if key in classes:
            target = folder / classes[key] / below
            make_folder(target.parent)
            path.rename(target)


def _parts(place: str, name: str) -> list[str]:
    """The parts of a file's path below its data set.

    Raises:
        UserError: it leads out of the data set.
    """
    parts = [part for part in place.split("/") if part != "."]
    if not all(parts) or ".." in parts or any(set(part) & {"\\", "\0"} for part in parts):
        raise UserError("has a path that leads out of the data set, or none that a file can have", path=name)
    return parts


def _plain(url: str) -> str:
    return named(url, []).rpartition("-")[0] or "data"


def _check_space(total: int, url: str) -> None:
    if total > kept_space():
        raise UserError(f"is larger than the {kept_space() / 1e9:g} GB that LIGHTDET_CACHE_GB allows", path=url)


@contextmanager
def _alone(place: Path, url: str) -> Iterator[None]:
    """Copy or unpack in one process at a time."""

    def taken(_says: str) -> UserError:
        return UserError("another process is copying it; try again when it has ended", path=url)

    with lock_file(make_folder(place) / ".lock", str(os.getpid()), taken):
        yield
