"""A folder's pictures and label files, by what their names and heads show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightdet.data.images import SUFFIXES
from lightdet.data.scanning import scan

SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
"""What folders and files call the splits."""
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


def splits_of(files: FolderFiles, *patterns: str, there: Callable[[str], bool]) -> dict[str, str]:
    """The folder of each split that is there: the first of `patterns`, in which {} is one of the split's names."""
    found: dict[str, str] = {}
    for name, words in SPLITS.items():
        places = [pattern.format(word) for pattern in patterns for word in words]
        place = next((place for place in places if there(place)), None)
        if place is not None:
            found[name] = place
    return found


def label_places(
    files: FolderFiles, labels: list[Path], pictures: tuple[str, ...], beside: tuple[str, ...]
) -> dict[str, Any]:
    """The splits of a format with one label file per picture.

    Args:
        files: the folder.
        labels: its label files.
        pictures: what the format calls its folder of pictures.
        beside: what it calls the folder of labels that is found by that.
    """
    heads = [files.name(path.parent).split("/") for path in labels]

    def holds(place: str) -> bool:
        return (files.root / place).is_dir() and (
            files.below(place) or any(path.is_relative_to(files.root / place) for path in labels)
        )

    patterns = [pattern for name in pictures for pattern in (f"{name}/{{}}", f"{{}}/{name}")]
    found = splits_of(files, *patterns, "{}", there=holds)
    folder = next((name for name in pictures if files.below(name)), None)
    if found and ("train" in found or folder is None):
        return dict(found)
    if folder is None:
        return {"train": "."}
    tops = {parts[0] for parts in heads}
    if len(tops) == 1 and not tops & {folder, ".", *beside}:
        return {"train": {"images": folder, "labels": tops.pop()}}
    return {"train": folder}


def split_of(path: Path) -> str | None:
    """The split by the file's name, or by its folder's (``valid/_annotations.coco.json``)."""
    for text in (path.stem.lower(), path.absolute().parent.name.lower()):
        for name, words in SPLITS.items():
            if any(word in text for word in words):
                return name
    return None
