"""Label files without a picture: reported, because each may belong to a picture that counts as good."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.images import SUFFIXES
from lightdet.data.label_places import LABEL_SUFFIX, FileKey, custom_folder, file_key, label_places
from lightdet.data.pairing import Pair, is_mask
from lightdet.data.scanning import scan

_YOLO_LINE = re.compile(rb"\s*\d+(?:\.0*)?(?:[ \t]+[-+.\deE]+){4,}\s")
_TEXTS = frozenset(
    {"classes.txt", "obj.names", "train.txt", "val.txt", "test.txt", "labelmap.txt", "predefined_classes.txt"}
)
"""Text files that are usually beside labels."""
Folders = tuple[Sequence[Path], Path | None]
"""A split's picture folders and its label folder."""


def orphan_labels(
    form: str, root: Path, folders: Mapping[str, Folders], split: str, pairs: Mapping[str, Sequence[Pair]]
) -> list[DataError]:
    """A fault for each label file in the label folders of `split` that belongs to no picture, of any split or of none.

    Args:
        form: the format.
        root: where pictures are searched if a split names no picture folder.
        folders: those of each split.
        split: the split whose label folders are searched.
        pairs: those of each split that can be read.
    """
    if form == "deeppcb":
        return []  # its lists name their label files
    places = _places(form, folders[split], pairs[split])
    used = {file_key(pair.label) for found in pairs.values() for pair in found if pair.label is not None}
    suffixes = SUFFIXES if form == "masks" else {LABEL_SUFFIX[form]}
    files = (path for place in sorted(places) if place.is_dir() for path in scan(place, suffixes))
    spare = [path for path in files if file_key(path) not in used and _looks_like_label(form, path)]
    if not spare:
        return []
    pictures = _pictures(form, root, folders, pairs)
    if form == "masks":  # beside pictures, nothing tells one of them from a mask
        beside = {pair.image.parent for found in pairs.values() for pair in found}
        spare = [path for path in spare if path.parent not in beside]
    known = _label_keys(form, folders, pictures)
    stems: dict[str, Path] = {}
    for picture in pictures:
        stems.setdefault(_same(picture.stem).casefold(), picture)
        stems.setdefault(_same(picture.name).casefold(), picture)
    return [_fault(form, path, stems) for path in dict.fromkeys(spare) if file_key(path) not in known]


def _places(form: str, folders: Folders, pairs: Iterable[Pair]) -> set[Path]:
    """Where label files of a split's pictures may be: in the folder named for them, or in every one by convention."""
    images, labels = folders
    if labels is not None:
        return {labels}
    listed = {pair.image.parent for pair in pairs}
    beside = {*images, *(place for place in listed if not any(place.is_relative_to(folder) for folder in images))}
    custom = {folder: custom_folder(form, folder) for folder in beside}
    if form == "masks":  # a PNG beside the pictures is one of them
        return {place or folder for folder, place in custom.items()}
    return beside | {place for place in custom.values() if place is not None}


def _pictures(form: str, root: Path, folders: Mapping[str, Folders], pairs: Mapping[str, Sequence[Pair]]) -> list[Path]:
    """All pictures that there are, in a split or not."""
    found: dict[Path, None] = {}
    for split, (images, labels) in folders.items():
        listed = {pair.image.parent for pair in pairs.get(split, ())}
        for folder in {*images, *listed} if images or labels is None else {root, *listed}:
            if folder.is_dir():
                found |= dict.fromkeys(
                    path for path in scan(folder, SUFFIXES) if not is_mask(form, path, images, labels)
                )
    return list(found)


def _label_keys(form: str, folders: Mapping[str, Folders], pictures: Iterable[Path]) -> set[FileKey]:
    """Every place where a picture's label file could be."""
    known: set[FileKey] = set()
    for picture in pictures:
        for images, labels in folders.values():
            folder = next((place for place in images if picture.is_relative_to(place)), None)
            if folder is not None or not images or labels is None:
                known.update(file_key(place) for place in label_places(form, picture, folder, labels))
    return known


def _fault(form: str, path: Path, stems: Mapping[str, Path]) -> DataError:
    near = stems.get(_same(path.stem).casefold())
    if form == "masks" and path.suffix.lower() != LABEL_SUFFIX[form]:
        message = "a mask must be a PNG file; convert it, or put it elsewhere if it is none"
    elif near is None:
        message = "the label file has no picture; add the picture or remove it"
    elif _same(near.stem) == _same(path.stem):
        message = f"the label file has no picture; {near} has the same name, but its labels are expected elsewhere"
    else:
        message = f"the label file has no picture; does it belong to {near}? Then give both the same name"
    return DataError(message, "missing-picture", path=path)


def _looks_like_label(form: str, path: Path) -> bool:
    """Tell labels from other text: class lists, split lists and read-me files are usually beside them."""
    if form == "masks":
        return True
    if form == "yolo" and path.name.lower() in _TEXTS:
        return False
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError:
        return True
    if form == "labelme":
        return b'"shapes"' in head or b'"imagePath"' in head
    if form == "voc":
        return b"<annotation" in head.replace(b"\0", b"")  # UTF-16
    text = head.removeprefix(b"\xef\xbb\xbf")
    return not text.strip() or _YOLO_LINE.match(text + b"\n") is not None


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name)
