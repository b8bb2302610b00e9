"""Where the label file of a picture is, by the convention of each format, and what actually exists."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from lightdet.data.scanning import DEEPPCB_PICTURE
from lightdet.errors import UserError

LABEL_SUFFIX = {"yolo": ".txt", "voc": ".xml", "deeppcb": ".txt", "labelme": ".json", "masks": ".png"}
_NEIGHBOURS = {
    "yolo": (("images", "labels"),),
    "voc": (("JPEGImages", "Annotations"), ("images", "annotations"), ("IMAGES", "ANNOTATIONS")),
    "labelme": (("images", "labels"),),
    "masks": (("images", "masks"), ("JPEGImages", "SegmentationClassPNG"), ("JPEGImages", "SegmentationClass")),
}
"""Convention of a format: the label folder is the picture folder with this part of its path replaced."""

FileKey = tuple[str, str, str]
"""Folder, stem and suffix of a file, the same for every spelling of one name."""


def file_key(path: Path) -> FileKey:
    """Equal for ``a.txt`` and ``a.TXT``, and for both Unicode forms of an umlaut; not for ``A.txt``."""
    folder, name = os.path.split(path)
    return os.path.abspath(folder), *_name_key(name)  # noqa: PTH100 - resolve() would follow links


def _name_key(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - some thousand times per second
    return (stem if stem.isascii() else unicodedata.normalize("NFC", stem)), suffix.lower()


class LabelIndex:
    """Finds files whatever the case of their suffix; each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[tuple[str, str], list[str]]] = {}

    def find(self, place: Path) -> list[Path]:
        """All files that equal `place` except for the case of the suffix and the Unicode form of umlauts.

        Raises:
            UserError: its folder is there and cannot be read.
        """
        names = self._folders.get(place.parent)
        if names is None:
            names = self._folders[place.parent] = self._listing(place.parent)
        return [place.parent / name for name in names.get(_name_key(place.name), [])]

    @staticmethod
    def _listing(folder: Path) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        try:
            with os.scandir(folder) as entries:
                files = sorted(entry.name for entry in entries if entry.is_file())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # nothing can be called that
                return {}
            # or all pictures whose labels are in it would pass for free of defects
            raise UserError(f"the folder cannot be read: {error.strerror}", path=folder) from None
        for name in files:
            found.setdefault(_name_key(name), []).append(name)
        return found


def label_places(form: str, picture: Path, folder: Path | None, labels: Path | None) -> Iterator[Path]:
    """Where the label file of `picture` may be, likeliest first.

    Args:
        form: the format.
        picture: its path.
        folder: the picture folder that it belongs to, if known.
        labels: the label folder, if one is named.
    """
    suffix = LABEL_SUFFIX[form]
    if form == "labelme" and picture.suffix.lower() == suffix:  # the picture is in its label file
        yield picture
        return
    if form == "deeppcb":
        name = picture.stem.removesuffix(DEEPPCB_PICTURE) + suffix
        if labels is not None:
            yield from (labels / name, labels / (picture.stem + suffix))
        else:
            yield picture.parent.with_name(picture.parent.name + "_not") / name
            yield picture.with_name(name)
        return
    name = picture.stem + suffix
    if labels is not None:
        if folder is not None and picture.is_relative_to(folder):
            yield labels / picture.relative_to(folder).with_name(name)
        yield labels / name
        return
    custom = custom_folder(form, picture.parent)
    if custom is not None:
        yield custom / name
    yield picture.with_name(name)


def custom_folder(form: str, folder: Path) -> Path | None:
    """``set/images/train`` → ``set/labels/train``: the last part that has a counterpart is replaced."""
    parts = list(folder.parts)
    for index in range(len(parts) - 1, -1, -1):
        for ours, theirs in _NEIGHBOURS.get(form, ()):
            if parts[index] == ours:
                return Path(*parts[:index], theirs, *parts[index + 1 :])
    return None
