"""A folder's pictures and label files, by what their names and heads show."""

from __future__ import annotations

from pathlib import Path

from lightdet.data.images import SUFFIXES
from lightdet.data.scanning import scan

_HEAD = 1 << 16


class FolderFiles:
    """The files of a folder, by suffix, with what their heads show."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pictures = scan(root, SUFFIXES)
        self.labels = {suffix: scan(root, {suffix}) for suffix in (".json", ".xml", ".txt", ".csv")}

    def with_head(self, suffix: str, *signs: bytes) -> list[Path]:
        """The files with that suffix that have all `signs` in their heads."""
        heads = {path: file_head(path) for path in self.labels[suffix]}
        return [path for path, head in heads.items() if all(sign in head for sign in signs)]

    def name(self, path: Path) -> str:
        """The path below the root, as a YAML writes it."""
        return path.relative_to(self.root).as_posix()

    def below(self, folder: str) -> bool:
        """Whether there are pictures below a folder."""
        place = self.root / folder
        return place.is_dir() and any(path.is_relative_to(place) for path in self.pictures)


def file_head(path: Path) -> bytes:
    """The first 64 KiB without byte-order mark, leading white space and zeros; empty if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip().replace(b"\0", b"")
    except OSError:
        return b""
