"""One source of a run: a picture, a video, a camera or a stream, with its name and the place of its results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from lightdet.arrays import Image
from lightdet.data.images import MAX_BYTES, Page, read_image, read_pages
from lightdet.storage.stored_file import StoredFile

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".3gp"}
)


HEAT = ".heat"
"""Behind the place of a picture: its heat."""
FRAME_DIGITS = 6
"""A frame's number has at least so many, behind the place of its video."""


@dataclass(frozen=True)
class Source:
    """One source.

    Attributes:
        kind: a picture, a video file, or a live stream (camera or URL).
        target: the path, the camera's index, the URL, or a file of a store or an archive.
        name: its name in results and messages: the path as given; for a URL the parts that are not secret, made unique.
        stem: where its results go below the output folder, without suffix; no two sources share one.
    """

    kind: Literal["picture", "video", "stream"]
    target: Path | str | int | StoredFile = field(repr=False)
    name: str
    stem: Path

    @property
    def moves(self) -> bool:
        """Whether it has frames."""
        return self.kind != "picture"

    def read(self, bit_depth: int) -> Iterator[Page]:
        """Decode the pictures of a picture file one after the other, as `lightdet.data.images.read_pages`."""
        if isinstance(self.target, StoredFile):
            yield from read_pages(self.target.read(MAX_BYTES), bit_depth=bit_depth, name=self.name)
        else:
            yield from read_pages(str(self.target), bit_depth=bit_depth)

    def whole(self, bit_depth: int) -> Image:
        """Decode a picture file that holds one picture, as `lightdet.data.images.read_image`."""
        if isinstance(self.target, StoredFile):
            return read_image(self.target.read(MAX_BYTES), bit_depth=bit_depth, name=self.name)
        return read_image(str(self.target), bit_depth=bit_depth)

    def page(self, page: Page) -> Source:
        """The same for one picture of the file: ``stack.tif#2`` if it holds several."""
        if page.of == 1:
            return self
        return replace(self, name=page.name(self.name), stem=page_place(self.stem, page.number))


def page_place(stem: Path, number: int) -> Path:
    """``stack`` and 2 → ``stack#2``."""
    return stem.with_name(f"{stem.name}#{number}")


def frame_place(stem: Path, frame: int) -> Path:
    """``clip`` and 7 → ``clip_000007``."""
    return stem.with_name(f"{stem.name}_{frame:0{FRAME_DIGITS}d}")


def printable(path: str | Path) -> str:
    """A file name as text that can be written to any file, even if its bytes are not UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def kind_of(path: Path) -> Literal["picture", "video"]:
    """Return what a file is, by its suffix."""
    # A file of unknown kind is opened as a picture: the reader goes by content and reports what is wrong.
    return "video" if path.suffix.lower() in VIDEO_SUFFIXES else "picture"


def file_source(path: Path) -> Source:
    """Return the source that a file is, by its own name."""
    return Source(kind_of(path), path, printable(path), path)
