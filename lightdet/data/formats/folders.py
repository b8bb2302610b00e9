"""One class per picture, named by its folder (``train/scratched/7.png``) or by a list (``7.png scratched``)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import unknown_class
from lightdet.data.images import SUFFIXES
from lightdet.data.paths import FileFinder, lookalike
from lightdet.data.scanning import list_entries, scan_pictures
from lightdet.errors import UserError


@dataclass(frozen=True)
class Entry:
    """A picture and its class; `source` and `line` (1-based) say where it is given, None and 0 for folders.

    `problems` make it unusable.
    """

    image: Path
    label: int
    source: Path | None = None
    line: int = 0
    problems: list[DataError] = field(default_factory=list)


def scan_class_folders(folder: Path, root: Path, classes: Sequence[str]) -> tuple[list[Entry], list[DataError]]:
    """Every picture below `folder` with the class of its nearest folder named after a class, sorted by path.

    Returns:
        The entries, and one fault for each folder whose pictures belong to no class.

    Raises:
        UserError: the folder is missing or unreadable.
    """
    entries, strays = [], Counter[Path]()
    for picture in scan_pictures("folders", folder):
        label = class_of_path(picture, folder, root, classes)
        if label is None:
            strays[picture.parent] += 1
        else:
            entries.append(Entry(picture, label))
    return entries, [_stray_folder(place, count, folder, classes) for place, count in strays.items()]


def _stray_folder(place: Path, count: int, folder: Path, classes: Sequence[str]) -> DataError:
    pictures = "its picture has" if count == 1 else f"its {count} pictures have"
    if place == folder:
        message = f"{pictures} no class: put each into a folder named after its class ({', '.join(classes)})"
    else:
        message = f"{pictures} no class: {unknown_class(place.name, classes)}"
    return DataError(message, "class", path=place)


def class_of_path(picture: Path, folder: Path, root: Path, classes: Sequence[str]) -> int | None:
    """The class that the nearest folder of `picture` is named after: below `folder`, or below `root`; or None."""
    numbers = {_same(name): number for number, name in enumerate(classes)}
    for base in (folder, root):
        if picture.is_relative_to(base):
            above = [part for part in reversed(picture.relative_to(base).parts[:-1]) if _same(part) in numbers]
            if above:
                return numbers[_same(above[0])]
    # A list may lead out of the root, and `images` may name the class folder itself.
    return numbers.get(_same(picture.parent.name))


def listed_classes(
    listings: Sequence[Path], folders: Sequence[Path], root: Path, classes: Sequence[str]
) -> tuple[list[Entry], list[DataError]]:
    """Read lists: one path per line below class folders, or a path and its class (a name, or an id counted from 0).

    Paths are relative to `folders`, or to the list's own folder.

    Returns:
        The entries in the lists' order, and what is wrong with their lines.

    Raises:
        UserError: a list is missing, unreadable or no text.
    """
    entries, faults, first = [], [], dict[Path, Entry]()
    unclear: dict[Path, DataError] = {}
    finders = {listing: FileFinder([*folders, listing.parent]) for listing in listings}
    for listing, line, text in ((file, line, text) for file in listings for line, text in list_entries(file)):
        picture = None
        try:
            picture, word = split_line(text, finders[listing], classes)
            label = class_of_path(picture, folders[0], root, classes) if word is None else class_index(word, classes)
            if label is None:
                raise DataError(_no_class(text, picture, classes), "class")
        except DataError as error:
            faults.append(DataError(error.message, error.kind, path=listing, line=line))
            if picture is not None:
                unclear[picture] = faults[-1]
            continue
        entry = Entry(picture, label, listing, line)
        if picture in first:
            told = f"'{text}' is listed already in {_line_of(first[picture], entry)}"
            faults += repeated(told, first[picture], entry, classes)
            continue
        first[picture] = entry
        entries.append(entry)
    mark_unclear(entries, unclear)
    return entries, faults


def mark_unclear(entries: Sequence[Entry], unclear: Mapping[Path, DataError]) -> None:
    """Give the entries of pictures that another line gives a class that cannot be read the fault of that line."""
    for entry in entries:
        if entry.image in unclear:
            entry.problems.append(unclear[entry.image])


def repeated(told: str, first: Entry, second: Entry, classes: Sequence[str]) -> list[DataError]:
    """The fault of a picture that is listed twice; if the classes differ, it is the first entry's, which may be wrong.

    Returns:
        The fault if it is only a second line for the same class.
    """
    if first.label == second.label:
        return [DataError(f"{told}; remove one of the two", "repeated", path=second.source, line=second.line)]
    message = f"{told}, there as '{classes[first.label]}'; remove the wrong one of the two"
    first.problems.append(DataError(message, "repeated", path=second.source, line=second.line))
    return []


def _line_of(first: Entry, second: Entry) -> str:
    return f"line {first.line}" if first.source == second.source else f"{first.source}:{first.line}"


def _no_class(text: str, picture: Path, classes: Sequence[str]) -> str:
    return (
        f"'{text}' has no class: none of its folders is one, and none follows the path "
        f"({unknown_class(picture.parent.name, classes)})"
    )


def split_line(text: str, finder: FileFinder, classes: Sequence[str]) -> tuple[Path, str | None]:
    """Return the picture of a list's line and the class after it, None if the line is only a path.

    Raises:
        DataError: there is no such picture.
    """
    picture = find_picture(text, finder)
    if picture is not None:
        return picture, None
    for name in sorted(classes, key=len, reverse=True):  # a name may contain spaces, so the known ones come first
        path = text.removesuffix(name).rstrip(" \t,;")
        if text.endswith(name) and len(path) + len(name) < len(text) and (picture := find_picture(path, finder)):
            return picture, name
    path, _, word = text.replace("\t", " ").replace(",", " ").replace(";", " ").rpartition(" ")
    picture = find_picture(text[: len(path)].rstrip(" \t,;"), finder) if path else None
    if picture is None:
        hint = lookalike(text, finder.bases) or "; correct or remove the line"
        raise DataError(f"there is no picture '{text}' in {finder.bases[0]}{hint}", "missing-picture")
    return picture, word


def find_picture(text: str, finder: FileFinder) -> Path | None:
    """The file that `text` names; an id without a suffix is tried with every picture suffix.

    Raises:
        DataError: it may be either of two different files.
    """
    try:
        found = finder.find(text) if text else None
        if found is None and text and Path(text.replace("\\", "/")).suffix.lower() not in SUFFIXES:
            endings = [finder.find(f"{text}{suffix}") for suffix in sorted(SUFFIXES)]
            several = [path for path in endings if path is not None]
            if len(several) > 1:
                raise DataError(f"'{text}' could be {several[0]} or {several[1]}; write the suffix", "missing-picture")
            found = several[0] if several else None
    except DataError:
        raise
    except UserError as error:
        raise DataError(error.message, "missing-picture") from None
    return found


def class_index(word: str, classes: Sequence[str]) -> int:
    """The index of a class given by its name, or by its id from 0 if no class has that name.

    Raises:
        DataError: neither.
    """
    wanted = _same(word.strip())
    for number, name in enumerate(classes):
        if _same(name) == wanted:
            return number
    if wanted.isascii() and wanted.isdecimal():
        if int(wanted[:9]) < len(classes):
            return int(wanted)
        message = f"class {wanted} is out of range: there are {len(classes)} classes, counted from 0"
        raise DataError(message, "class")
    raise DataError(unknown_class(word.strip(), classes), "class")


def folder_names(folder: Path) -> list[str]:
    """The names of the folders in `folder` that hold pictures, sorted: the classes if none are given.

    Raises:
        UserError: the folder is missing or unreadable.
    """
    found = {picture.relative_to(folder).parts[0] for picture in scan_pictures("folders", folder)}
    return sorted(name for name in found if (folder / name).is_dir())


def words_of_list(listing: Path, bases: Sequence[Path]) -> set[str]:
    """The classes that a list names, or otherwise the folders of its pictures; lines that lead nowhere are ignored.

    Raises:
        UserError: the list is missing, unreadable or no text.
    """
    words, finder = set(), FileFinder(bases)
    for _, text in list_entries(listing):
        try:
            picture, word = split_line(text, finder, ())
        except UserError:
            continue
        words.add(picture.parent.name if word is None else word)
    return words


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name)
