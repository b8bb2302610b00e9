"""What is stored below a URL or in an archive, as a stream: never are all the names held at once."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lightdet.addresses import STORES, shown_address
from lightdet.errors import UserError
from lightdet.storage.archives import members
from lightdet.storage.filesystem import explained, filesystem, mark
from lightdet.storage.stored_file import StoredFile, at_url, in_bucket
from lightdet.storage.urls import Place, file_part, place_of, scheme_of
from lightdet.wording import counted

PAGE = 1000
"""Names per request, the most that S3 allows."""
MAX_SHARDS = 1_000_000


class Found(NamedTuple):
    """A path with its size and what marks its content; size None: a folder that is not entered."""

    path: str
    size: int | None = None
    content: str | None = None


@dataclass
class Listing:
    """The files that a URL, an archive or a place in one names; each iteration asks anew.

    Attributes:
        text: as given.
        known: whether a file is one that is wanted, by its path.
        recursive: also those in sub-folders; of an archive always.
        limit: the largest file that will be read, in bytes.
        passed_over: files of the last iteration that are not `known`, and deeper ones.
    """

    text: str
    known: Callable[[str], bool]
    recursive: bool = False
    limit: int = 1 << 30
    passed_over: int = 0
    deeper: int = 0
    places: list[Place] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = [self.text] if os.path.isfile(self.text) else _numbered(self.text)  # noqa: PTH113 - a URL may be too long
        self.places = [place_of(each) for each in names]

    @property
    def name(self) -> str:
        """As messages show it."""
        return shown_address(self.text)

    def first(self) -> None:
        """See that something is there, before a network is loaded.

        Raises:
            UserError: nothing can be listed, or no file is wanted.
        """
        with closing(self._each()) as files:
            if next(files, None) is None:
                where = f"; {counted(self.deeper, 'folder')} in it: add --recursive" if self.deeper else ""
                raise UserError(f"holds no pictures or videos{where}", path=self.name)

    def __iter__(self) -> Iterator[StoredFile]:
        return self._each()

    def _each(self) -> Generator[StoredFile]:
        self.passed_over = self.deeper = 0
        for place in self.places:
            yield from self._of_archive(place) if place.members is not None else self._of_store(place.url)

    def _wanted(self, path: str) -> bool:
        hidden = any((part.strip(".") and part[0] == ".") or part == "__MACOSX" for part in path.split("/"))
        if hidden or not self.known(path):
            self.passed_over += 1
            return False
        return True

    def _of_archive(self, place: Place) -> Iterator[StoredFile]:
        pattern = place.members or ""
        matches = _matcher(pattern) if glob.has_magic(pattern) else _below(pattern)
        yield from members(place, lambda name: matches(name) and self._wanted(name), self.limit)

    def _of_store(self, url: str) -> Iterator[StoredFile]:
        if scheme_of(url) not in STORES:
            yield at_url(url, file_part(url).rpartition("/")[2])
            return
        system, path = filesystem(url)
        if not glob.has_magic(path) and self.known(path):
            yield at_url(url, path.rpartition("/")[2])
            return
        start, matches, deep = _plan(path, recursive=self.recursive)
        folder = start[: start.rfind("/") + 1]
        with explained(url):
            for key, size, content in in_order(system, start, deep=deep):
                if size is None:
                    self.deeper += 1
                elif matches(key) and self._wanted(key[len(folder) :]):
                    name = f"{scheme_of(url)}://{key.replace('?', '%3F')}"
                    alone = None if "?" in key else name  # a URL has no other way to write it
                    yield in_bucket(system, key, name, key[len(folder) :], size, content, alone)


def _plan(path: str, *, recursive: bool) -> tuple[str, Callable[[str], bool], bool]:
    """What to list for a folder or a glob: what the names begin with, which of them, and whether to go deeper."""
    magic = re.search(r"[*?[]", path)
    if magic is None:
        return f"{path.rstrip('/')}/", lambda _key: True, recursive
    rest = path[magic.start() :]
    return path[: magic.start()], _matcher(path), "**" in rest or "/" in rest


def in_order(system: Any, start: str, *, deep: bool) -> Iterator[Found]:
    """Yield what begins with `start`, in the order of the names, and no more than is asked for at a time.

    Args:
        system: fsspec's file system.
        start: ``bucket/prefix/``.
        deep: also what is in folders; otherwise these themselves, without a size.
    """
    return (_s3_pages if "s3" in system.protocol else _folders)(system, start, deep)


def _s3_pages(system: Any, start: str, deep: bool) -> Iterator[Found]:
    """Yield what there is page by page, in the order of the names."""
    bucket, _, prefix = start.partition("/")
    asked: dict[str, Any] = {
        "Bucket": bucket,
        "Prefix": prefix,
        "MaxKeys": PAGE,
        **({} if deep else {"Delimiter": "/"}),
    }
    while True:
        page = system.call_s3("list_objects_v2", **asked)
        for entry in page.get("Contents", ()):
            if not entry["Key"].endswith("/"):
                yield Found(f"{bucket}/{entry['Key']}", entry["Size"], mark(entry))
        for entry in page.get("CommonPrefixes", ()):
            yield Found(f"{bucket}/{entry['Prefix']}")
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _folders(system: Any, start: str, deep: bool) -> Iterator[Found]:
    """The same for other stores, folder by folder: the names of one folder are held."""
    waiting = [start[: start.rfind("/")]]
    while waiting:
        found = sorted(system.ls(waiting.pop(), detail=True), key=lambda entry: str(entry["name"]))
        inner = [entry["name"].rstrip("/") for entry in found if entry["type"] == "directory"]
        for entry in found:
            if entry["type"] == "file" and entry["name"].startswith(start):
                yield Found(entry["name"], entry["size"] or 0, mark(entry))
        if deep:
            waiting += reversed(inner)
        else:
            yield from map(Found, inner)


def _below(folder: str) -> Callable[[str], bool]:
    start = folder.strip("/")
    return lambda name: not start or name == start or name.startswith(f"{start}/")


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Match paths as a shell does: ``*`` and ``?`` within a folder, ``**`` over any depth, ``[…]`` one of several."""
    parts = []
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^]]*\]|.", pattern, re.DOTALL):
        match piece:
            case "**/":
                parts.append("(?:.*/)?")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _ if len(piece) > 1:
                body = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
                parts.append(f"[{'^' + body[1:] if body.startswith('!') else body}]")
            case _:
                parts.append(re.escape(piece))
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


def _numbered(text: str) -> Iterator[str]:
    """``part-{000..009}.tar``: the names that such a range stands for, as WebDataset writes shards."""
    found = re.search(r"\{([0-9]{1,9})\.\.([0-9]{1,9})\}", text)
    if found is None:
        yield text
        return
    first, last = int(found[1]), int(found[2])
    if not first <= last < first + MAX_SHARDS:
        raise UserError(f"{found[0]} should go up, over at most {MAX_SHARDS:,} files", path=shown_address(text))
    for number in range(first, last + 1):
        yield f"{text[: found.start()]}{number:0{len(found[1])}d}{text[found.end() :]}"
