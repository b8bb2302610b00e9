"""What a folder without a YAML is: the YAML that describes it, for every format whose signs are there.

Nothing is chosen where two formats fit. Only heads of files are read until one format is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.assembly.folder_files import SPLITS, FolderFiles, file_head, label_places, split_of, splits_of
from lightdet.data.class_list import read_class_names
from lightdet.data.formats.box_csv import has_boxes
from lightdet.data.formats.class_csv import read_rows
from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.masks import read_values
from lightdet.data.formats.rules import Rules
from lightdet.data.paths import find_file
from lightdet.data.set_records import PARSERS, SPLIT_WORDS, SetFile
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
        yield Recognised("labelme", {"splits": label_places(files, labels, ("images",), ("labels",))})


def _voc(files: FolderFiles) -> Iterator[Recognised]:
    labels = [path for path in files.with_head(".xml", b"<annotation") if b"<annotations" not in file_head(path)]
    if not labels:
        return
    values: dict[str, Any] = {}
    if files.below("JPEGImages"):
        lists = {name: [f"ImageSets/Main/{name}.txt", f"{name}.txt"] for name in SPLITS}
        found = {n: [p for p in places if (files.root / p).is_file()] for n, places in lists.items()}
        values = {"images": "JPEGImages", "labels": "Annotations"} if (files.root / "Annotations").is_dir() else {}
        splits: dict[str, Any] = {name: places[0] for name, places in found.items() if places}
        inner = splits_of(files, "JPEGImages/{}", there=files.below)
        if inner and not splits and values:
            values = {}
            splits = {n: {"images": p, "labels": p.replace("JPEGImages", "Annotations", 1)} for n, p in inner.items()}
        if "train" not in splits:
            splits = {"train": "JPEGImages"}
        yield Recognised("voc", values | {"splits": splits})
        return
    yield Recognised("voc", {"splits": label_places(files, labels, ("images",), ("annotations", "Annotations"))})


def _yolo(files: FolderFiles) -> Iterator[Recognised]:
    labels = [path for path in files.labels[".txt"] if _is_yolo(path)]
    if not labels:
        return
    values: dict[str, Any] = {"splits": label_places(files, labels, ("images",), ("labels",))}
    lists = class_lists(files.root)
    names = {path: read_class_names(path, "yolo") for path in lists}
    if not names:
        yield Recognised("yolo", values, "the names of the classes, in the order of their ids")
    elif len(set(names.values())) > 1:
        first, second = list(names)[:2]
        yield Recognised("yolo", values, f"the classes: {first} and {second} differ")
    else:
        yield Recognised("yolo", {"classes": list(names[lists[0]])} | values)


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
    splits = {name: files.name(path) for path in found if (name := split_of(path)) is not None}
    if splits:
        names = files.root / "classes.txt"
        values: dict[str, Any] = {"classes": list(read_class_names(names, "deeppcb"))} if names.is_file() else {}
        yield Recognised(
            "deeppcb", values | {"splits": splits}, "" if values else "the names of the types, from type 1"
        )


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
            splits, lacks = _set_splits(files, parsed)
            yield Recognised(form, {"splits": splits}, lacks)
        elif faults:
            yield Recognised(form, {}, fault=faults[0])

    return finder


def _set_splits(files: FolderFiles, parsed: Mapping[Path, SetFile]) -> tuple[dict[str, Any], str]:
    splits: dict[str, Any] = {}
    origin: dict[str, Path] = {}
    for path, file in parsed.items():
        place = {"images": _pictures_of(files, path, file), "labels": files.name(path)}
        words = {image.subset.lower() for image in file.images if image.subset is not None}
        inside = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
        names = [name for name in SPLITS if name in inside] or [split_of(path) or "train"]
        for name in names:
            if name in origin:
                return splits, f"which is the split '{name}': {files.name(origin[name])} or {files.name(path)}?"
            splits[name], origin[name] = place, path
    return {name: splits[name] for name in SPLITS if name in splits}, ""


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
    inner = splits_of(
        files, f"{images}/{{}}", there=lambda p: files.below(p) and files.below(p.replace(images, folder))
    )
    places = {"train": images} if "train" not in inner else inner
    splits = {name: {"images": place, "labels": place.replace(images, folder, 1)} for name, place in places.items()}
    values: dict[str, Any] = {"splits": splits}
    lists = [files.root / name for name in ("labelmap.txt", "class_names.txt") if (files.root / name).is_file()]
    if len(lists) != 1:
        lacks = "the values of the classes, as 'values: {scratch: 1}'" if not lists else "which list of values counts"
        yield Recognised("masks", values, lacks)
        return
    read_values(lists[0])
    yield Recognised("masks", {"values": lists[0].name} | values)


def _class_csv(files: FolderFiles) -> Iterator[Recognised]:
    for path in files.labels[".csv"]:
        if has_boxes(path):
            continue
        try:
            splits = {row.split for row in read_rows(path)}
        except UserError:
            continue
        place = {"images": ".", "labels": files.name(path)}
        named = [name for name in SPLITS if name in splits]
        yield Recognised("csv", {"splits": dict.fromkeys(named or ["train"], place)})


def _classes(files: FolderFiles) -> Iterator[Recognised]:
    """Folders named after classes, with or without the folders of splits above them."""
    tops = _Tops(files)
    splits = splits_of(files, "{}", there=files.below)
    if splits and all(len(tops.of(place)) > 1 for place in splits.values()):
        yield Recognised("folders", {"splits": splits})
    elif not splits and len(tops.of(".")) > 1 and not {name.lower() for name in tops.of(".")} & _LAYOUT:
        yield Recognised("folders", {"splits": {"train": "."}})


class _Tops:
    """The folders right below a place that directly hold pictures."""

    def __init__(self, files: FolderFiles) -> None:
        self.files = files

    def of(self, place: str) -> set[str]:
        """Their names."""
        base = self.files.root / place
        return {p.parent.name for p in self.files.pictures if p.parent.parent == base}


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
