"""One file of a store or an archive: its name, where its results go, and its bytes within a limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lightdet.addresses import shown_address
from lightdet.errors import UserError
from lightdet.storage.filesystem import explained, filesystem
from lightdet.storage.urls import WEB, scheme_of

CHUNK = 1 << 20


@dataclass(frozen=True)
class StoredFile:
    """A file by URL, or a member of an archive.

    Attributes:
        name: its URL as results and messages show it, without user, password and query.
        place: its path below what was listed, with ``/``.
        fetch: returns its bytes, or raises a `UserError`; gets the limit.
        size: in bytes, as the store or archive says; None: it does not say.
        mark: changes with its content; None: not known.
        url: by which `at_url` reads it in another process as well; it may hold a password. None: only `fetch` can.
    """

    name: str
    place: str
    fetch: Callable[[int], bytes] = field(repr=False)
    size: int | None = None
    mark: str | None = None
    url: str | None = field(default=None, repr=False)

    def read(self, limit: int) -> bytes:
        """Return its bytes; no more than `limit` are ever held.

        Raises:
            UserError: it is larger, gone, forbidden or damaged.
        """
        if self.size is not None and self.size > limit:
            raise too_large(self.name, limit)
        return self.fetch(limit)


def too_large(name: str, limit: int) -> UserError:
    """The error for a file above `limit` bytes."""
    return UserError(f"the file is larger than {limit / (1 << 20):.0f} MiB", path=name)


def at_url(url: str, place: str, size: int | None = None) -> StoredFile:
    """The file at `url`; nothing is requested until it is read."""
    return StoredFile(shown_address(url), place, lambda limit: _fetch(url, limit, size), size, url=url)


def in_bucket(
    system: Any,
    path: str,
    name: str,
    place: str,
    size: int | None,
    content: str | None = None,
    url: str | None = None,
) -> StoredFile:
    """A file of a listing; `path` is what the file system calls it, `content` what marks its content."""

    def fetch(limit: int) -> bytes:
        with explained(name):
            known = system.info(path)["size"] or 0 if size is None else size
            if known > limit:
                raise too_large(name, limit)
            # No part of an empty file can be requested. A byte more shows one that has grown since.
            data: bytes = system.cat_file(path, start=0, end=known + 1) if known else b""
        if len(data) > limit:
            raise too_large(name, limit)
        return data

    return StoredFile(name, place, fetch, size, content, url)


def open_url(url: str, *, whole: bool) -> BinaryIO:
    """Open the file at `url` for reading.

    Args:
        url: its URL.
        whole: it is read once, from the first byte to the last; otherwise it can be read anywhere, unless its `size`
            is None: such a server gives no parts.

    Raises:
        UserError: it is not there, forbidden, or nobody answers.
    """
    system, path = filesystem(url)
    with explained(url):
        # With a size, no request is made for it.
        if scheme_of(url) in WEB and (whole or not system.info(path).get("partial")):
            opened: BinaryIO = system.open(path, "rb", block_size=0, size=1)
        else:
            opened = system.open(path, "rb", block_size=4 * CHUNK)
    return opened


def read_within(stream: BinaryIO, limit: int, name: str) -> bytes:
    """Return what is left in `stream`; a UserError as soon as that is more than `limit` bytes."""
    parts, left = [], limit + 1
    while left > 0 and (part := stream.read(min(left, CHUNK))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise too_large(name, limit)
    return b"".join(parts)


def _fetch(url: str, limit: int, size: int | None) -> bytes:
    if scheme_of(url) not in WEB:
        system, path = filesystem(url)
        return in_bucket(system, path, shown_address(url), "", size).fetch(limit)
    with explained(url), open_url(url, whole=True) as stream:
        return read_within(stream, limit, url)
