"""What is labelled: a folder of pictures, in the format that its labels are in, or in a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightdet.config.dataset import check_class_names
from lightdet.data.formats.coco import parse_coco
from lightdet.data.headers import checked_facts
from lightdet.data.paired_records import pixel_base
from lightdet.data.pairing import Pair, find_pairs, unclear_pairs
from lightdet.data.paths import below_root, counting_order, find_file
from lightdet.data.scanning import scan_pictures
from lightdet.data.spec import DatasetSpec, SplitSpec, check_there
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.labelling.coco_file import CocoLabels
from lightdet.labelling.elements.labelme import LabelmeShapes
from lightdet.labelling.elements.voc import VocObjects
from lightdet.labelling.elements.yolo import YoloRows
from lightdet.labelling.label_files import FileLabels
from lightdet.labelling.pictures import Labels, Picture


@dataclass
class Folder:
    """The pictures to label.

    Attributes:
        root: the folder.
        title: what its format is called.
        pictures: in the order in which they are shown.
        left_out: its other pictures, which are not shown.
        classes: the class names; grows with `add_class`.
        listed_in: the file that lists the classes; None: the labels name them.
        can_add: whether a class may be added.
        notes: what a person should know, one line each.
        begin: the format to remember with the first change; None: what the labels are in.
        numbered: whether labels name a class by its place in the file that lists them.
    """

    root: Path
    title: str
    pictures: list[Picture]
    classes: list[str]
    listed_in: Path | None = None
    can_add: bool = True
    notes: list[str] = field(default_factory=list)
    begin: str | None = None
    numbered: bool = False
    left_out: list[Picture] = field(default_factory=list)
    _list: bytes | None = None

    def note_list(self) -> None:
        """Take the file that lists the classes as known."""
        self._list = self._read_list()

    def check_list(self) -> None:
        """Refuse to go on where labels would be read by another order of the classes than they are written in.

        Raises:
            UserError: the file that lists the classes is no longer as it was noted.
        """
        if self.numbered and self._read_list() != self._list:
            message = "another program has changed the classes; end 'lightdet label' and start it again"
            raise UserError(message, path=self.listed_in)

    def _read_list(self) -> bytes | None:
        try:
            return None if self.listed_in is None else self.listed_in.read_bytes()
        except OSError:  # not there yet, or no longer
            return None

    def check_new_class(self, name: str) -> None:
        """Refuse a name that cannot be a further class.

        Raises:
            UserError: it is there already, is none, or the classes are listed in a file that is not written here.
        """
        self.check_list()
        if not self.can_add:
            raise UserError(f"the classes are listed in {self.listed_in}; add '{name}' there and start again")
        try:
            check_class_names([*self.classes, name])
        except ValueError as error:
            raise UserError(f"'{name}' cannot be added: the list {error}") from None

    def add_class(self, name: str) -> None:
        """Add a class, also to the file that lists them.

        Raises:
            UserError: the file cannot be written.
        """
        self.classes.append(name)
        try:
            self.write_classes()
        except UserError:
            self.classes.remove(name)
            raise

    def write_classes(self) -> None:
        """Write the file that lists the classes, if there is one."""
        if self.listed_in is not None:
            write_text(self.listed_in, "".join(f"{each}\n" for each in self.classes))
            self.note_list()


def pictures_of(spec: DatasetSpec, classes: list[str], notes: list[str]) -> list[Picture]:
    """Return the pictures of all splits, each once, by name; what is wrong with lists goes to `notes`.

    Raises:
        UserError: a folder, a list or a file of labels is missing or broken.
    """
    for name, place in spec.splits.items():
        check_there(spec, name, place)
    found = _listed(spec, classes, notes) if spec.format == "coco" else _paired(spec, classes, notes)
    by_name = {picture.name: picture for picture in found}
    return [by_name[name] for name in sorted(by_name, key=lambda name: counting_order(Path(name)))]


def in_order(pictures: Sequence[Picture], names: Sequence[tuple[int, str]], listing: Path) -> list[Picture]:
    """Return the pictures that a list names, in its order; `names` are its lines with their numbers.

    A line is a path, from the working folder or from the list's own, or the end of a picture's path in the folder.

    Raises:
        UserError: a line names no picture of the folder, or could be several.
    """
    by_path = {picture.path.resolve(): picture for picture in pictures}
    by_name: dict[str, list[Picture]] = {}
    for picture in pictures:
        parts = picture.name.split("/")
        for start in range(len(parts)):
            by_name.setdefault("/".join(parts[start:]), []).append(picture)
    chosen: dict[str, Picture] = {}
    for line, text in names:
        plain = text.replace("\\", "/").removeprefix("./")
        here = [place for base in (Path(), listing.parent) if (place := (base / text).resolve()) in by_path]
        several = [by_path[here[0]]] if here else by_name.get(plain, [])
        whole = [picture for picture in several if picture.name == plain] or several
        if len(whole) != 1:
            what = f"could be {whole[0].name} or {whole[1].name}" if whole else "is no picture of the folder"
            raise UserError(f"'{text}' {what}; correct the line", path=listing, line=line)
        chosen.setdefault(whole[0].name, whole[0])
    return list(chosen.values())


def _parts(place: SplitSpec) -> tuple[SplitSpec, ...]:
    return place.parts or (place,)


def _paired(spec: DatasetSpec, classes: list[str], notes: list[str]) -> list[Picture]:
    """The pictures that have a label file each."""
    everything: dict[str, list[Pair]] = {}
    for name, place in spec.splits.items():
        everything[name] = []
        for part in _parts(place):
            pairs, faults = find_pairs(spec.format, spec.root, part.images, part.labels, part.listings)
            everything[name] += pairs
            notes += [str(fault) for fault in faults[:3]]
    places: dict[str, Path] = {}
    labels = FileLabels(spec, classes, _elements(spec, classes), places)
    found = []
    for name, pairs in everything.items():
        unclear = unclear_pairs(name, everything)
        for pair in pairs:
            shown = below_root(pair.image, spec.root)
            places[shown] = pair.label or pair.expected
            fault = unclear.get(pair.image)
            found.append(_picture(shown, pair.image, labels, "" if fault is None else str(fault)))
    return found


def _elements(spec: DatasetSpec, classes: list[str]) -> Any:
    if spec.format == "voc":
        return VocObjects(pixel_base(spec).first)
    return YoloRows(classes) if spec.format == "yolo" else LabelmeShapes()


def _listed(spec: DatasetSpec, classes: list[str], notes: list[str]) -> list[Picture]:
    """The pictures that COCO files list, and those of their folders that none lists."""
    found: dict[Path, Picture] = {}
    lost = 0
    stores: list[tuple[SplitSpec, CocoLabels, dict[str, str]]] = []
    for place in spec.splits.values():
        if place.labels is None:
            raise UserError("a split of format coco needs 'labels: FILE'", path=spec.path)
        names: dict[str, str] = {}
        labels = CocoLabels(place.labels, classes, spec.outside, names)
        stores.append((place, labels, names))
        folders = (*place.images, place.labels.parent, spec.root)
        for image in parse_coco(place.labels).images:
            path = find_file(image.file_name, folders)
            lost += path is None
            if path is not None:
                shown = below_root(path, spec.root)
                names[shown] = image.file_name
                found.setdefault(path.absolute(), _picture(shown, path, labels))
    for place, labels, names in stores:
        for folder in place.images:
            for path in scan_pictures("coco", folder):
                if path.absolute() not in found:
                    shown = below_root(path, spec.root)
                    names[shown] = path.relative_to(folder).as_posix()
                    found[path.absolute()] = _picture(shown, path, labels)
    if lost:
        notes.append(f"pictures that the labels list and the folder lacks: {lost}")
    return list(found.values())


def _picture(name: str, path: Path, labels: Labels, fault: str = "") -> Picture:
    try:
        return Picture(name, path, checked_facts(path).size, labels, fault)
    except UserError as error:
        return Picture(name, path, (0, 0), labels, str(error))
