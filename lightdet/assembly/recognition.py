"""What a folder without a YAML is: the YAML that describes it, for every format whose signs are there.

Nothing is chosen where two formats fit. Only heads of files are read until one format is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.assembly.folder_files import FolderFiles, file_head
from lightdet.assembly.split_folders import (
    Splits,
    Table,
    folder_splits,
    label_places,
    split_folders,
    split_of,
    split_tables,
    voc_lists,
)
from lightdet.data.class_list import read_class_names
from lightdet.data.formats.box_csv import has_boxes
from lightdet.data.formats.class_csv import read_rows
from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.masks import read_values
from lightdet.data.formats.rules import Rules
from lightdet.data.paths import find_file
from lightdet.data.set_records import PARSERS, SetFile
from lightdet.errors import UserError

TITLES = {
    "yolo": "YOLO txt",
    "voc": "Pascal VOC XML",
    "coco": "COCO JSON",
    "deeppcb": "DeepPCB txt",
    "labelme": "LabelMe JSON",
    "cvat": "CVAT for images",
    "label-studio": "Label Studio JSON",
    "csv-boxes": "CSV with boxes",
    "masks": "segmentation masks",
    "folders": "folders of classes",
    "csv": "CSV with classes",
}
_LAYOUT = {"images", "labels", "masks", "annotations", "jpegimages", "segmentationclass", "segmentationobject"}
_LAYOUT |= {"segmentationclasspng", "segmentationobjectpng", "segmentationclassvisualization", "imagesets"}
_LAYOUT |= {"segmentationobjectvisualization", "segmentationclassnpy", "segmentationobjectnpy"}
"""Folders of tools, in lower case: no classes are called that."""
_COCO = (b'"images"', b'"categories"', b'"annotations"')
_PLAIN = {"label-studio": (b'"data"', b'"annotations"'), "coco": (b'"images"', b'"categories"')}
"""What shows that a broken JSON is of a format after all."""
_MASKS = ("masks", "SegmentationClassPNG", "SegmentationClass")
_CLASS_LISTS = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels")


@dataclass(frozen=True)
class Recognised:
    """A format that a folder may be in.

    Attributes:
        format: its name in a YAML.
        values: further values of the YAML.
        lacks: what only a person can add.
        fault: why its one file cannot be read.
    """

    format: str
    values: dict[str, Any]
    lacks: str = ""
    fault: UserError | None = None


def recognise(folder: Path) -> list[Recognised]:
    """Every format that `folder` may be in.

    Raises:
        UserError: the folder cannot be read.
    """
    files = FolderFiles(folder)
    found = [each for finder in _FINDERS for each in finder(files)]
    return [each for each in found if each.fault is None] or found or list(_classes(files))


def _labelme(files: FolderFiles) -> Iterator[Recognised]:
    labels = [path for path in files.with_head(".json", b'"shapes"') if file_head(path).startswith(b"{")]
    if not labels:
        labels = [path for path in files.with_head(".json", b'"imagePath"') if file_head(path).startswith(b"{")]
    if labels:
        places, doubt = label_places(files, labels, "images", ("labels",))
        yield Recognised("labelme", {"splits": places}, doubt)


def _voc(files: FolderFiles) -> Iterator[Recognised]:
    labels = [path for path in files.with_head(".xml", b"<annotation") if b"<annotations" not in file_head(path)]
    if not labels:
        return
    homes = list(dict.fromkeys(home for path in files.pictures if (home := _voc_home(path, files.root)) is not None))
    if not homes:
        places, doubt = label_places(files, labels, "images", ("annotations", "Annotations"))
        yield Recognised("voc", {"splits": places}, doubt)
        return
    home = homes[0]
    if len(homes) > 1:
        doubt = f"which data set counts: {files.name(home)} or {files.name(homes[1])}"
        yield Recognised("voc", {"splits": {"train": files.name(home / "JPEGImages")}}, doubt)
        return
    splits = voc_lists(files, home)
    images, marks = (files.name(home / name) for name in ("JPEGImages", "Annotations"))
    values: dict[str, Any] = {"images": images, "labels": marks} if (home / "Annotations").is_dir() else {}
    if not splits.places and not splits.doubt:
        splits = folder_splits(split_folders(files.name(path) for path in files.pictures if path.is_relative_to(home)))
        values, splits = _voc_folders(splits, images, marks, values)
    yield Recognised("voc", values | {"splits": splits.places}, splits.doubt)


def _voc_home(picture: Path, root: Path) -> Path | None:
    """The folder with the ``JPEGImages`` that `picture` is in."""
    above = (folder for folder in picture.parents if folder.is_relative_to(root) and folder != root)
    return next((folder.parent for folder in above if folder.name == "JPEGImages"), None)


def _voc_folders(splits: Splits, images: str, marks: str, values: dict[str, Any]) -> tuple[dict[str, Any], Splits]:
    """Splits that are folders in ``JPEGImages``, each with its folder of labels."""
    if not splits.places:
        return values, splits._replace(places={"train": images})
    if not values or splits.doubt:
        return values, splits
    paired = {n: {"images": p, "labels": p.replace(images, marks, 1)} for n, p in splits.places.items()}
    return {}, Splits(paired)


def _yolo(files: FolderFiles) -> Iterator[Recognised]:
    labels = [path for path in files.labels[".txt"] if _is_yolo(path)]
    if not labels:
        return
    places, doubt = label_places(files, labels, "images", ("labels",))
    values: dict[str, Any] = {"splits": places}
    lists = class_lists(files.root)
    names = {path: read_class_names(path, "yolo") for path in lists}
    if not names:
        names_lack = "the names of the classes, in the order of their ids"
        yield Recognised("yolo", values, _nor(names_lack, doubt))
    elif len(set(names.values())) > 1:
        first, second = list(names)[:2]
        yield Recognised("yolo", values, _nor(f"the classes: {first} and {second} differ", doubt))
    else:
        yield Recognised("yolo", {"classes": list(names[lists[0]])} | values, doubt)


def _nor(*lacks: str) -> str:
    return " nor ".join(lack for lack in lacks if lack)


def class_lists(root: Path) -> list[Path]:
    """The files below `root` that list the classes of YOLO's labels, by their names."""
    return [path for name in _CLASS_LISTS for path in sorted(root.rglob(name)) if path.is_file()]


def _is_yolo(path: Path) -> bool:
    """Whether the first row is a class id and an even number of shares."""
    rows = file_head(path).splitlines()
    fields = rows[0].split() if rows else []
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        return False
    return len(fields) >= 5 and numbers[0].is_integer() and all(-0.1 <= number <= 1.1 for number in numbers[1:5])


def _deeppcb(files: FolderFiles) -> Iterator[Recognised]:
    lists = [path for path in files.labels[".txt"] if b"_not/" in file_head(path) or b"labels/" in file_head(path)]
    rows = {path: file_head(path).splitlines()[0].split() for path in lists}
    found = {path: row for path, row in rows.items() if len(row) == 2 and row[1].endswith(b".txt")}
    if any(split_of(path, files.root) for path in found):
        splits, doubt = split_tables(files, {path: Table(files.name(path)) for path in found})
        names = files.root / "classes.txt"
        values: dict[str, Any] = {"classes": list(read_class_names(names, "deeppcb"))} if names.is_file() else {}
        lacks = "" if values else "the names of the types, from type 1"
        yield Recognised("deeppcb", values | {"splits": splits}, _nor(lacks, doubt))


def _sets(form: str, suffix: str, *signs: bytes) -> Callable[[FolderFiles], Iterator[Recognised]]:
    """The finder of a format that has all labels in one file per split."""

    def finder(files: FolderFiles) -> Iterator[Recognised]:
        candidates = files.with_head(suffix, *signs)
        if form == "label-studio":
            candidates = [path for path in candidates if file_head(path).startswith(b"[")]
        if form == "coco":
            candidates = [path for path in candidates if any(sign in file_head(path) for sign in _COCO)]
        if form == "csv-boxes":
            candidates = [path for path in candidates if has_boxes(path)]
        parsed: dict[Path, SetFile] = {}
        faults: list[UserError] = []
        for path in candidates:
            try:
                file = parse_coco(path) if form == "coco" else PARSERS[form](path, Rules())
            except UserError as error:
                faults += [error] * (form not in _PLAIN or all(sign in file_head(path) for sign in _PLAIN[form]))
                continue
            if file.images:
                parsed[path] = file
        if parsed:
            splits, doubt = split_tables(files, {path: _table(files, path, file) for path, file in parsed.items()})
            yield Recognised(form, {"splits": splits}, doubt)
        elif faults:
            yield Recognised(form, {}, fault=faults[0])

    return finder


def _table(files: FolderFiles, path: Path, file: SetFile) -> Table:
    place = {"images": _pictures_of(files, path, file), "labels": files.name(path)}
    words = frozenset(image.subset for image in file.images if image.subset is not None)
    return Table(place, words, [image.file_name for image in file.images])


def _pictures_of(files: FolderFiles, path: Path, file: SetFile) -> str:
    """The folder that the file's first picture is found from; the root if it is found from none."""
    stem = path.stem.removeprefix("instances_")
    beside = files.name(path.parent)
    folders = dict.fromkeys([beside, "images", f"images/{stem}", stem, f"{stem}/images", f"{beside}/images", "."])
    for image in file.images[:1]:
        for folder in folders:
            try:
                names = (image.file_name, *image.others)
                if any(find_file(name, [files.root / folder]) is not None for name in names):
                    return folder
            except UserError:
                continue
    return "."


def _masks(files: FolderFiles) -> Iterator[Recognised]:
    folder = next((name for name in _MASKS if files.below(name)), None)
    images = next((name for name in ("images", "JPEGImages", "imgs") if files.below(name)), None)
    if folder is None or images is None:
        return
    below = (name for path in files.pictures if (name := files.name(path)).startswith(f"{images}/"))
    found, doubt = folder_splits(split_folders(below))
    places = {n: p if isinstance(p, list) else [p] for n, p in (found or {"train": images}).items()}
    splits = {n: {"images": _short(p), "labels": p[0].replace(images, folder, 1)} for n, p in places.items()}
    values: dict[str, Any] = {"splits": splits}
    lists = [files.root / name for name in ("labelmap.txt", "class_names.txt") if (files.root / name).is_file()]
    if len(lists) != 1:
        lacks = "the values of the classes, as 'values: {scratch: 1}'" if not lists else "which list of values counts"
        yield Recognised("masks", values, _nor(lacks, doubt))
        return
    read_values(lists[0])
    yield Recognised("masks", {"values": lists[0].name} | values, doubt)


def _short(folders: list[str]) -> list[str] | str:
    return folders if len(folders) > 1 else folders[0]


def _class_csv(files: FolderFiles) -> Iterator[Recognised]:
    tables = {}
    for path in files.labels[".csv"]:
        if has_boxes(path):
            continue
        try:
            rows = list(read_rows(path))
        except UserError:
            continue
        words = frozenset(row.split for row in rows if row.split is not None)
        tables[path] = Table({"images": ".", "labels": files.name(path)}, words, [row.path for row in rows])
    if tables:
        splits, doubt = split_tables(files, tables)
        yield Recognised("csv", {"splits": splits}, doubt)


def _classes(files: FolderFiles) -> Iterator[Recognised]:
    """Folders named after classes, with or without the folders of splits above them."""
    tops = _Tops(files)
    found = split_folders(files.name(path) for path in files.pictures)
    splits, doubt = folder_splits(found)
    holders = [place for places in splits.values() for place in (places if isinstance(places, list) else [places])]
    if holders and all(tops.are_classes(place) for place in holders):
        yield Recognised("folders", {"splits": splits}, doubt)
    elif not holders and not doubt and tops.are_classes("."):
        yield Recognised("folders", {"splits": {"train": "."}})
    elif found.left and tops.are_classes(".") and tops.of(".") & {*holders}:
        lacks = f"whether '{min(tops.of('.') & {*holders})}' is a class or a split"
        yield Recognised("folders", {"splits": {"train": "."}}, lacks)


class _Tops:
    """The folders right below a place that directly hold pictures."""

    def __init__(self, files: FolderFiles) -> None:
        self.files = files

    def of(self, place: str) -> set[str]:
        """Their names."""
        base = self.files.root / place
        return {p.parent.name for p in self.files.pictures if p.parent.parent == base}

    def are_classes(self, place: str) -> bool:
        """Whether they can be: there are several, and none is called as tools call their folders."""
        names = self.of(place)
        return len(names) > 1 and not {name.lower() for name in names} & _LAYOUT


_FINDERS: tuple[Callable[[FolderFiles], Iterator[Recognised]], ...] = (
    _labelme,
    _sets("cvat", ".xml", b"<annotations"),
    _sets("label-studio", ".json", b"{"),
    _sets("coco", ".json", b"{"),
    _sets("csv-boxes", ".csv"),
    _masks,
    _voc,
    _deeppcb,
    _yolo,
    _class_csv,
)
