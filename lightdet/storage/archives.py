"""The members of zip and tar archives, local or by URL, one after the other: WebDataset shards are such archives.

A tar is read once from front to back, and no list of its members is kept. A zip has its directory at its end, which
is read first and held, some hundred bytes for each member.
"""

from __future__ import annotations

import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lightdet.addresses import shown_address
from lightdet.errors import UserError
from lightdet.missing import why_missing
from lightdet.storage.filesystem import explained
from lightdet.storage.stored_file import CHUNK, StoredFile, open_url, read_within, too_large
from lightdet.storage.urls import Place, scheme_of

DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


class _Member(NamedTuple):
    name: str
    size: int
    fetch: Callable[[int], bytes]


def archive_name(place: Place) -> str:
    """How messages name the archive."""
    return shown_address(place.url)


def member_name(place: Place, member: str) -> str:
    """``zip://a/b.png::s3://bucket/parts.zip``: a member as results and messages name it."""
    return f"{place.kind}://{member}::{archive_name(place)}"


def members(place: Place, wanted: Callable[[str], bool], limit: int) -> Iterator[StoredFile]:
    """Yield the members of the archive whose name is `wanted`, in its own order, each with its bytes read.

    Args:
        place: the archive.
        wanted: gets the member's path.
        limit: a larger member is yielded without its bytes, and cannot be read.

    Raises:
        UserError: the archive is missing, damaged, or cannot be reached.
    """
    with _opened(place) as stream, _told(place):
        found = _zip_members(stream) if place.kind == "zip" else _tar_members(stream)
        for member in found:
            if wanted(member.name):
                yield _held(place, member, limit)


def _held(place: Place, member: _Member, limit: int) -> StoredFile:
    """The member with its bytes, or with why it has none: a tar cannot go back to it."""
    name = member_name(place, member.name)
    try:
        if member.size > limit:
            raise too_large(name, limit)
        data = member.fetch(limit)
    except UserError as error:
        return StoredFile(name, member.name, _raising(UserError(error.message, path=name)), member.size)
    except (*DAMAGED, RuntimeError) as error:
        if place.kind == "tar":
            raise
        reason = "is locked with a password" if "password" in str(error) else f"is damaged in the archive ({error})"
        return StoredFile(name, member.name, _raising(UserError(reason, path=name)), member.size)
    return StoredFile(name, member.name, lambda _limit: data, len(data))


def _raising(error: UserError) -> Callable[[int], bytes]:
    def fetch(_limit: int) -> bytes:
        raise error

    return fetch


def _zip_members(stream: BinaryIO) -> Iterator[_Member]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield _Member(info.filename.removeprefix("./"), info.file_size, partial(_unzip, archive, info))


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    with archive.open(info) as opened:
        return read_within(opened, limit, info.filename)  # type: ignore[arg-type]


def _tar_members(stream: BinaryIO) -> Iterator[_Member]:
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for info in archive:
            if info.islnk() or info.issym():  # a tar is read once, and cannot go back
                name = info.name.removeprefix("./")
                yield _Member(name, 0, partial(_refuse_link, name, info.linkname))
            elif info.isfile():
                yield _Member(info.name.removeprefix("./"), info.size, partial(_untar, archive, info))
            archive.members = []  # type: ignore[attr-defined] # or all names would be kept


def _refuse_link(name: str, target: str, _limit: int) -> bytes:
    raise UserError(
        f"is a link to {target}, and has no content of its own; pack it with --hard-dereference -h", path=name
    )


def _untar(archive: tarfile.TarFile, info: tarfile.TarInfo, limit: int) -> bytes:
    opened = archive.extractfile(info)
    if opened is None:
        return b""
    data = read_within(opened, limit, info.name)  # type: ignore[arg-type]
    if len(data) < info.size:
        raise tarfile.ReadError("unexpected end of data")
    return data


@contextmanager
def _opened(place: Place) -> Iterator[BinaryIO]:
    if scheme_of(place.url):
        with explained(place.url), open_url(place.url, whole=place.kind == "tar") as stream:
            if place.kind == "tar" or getattr(stream, "size", None) is not None:
                yield stream
                return
            with tempfile.TemporaryFile() as copy:  # this server gives no parts of files
                shutil.copyfileobj(stream, copy, CHUNK)
                copy.seek(0)
                yield copy
        return
    path = Path(place.url)
    try:
        with path.open("rb") as local:
            yield local
    except OSError as error:
        raise UserError(why_missing(path, error), path=path) from None


@contextmanager
def _told(place: Place) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        message = f"is not a {place.kind} archive, or a damaged one ({reason}); copy it again"
        raise UserError(message, path=archive_name(place)) from None
