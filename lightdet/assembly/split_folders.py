"""Which folders and files are the splits of a folder without a YAML, by their names; what is not clear is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from lightdet.assembly.folder_files import FolderFiles
from lightdet.data.split_words import SPLITS, is_split_name, split_of_cell, split_of_name


class Splits(NamedTuple):
    """Splits as a YAML names them, empty if nothing is named like one; and what only a person can tell, or nothing."""

    places: dict[str, Any]
    doubt: str = ""


class Folders(NamedTuple):
    """Folders of pictures that are named like splits, below the folder that holds everything.

    Attributes:
        places: those of each split.
        left: folders with pictures outside of them.
        top: the folder that holds everything.
    """

    places: dict[str, list[str]]
    left: list[str]
    top: tuple[str, ...]


def split_folders(names: Iterable[str]) -> Folders:
    """Find the folders of the splits by the pictures' paths below the root.

    Of two such names above each other the upper one counts: below ``train`` a class may be called ``valid``.
    """
    folders = sorted({PurePosixPath(name).parent.parts for name in names})
    top = _common(folders)
    found: dict[str, dict[str, None]] = {}
    left = []
    for parts in folders:
        at, split = next(
            ((at, split) for at in range(top, len(parts)) if (split := split_of_name(parts[at])) is not None), (0, "")
        )
        if split:
            found.setdefault(split, {})["/".join(parts[: at + 1])] = None
        else:
            left.append("/".join(parts) or ".")
    places = {name: list(found[name]) for name in SPLITS if name in found}
    return Folders(places, left, folders[0][:top] if folders else ())


def _common(paths: Sequence[Sequence[str]]) -> int:
    """How many parts all of the sorted paths begin with."""
    pairs = zip(paths[0], paths[-1], strict=False) if paths else ()
    return next((at for at, (low, high) in enumerate(pairs) if low != high), min(map(len, paths), default=0))


def folder_splits(found: Folders) -> Splits:
    """The splits, one folder each; where no folder is named like one, the one that all pictures lie in."""
    if not found.places:
        tops = {split_of_name(part): at for at, part in enumerate(found.top) if is_split_name(part)}
        if len(tops) > 1:
            return Splits({}, f"to which split the pictures in '{'/'.join(found.top)}' belong")
        return Splits({str(name): "/".join(found.top[: at + 1]) for name, at in tops.items()})
    doubt = f"to which split the pictures in '{found.left[0]}' belong" if found.left else ""
    for name, folders in found.places.items():
        if len(folders) > 1:
            doubt = f"which folder is the split '{name}': '{folders[0]}' or '{folders[1]}'"
    return Splits({name: each if len(each) > 1 else each[0] for name, each in found.places.items()}, doubt)


def label_places(files: FolderFiles, labels: list[Path], pictures: str, beside: tuple[str, ...]) -> Splits:
    """The splits of a format with one label file per picture.

    Args:
        files: the folder.
        labels: its label files.
        pictures: what the format calls its folder of pictures.
        beside: what it calls the folder of labels that is found by that.
    """
    stems = {path.stem for path in files.pictures}
    embedded = [path for path in labels if path.suffix == ".json" and path.stem not in stems]  # LabelMe
    names = [files.name(path) for path in [*files.pictures, *embedded]] or [files.name(path) for path in labels]
    found = folder_splits(split_folders(names))
    if found.places or found.doubt:
        return found
    if not files.below(pictures):
        return Splits({"train": "."})
    labelled = {path.with_suffix("") for path in labels}
    beside_labels = (files.name(path) for path in files.pictures if path.with_suffix("") in labelled)
    outside = next((name for name in beside_labels if not name.startswith(f"{pictures}/")), None)
    if outside is not None:
        place = PurePosixPath(outside).parent
        return Splits({"train": pictures}, f"whether the pictures in '{place}' count beside those in '{pictures}'")
    tops = {files.name(path.parent).split("/")[0] for path in labels}
    if len(tops) == 1 and not tops & {pictures, ".", *beside}:
        return Splits({"train": {"images": pictures, "labels": tops.pop()}})
    return Splits({"train": pictures})


class Table(NamedTuple):
    """A file that lists pictures: what a YAML names it by, the splits that its rows name, and the pictures' paths."""

    place: Any
    words: frozenset[str] = frozenset()
    names: Sequence[str] = ()


def split_tables(files: FolderFiles, tables: Mapping[Path, Table]) -> Splits:
    """The splits of files that list pictures: by what they say, or by their names; a single one is ``train``."""
    splits: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for path, table in tables.items():
        shown, own = files.name(path), split_of(path, files.root)
        inside = {name for word in table.words if (name := split_of_cell(word)) is not None}
        folders = split_folders(name.replace("\\", "/") for name in table.names)
        if not inside and folders.places and {*folders.places} != {own}:
            first, second = [*(each[0] for each in folders.places.values()), *folders.left][:2]
            return Splits(splits, f"to which split the pictures of {shown} in '{first}' and in '{second}' belong")
        if not inside and own is None and len(tables) > 1:
            return Splits(splits, f"which split {shown} is")
        for name in sorted(inside) or [own or "train"]:
            if name in origin:
                return Splits(splits, f"which is the split '{name}': {origin[name]} or {shown}")
            splits[name], origin[name] = table.place, shown
    return Splits({name: splits[name] for name in SPLITS if name in splits})


def split_of(path: Path, root: Path) -> str | None:
    """The split by the file's name, its folder's (``valid/_annotations.coco.json``), or that of one further up.

    The folder `root` counts for files in it, if it is called that and no more: data of a ``test rig`` are trained on.
    """
    base = root.absolute()
    above = [up for up in path.absolute().parents if up.is_relative_to(base) and up != base]
    found = [split_of_name(name) for name in (path.stem, *(up.name for up in above))]
    if not above and is_split_name(base.name):
        found.append(split_of_name(base.name))
    return next((split for split in found if split is not None), None)


def voc_lists(files: FolderFiles, home: Path) -> Splits:
    """The lists of Pascal VOC's splits in ``ImageSets/Main`` below `home`, or else in it; ``trainval`` if need be."""
    for place in (home / "ImageSets" / "Main", home):
        lists = [path for path in files.labels[".txt"] if path.parent == place and is_split_name(path.stem)]
        exact = [path for path in lists if path.stem.lower() != "trainval"]
        if any(split_of_name(path.stem) in ("train", "val") for path in exact):
            lists = exact
        if lists:
            found = split_tables(files, {path: Table(files.name(path)) for path in lists})
            lacking = "train" not in found.places and not found.doubt
            return found._replace(doubt="which pictures are to be trained on") if lacking else found
    return Splits({})
