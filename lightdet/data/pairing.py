"""Which label file belongs to which picture: each label file to at most one picture, over all splits and lists."""

from __future__ import annotations

import filecmp
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats import embedded
from lightdet.data.images import SUFFIXES
from lightdet.data.label_places import FileKey, LabelIndex, file_key, label_places
from lightdet.data.paths import find_file, lookalike, near_folder
from lightdet.data.scanning import DEEPPCB_PICTURE, list_entries, scan, scan_pictures
from lightdet.errors import UserError


@dataclass(frozen=True)
class Pair:
    """A picture and its label file.

    Attributes:
        image: the picture.
        label: its label file, None if there is none.
        expected: the first place searched.
        others: further files that could be its labels.
    """

    image: Path
    label: Path | None
    expected: Path
    others: tuple[Path, ...] = ()


def find_pairs(
    form: str, root: Path, images: Sequence[Path], labels: Path | None, listings: Sequence[Path]
) -> tuple[list[Pair], list[DataError]]:
    """Find a split's pictures and the label file of each, for the formats with one label file per picture.

    Returns:
        The pairs in the order of the lists (or sorted by path), and what is wrong with entries of the lists.

    Raises:
        UserError: a folder or a list is missing or unreadable.
    """
    if labels is not None and not labels.is_dir():
        raise UserError(f"the label folder does not exist{near_folder(labels)}", path=labels)
    if listings:
        return _listed_pairs(form, root, images, labels, listings)
    index = LabelIndex()
    found: dict[str, Pair] = {}
    for folder in images:
        for picture in scan_pictures(form, folder):
            found.setdefault(_place(picture), _pair(form, picture, folder, labels, index))
    pairs = list(found.values())
    return [pair for pair in pairs if not is_mask(form, pair.image, images, labels)], []


def is_mask(form: str, path: Path, images: Sequence[Path], labels: Path | None) -> bool:
    """Whether a picture found below `images` is none of them, but lies in the folder of their masks."""
    return form == "masks" and labels is not None and labels not in images and path.is_relative_to(labels)


def unclear_pairs(split: str, pairs: Mapping[str, Sequence[Pair]]) -> dict[Path, DataError]:
    """A fault for each picture of `split` that shares its label file with another, or has several candidates.

    Args:
        split: the split in question.
        pairs: those of each split that can be read.
    """
    takers: dict[FileKey, dict[str, tuple[str, Path]]] = defaultdict(dict)
    expecting: dict[FileKey, set[str]] = defaultdict(set)
    for name, found in pairs.items():
        for pair in found:
            expecting[file_key(pair.expected)].add(_place(pair.image))
            if pair.label is not None:
                takers[file_key(pair.label)].setdefault(_place(pair.image), (name, pair.image))
    faults: dict[Path, DataError] = {}
    for pair in pairs[split]:
        if pair.label is None:
            continue
        rival = next((path for path in pair.others if not expecting[file_key(path)] - {_place(pair.image)}), None)
        if other := _other_taker(takers[file_key(pair.label)], pair.image):
            where = f" of the split '{other[0]}'" if other[0] != split else ""
            message = f"shares the label file {pair.label} with {other[1]}{where}; give each picture its own file"
            faults[pair.image] = DataError(message, "repeated", path=pair.image)
        elif rival is not None and not filecmp.cmp(pair.label, rival, shallow=False):
            message = f"its labels could be {pair.label} or {rival}, which differ; remove the wrong one"
            faults[pair.image] = DataError(message, "repeated", path=pair.image)
    return faults


def _other_taker(takers: Mapping[str, tuple[str, Path]], image: Path) -> tuple[str, Path] | None:
    if len(takers) == 1:
        return None
    own = _place(image)
    return next(((n, path) for place, (n, path) in takers.items() if place != own and not path.samefile(image)), None)


def _place(path: Path) -> str:
    """The same for ``a.jpg``, ``./a.jpg`` and ``b/../a.jpg``."""
    return os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links


def _pair(form: str, picture: Path, folder: Path | None, labels: Path | None, index: LabelIndex) -> Pair:
    places = list(dict.fromkeys(label_places(form, picture, folder, labels)))
    found = [path for place in places for path in index.find(place)]
    return Pair(picture, found[0] if found else None, places[0], tuple(found[1:]))


def _listed_pairs(
    form: str, root: Path, images: Sequence[Path], labels: Path | None, listings: Sequence[Path]
) -> tuple[list[Pair], list[DataError]]:
    index = LabelIndex()
    pairs, faults, lines = [], [], dict[str, str]()
    for listing in listings:
        finder = _Finder(form, images or (root,), listing)
        for line, entry in list_entries(listing):
            try:
                picture, label = finder.find(entry)
            except UserError as error:
                faults.append(DataError(error.message, "missing-picture", path=listing, line=line))
                continue
            if _place(picture) in lines:
                message = f"'{entry}' is listed already in {lines[_place(picture)]}; remove one of the two"
                faults.append(DataError(message, "repeated", path=listing, line=line))
                continue
            lines[_place(picture)] = f"line {line}" if len(listings) == 1 else f"{listing}:{line}"
            if label is not None:
                pairs.append(Pair(picture, label if label.is_file() else None, label))
            else:
                folder = next((place for place in images if picture.is_relative_to(place)), None)
                pairs.append(_pair(form, picture, folder, labels, index))
    return pairs, faults


class _Finder:
    """Resolves list entries: paths first, then stems through an index of the folders, made when first needed."""

    def __init__(self, form: str, folders: Sequence[Path], listing: Path) -> None:
        self.form = form
        self.folders = folders
        self.bases = [*folders, listing.parent]
        self.index: dict[str, list[Path]] | None = None

    def find(self, entry: str) -> tuple[Path, Path | None]:
        """Return the picture of a list entry, and its label file if the entry names one (DeepPCB's do)."""
        if self.form == "deeppcb":
            return self._deeppcb(entry)
        inside = {embedded.SUFFIX} if self.form == "labelme" else set()
        if Path(entry.replace("\\", "/")).suffix.lower() in SUFFIXES | inside:
            path = find_file(entry, self.bases)
            if path is not None:
                return path, None
        return self._by_stem(entry.replace("\\", "/")), None

    def _deeppcb(self, entry: str) -> tuple[Path, Path | None]:
        fields = entry.split()
        if len(fields) > 2:
            raise UserError(f"{len(fields)} fields instead of 2: PICTURE LABELS, names without spaces")
        named = Path(fields[0].replace("\\", "/"))
        names = [named.with_name(named.stem + DEEPPCB_PICTURE + named.suffix), named]
        picture = next((path for name in names if (path := find_file(str(name), self.bases)) is not None), None)
        if picture is None:
            raise UserError(f"there is no picture '{names[0]}' in {self.folders[0]}; correct or remove the entry")
        if len(fields) == 1:
            return picture, None
        return picture, find_file(fields[1], self.bases) or self.bases[0] / fields[1]

    def _by_stem(self, text: str) -> Path:
        if self.index is None:
            self.index = {}
            for folder in self.folders:
                for picture in scan_pictures(self.form, folder) if self.form == "labelme" else scan(folder, SUFFIXES):
                    relative = picture.relative_to(folder)
                    for key in {relative.as_posix(), relative.with_suffix("").as_posix(), picture.name, picture.stem}:
                        self.index.setdefault(_same(key), []).append(picture)
        found = _each_once(self.index.get(_same(text), []))
        if len(found) > 1:
            raise UserError(f"'{text}' matches {len(found)} pictures ({found[0]}, {found[1]}); write the whole path")
        if not found:
            hint = lookalike(text, self.bases) or "; correct or remove the entry"
            raise UserError(f"there is no picture '{text}' in {self.folders[0]}{hint}")
        return found[0]


def _each_once(paths: Iterable[Path]) -> list[Path]:
    return list({_place(path): path for path in paths}.values())


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name)
