"""Data sets by URL and in archives as folders of this computer, which readers of labels and trainings need.

A bucket's folder is copied file by file (`lightdet.storage.bucket_copy`); an archive is unpacked whole. WebDataset
shards with ``.cls`` files become a folder for each class.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path, PurePosixPath

from lightdet.addresses import shown_address
from lightdet.errors import UserError
from lightdet.files import make_folder, write_bytes
from lightdet.storage.bucket_copy import copy_of_bucket
from lightdet.storage.filesystem import mark
from lightdet.storage.kept import facts_of, kept_folder, make_room, named, note_address, note_used
from lightdet.storage.listing import Listing
from lightdet.storage.set_folder import MAX_BYTES, alone, check_space, parts_of, plain
from lightdet.storage.urls import WEB, archive_kind, as_url, local_path, place_of, scheme_of


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
    folder = copy_of_bucket(url.rpartition("/")[0] if described else url.rstrip("/"))
    return folder / url.rpartition("/")[2] if described else folder


def _is_archive(text: str) -> bool:
    there = os.path.isfile(text)  # noqa: PTH113 - Path.is_file fails on a name that is too long
    return archive_kind(text) is not None and (there or "{" in text)


def _unpacked(text: str) -> Path:
    """An archive's files here; once it is unpacked, only its mark is looked at."""
    files = Listing(text, lambda _path: True, limit=MAX_BYTES)
    marks = [_mark(place.url) for place in files.places]
    which = [
        [place.url if scheme_of(place.url) else os.path.realpath(place.url), place.members] for place in files.places
    ]
    now = [time.time_ns()] if None in marks else []  # nothing shows whether it is the same
    place = kept_folder() / "sets" / named(files.places[0].url, [which, marks, *now])
    data = place / plain(files.places[0].url)
    note_used(place)
    if not data.is_dir():
        with alone(place, text):
            if not data.is_dir():  # as another process may have left it
                _unpack_as(data, files)
    note_address(place, text)
    return data


def _unpack_as(data: Path, files: Listing) -> None:
    """Unpack to the folder `data`, which appears when it is whole."""
    part = data.with_name("part.new")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _unpack(files, make_folder(part), data.parent).rename(data)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _mark(url: str) -> str | None:
    if scheme_of(url):
        return mark(facts_of(url) or {})
    try:
        status = Path(url).stat()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=url) from None
    # The third changes whenever another file takes its place, also if that has the same time and size.
    return f"{status.st_mtime_ns} {status.st_size} {status.st_ctime_ns}"


def _unpack(files: Listing, folder: Path, place: Path) -> Path:
    """Write the files below `folder`, and return the data set's own folder: the only one in it, or itself.

    Room is made as it is needed, because an archive need not say how large its files are; `place` is never removed.
    """
    classes: dict[str, str] = {}
    total = room = 0
    for file in files:
        data = file.read(MAX_BYTES)
        total += len(data)
        check_space(total, files.text)
        if total > room:
            room = total - len(data) + make_room(len(data), place)
        target = folder.joinpath(*parts_of(file.place, file.name))
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
