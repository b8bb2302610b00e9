"""The folder of kept pictures: each as it came, in a file named by its record alone.

A file is called ``DAY/HOUR/ID.EXT``, such as ``2026-11-26/06/01a2….jpg``: day, hour (UTC) and order follow from the
record's id, the ending from the first bytes. Nothing of a name that came with a picture is in it. Other files in this
folder are neither read nor deleted.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from lightdet.data.phone_formats import HEAD, phone_format
from lightdet.files import check_writable, remove_leftover, write_bytes

_NAME = re.compile(r"(?P<folder>\d{4}-\d\d-\d\d/\d\d)/(?P<id>[0-9a-f]{32})\.(?P<ending>[a-z0-9]{3,4})")
_LEFTOVER = re.compile(r"\.(?P<file>[0-9a-f]{32}\.[a-z0-9]{3,4})\.lightdet\.tmp")
_DAY, _HOUR = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\d\d")
_BEGINNINGS = (
    (b"\xff\xd8", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
    (b"II+\0", "tif"),
    (b"MM\0+", "tif"),
    (b"\0\0\0\x0cjP  ", "jp2"),
    (b"\xff\x4f\xff\x51", "j2k"),
)
_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "webp": "image/webp",
    "jp2": "image/jp2",
    "j2k": "image/j2c",
    "avif": "image/avif",
    "heic": "image/heic",
    "pnm": "image/x-portable-anymap",
}
_TICK_NS = 3_000_000_000
MEDIA_TYPES = (*_TYPES.values(), "application/octet-stream")


class Entry(NamedTuple):
    """A kept picture."""

    name: str
    size: int


def is_picture_name(name: str) -> bool:
    """Whether this is a name as `file_name` gives it."""
    return _NAME.fullmatch(name) is not None


def ending_of(data: bytes) -> str:
    """Return the ending for a picture's file, by its first bytes; ``bin`` for a format that is not known."""
    for beginning, ending in _BEGINNINGS:
        if data.startswith(beginning):
            return ending
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:1] == b"P" and data[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6", b"7"):
        return "pnm"
    return (phone_format(data[:HEAD]) or "bin").lower()


def media_type(name: str) -> str:
    """Return the Content-Type of a kept picture, by the ending that `ending_of` gave it."""
    return _TYPES.get(name.rpartition(".")[2], "application/octet-stream")


def file_name(identity: str, data: bytes) -> str:
    """Return the name, within the folder, of the picture of a record.

    Raises:
        ValueError: this is no record's id.
    """
    moment = datetime.fromtimestamp(_time_ms(identity) / 1000, UTC)
    return f"{moment:%Y-%m-%d/%H}/{identity}.{ending_of(data)}"


def identity_of(name: str) -> str:
    """Return the id of the record whose picture has this name."""
    return name.rpartition("/")[2].partition(".")[0]


def _time_ms(identity: str) -> int:
    if re.fullmatch("[0-9a-f]{32}", identity) is None:
        raise ValueError("no id of a record")
    return int(identity[:12], 16)


class PictureFolder:
    """The folder.

    Args:
        folder: it need not be there, unless something is to be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sizes: dict[Path, tuple[int, int]] = {}  # by folder of an hour: when it changed, and its bytes

    def prepare(self) -> None:
        """Make the folder, and write into it.

        Raises:
            UserError: that cannot be done.
        """
        check_writable(self.folder)

    @property
    def shown(self) -> str:
        """What it is called in messages."""
        return str(self.folder)

    @property
    def identity(self) -> tuple[int, int] | None:
        """What distinguishes this folder from another one of its name, such as the place where a disk was mounted."""
        try:
            found = self.folder.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @property
    def free(self) -> int:
        """Bytes that are free on its disk."""
        return shutil.disk_usage(self.folder).free

    def path(self, name: str) -> Path:
        """Return where the picture of this name is.

        Raises:
            ValueError: no name that `file_name` gives.
        """
        if not is_picture_name(name):
            raise ValueError("no name of a kept picture")
        return self.folder / name

    def write(self, name: str, data: bytes, *, sync: bool) -> None:
        """Write a picture, whole or not at all.

        Raises:
            ValueError: no name that `file_name` gives.
            UserError, OSError: it cannot be written.
        """
        target = self.path(name)
        for last in (False, False, True):
            try:
                for folder in (target.parent.parent, target.parent):  # not the folder itself: one that is gone stays so
                    folder.mkdir(exist_ok=True)
                write_bytes(target, data, sync=sync)
            except FileNotFoundError:  # whoever deleted the last picture of this hour deleted its folder
                if last:
                    raise
            else:
                return

    def link(self, name: str, other: str) -> bool:
        """Give the picture `other` a second name, which takes no space; returns whether the disk can do that."""
        try:
            os.link(self.path(other), self.path(name))
        except OSError:
            return False
        return True

    def read(self, name: str) -> bytes | None:
        """Return a picture; None if it is not there.

        Raises:
            ValueError: no name that `file_name` gives.
            OSError: it cannot be read.
        """
        path = self.path(name)
        if path.is_symlink():
            return None
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> bool:
        """Delete a picture, and the folders of its hour and day if they are empty now; returns whether it was there.

        Raises:
            ValueError: no name that `file_name` gives.
            OSError: it cannot be deleted.
        """
        path = self.path(name)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        with suppress(OSError):
            path.parent.rmdir()
            path.parent.parent.rmdir()
        return True

    def discard(self, names: Sequence[str]) -> None:
        """Delete pictures; one that is gone is no error.

        Raises:
            ValueError: no name that `file_name` gives.
            OSError: one cannot be deleted.
        """
        for name in names:
            self.delete(name)

    def names(self) -> Iterator[str]:
        """Yield the names of all pictures, the oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        for hour in self._hours():
            yield from _names_in(hour)

    def entries(self) -> Iterator[Entry]:
        """Yield all pictures, the oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        for name in self.names():
            with suppress(FileNotFoundError):  # deleted meanwhile
                yield Entry(name, self.path(name).stat(follow_symlinks=False).st_size)

    def settled(self) -> Iterator[str]:
        """Yield the names of the pictures that have been there for some seconds: their records are written.

        Raises:
            OSError: the folder cannot be read.
        """
        for name in self.names():
            with suppress(FileNotFoundError):
                if not _is_fresh(self.path(name).stat(follow_symlinks=False).st_mtime_ns):
                    yield name

    def newest(self, most: int) -> list[str]:
        """Return the names of the newest pictures, the newest first.

        Raises:
            OSError: the folder cannot be read.
        """
        hours = reversed(list(self._hours()))
        return list(itertools.islice((name for hour in hours for name in reversed(_names_in(hour))), most))

    def size(self) -> int:
        """Return how many bytes the pictures have; only folders that changed since the last time are looked at.

        What killed processes left is deleted on the way.

        Raises:
            OSError: the folder cannot be read.
        """
        sizes: dict[Path, tuple[int, int]] = {}
        for hour in self._hours():
            changed = hour.stat().st_mtime_ns
            known = self._sizes.get(hour)
            # A change within the same tick of the disk's clock would not show: what is fresh is looked at again.
            same = known is not None and known[0] == changed and not _is_fresh(changed)
            sizes[hour] = known if known and same else (changed, _size_of(hour))
        self._sizes = sizes
        return sum(size for _, size in sizes.values())

    def _hours(self) -> Iterator[Path]:
        for day in _folders(self.folder, _DAY):
            yield from _folders(day, _HOUR)


def _is_fresh(changed_ns: int) -> bool:
    return abs(time.time_ns() - changed_ns) < _TICK_NS


def _folders(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [each.name for each in entries if pattern.fullmatch(each.name) and each.is_dir(follow_symlinks=False)]
    return [folder / name for name in sorted(found)]


def _names_in(hour: Path) -> list[str]:
    return sorted(found for found in (_picture_name(hour, each.name) for each in hour.iterdir()) if found)


def _picture_name(hour: Path, file: str) -> str | None:
    name = f"{hour.parent.name}/{hour.name}/{file}"
    return name if is_picture_name(name) else None


def _size_of(hour: Path) -> int:
    total = 0
    with os.scandir(hour) as entries:
        for each in entries:
            if left := _LEFTOVER.fullmatch(each.name):
                remove_leftover(hour / left["file"])
            elif _picture_name(hour, each.name):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    total += each.stat(follow_symlinks=False).st_size
    return total
