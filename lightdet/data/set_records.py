"""The records of a split whose pictures and labels are in one file: COCO, CVAT, Label Studio, CSV with boxes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from lightdet.data.faults import DataError
from lightdet.data.formats.box_csv import parse_box_csv
from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.cvat import parse_cvat
from lightdet.data.formats.label_file import LabelFile
from lightdet.data.formats.label_studio import parse_label_studio
from lightdet.data.formats.listed import SetImage
from lightdet.data.formats.rules import Rules
from lightdet.data.headers import checked_facts
from lightdet.data.paths import find_file, lookalike
from lightdet.data.picture_header import EXCHANGED_SIDES
from lightdet.data.records import BoxRecord
from lightdet.data.scanning import list_entries
from lightdet.data.spec import DatasetSpec, SplitSpec
from lightdet.data.split_words import is_split, no_split
from lightdet.errors import UserError


class SetFile(Protocol):
    """A parsed file with the boxes of many pictures."""

    path: Path
    images: Any
    problems: list[DataError]

    def class_names(self) -> list[str]:
        """The classes that it declares or uses."""

    @property
    def labels_of(self) -> Callable[..., LabelFile]:
        """The boxes of one of its pictures."""


PARSERS: Mapping[str, Callable[[Path, Rules], SetFile]] = {
    "coco": lambda path, _: parse_coco(path),
    "cvat": parse_cvat,
    "label-studio": parse_label_studio,
    "csv-boxes": parse_box_csv,
}


def set_records(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[list[BoxRecord], list[DataError]]:
    """Read the file and find its pictures; see `lightdet.data.dataset.split_records`."""
    if place.labels is None:
        raise UserError(f"a split of format {spec.format} needs 'labels: FILE'", path=spec.path)
    file = PARSERS[spec.format](place.labels, spec.rules)
    folders = (*place.images, place.labels.parent, spec.root)
    images, faults = (
        _listed(file, place.listings, folders)
        if place.listings
        else _of_split(file, place.origin or split, spec, place)
    )
    first: dict[str, tuple[BoxRecord, int]] = {}
    records = []
    for image in images:
        record = _record(spec, file, image, folders)
        here = os.path.abspath(record.image)  # noqa: PTH100 - no links followed
        if here in first:
            other, line = first[here]
            message = f"'{image.file_name}' is also the picture of line {line}; remove one of the two"
            fault = DataError(message, "repeated", path=file.path, line=image.line)
            record.problems.append(fault)
            other.problems.append(fault)  # neither is known to be the right one
        else:
            first[here] = record, image.line
        records.append(record)
    return records, [*file.problems, *faults]


def _of_split(file: SetFile, split: str, spec: DatasetSpec, place: SplitSpec) -> tuple[list[SetImage], list[DataError]]:
    """The pictures that the file puts into `split`, all of them if it names no splits; and those that are in none."""
    images: list[SetImage] = list(file.images)
    if all(image.subset is None for image in images):
        return images, []
    told = ((image, no_split(image.subset, place.known(spec))) for image in images)
    faults = [
        DataError(f"'{image.file_name}' {why}", "format", path=file.path, line=image.line) for image, why in told if why
    ]
    return [image for image in images if is_split(image.subset, split)], faults


def _record(spec: DatasetSpec, file: SetFile, image: SetImage, folders: Sequence[Path]) -> BoxRecord:
    record = BoxRecord(folders[0] / image.file_name.replace("\\", "/"))
    try:
        path = _picture(image, folders)
    except UserError as error:
        record.problems.append(DataError(error.message, "missing-picture", path=file.path, line=image.line))
        return record
    if path is None:
        message = f"there is no picture '{image.file_name:.200}' in {folders[0]}{lookalike(image.file_name, folders)}"
        record.problems.append(DataError(message, "missing-picture", path=file.path, line=image.line))
        return record
    record.image = path
    try:
        facts = checked_facts(path)
    except DataError as error:
        record.problems.append(error)
        return record
    turned = facts.orientation >= EXCHANGED_SIDES
    record.labels = file.labels_of(image, facts.size, spec.classes, spec.outside, turned=turned)
    record.problems += record.labels.problems
    return record


def _picture(image: SetImage, folders: Sequence[Path]) -> Path | None:
    return next((there for name in (image.file_name, *image.others) if (there := find_file(name, folders))), None)


def _listed(file: SetFile, listings: Sequence[Path], folders: Sequence[Path]) -> tuple[list[SetImage], list[DataError]]:
    """The images that the lists name."""
    finder = _Finder(file, folders)
    images: dict[int, SetImage] = {}
    faults = []
    for listing in listings:
        for line, entry in list_entries(listing):
            try:
                found = finder.find(entry, listing)
            except UserError as error:
                faults.append(DataError(error.message, "missing-picture", path=listing, line=line))
                continue
            if len(found) != 1:
                several = f"could be '{found[0].file_name}' or '{found[1].file_name}' of" if found else "is not among"
                message = f"'{entry}' {several} the images of {file.path}"
                faults.append(DataError(message, "missing-picture", path=listing, line=line))
            elif id(found[0]) in images:
                message = f"'{entry}' is listed already; remove one of the two"
                faults.append(DataError(message, "repeated", path=listing, line=line))
            else:
                images[id(found[0])] = found[0]
    return list(images.values()), faults


class _Finder:
    """Finds images by their ``file_name`` or its end; only then by the picture that an entry leads to."""

    def __init__(self, file: SetFile, folders: Sequence[Path]) -> None:
        self.images: Sequence[SetImage] = file.images
        self.folders = folders
        self.exact = {str(_path(image.file_name)): image for image in self.images}
        self.ends: dict[str, list[SetImage]] = defaultdict(list)
        self.places: dict[str, SetImage] | None = None
        for image in self.images:
            for name in (image.file_name, *image.others):
                parts = _path(name).parts
                for start in range(len(parts)):
                    if image not in self.ends["/".join(parts[start:])]:
                        self.ends["/".join(parts[start:])].append(image)

    def find(self, entry: str, listing: Path) -> list[SetImage]:
        """The images that an entry may mean; a UserError if it may be either of two pictures."""
        name = _path(entry)
        if str(name) in self.exact:
            return [self.exact[str(name)]]
        if str(name) in self.ends:
            return self.ends[str(name)]
        if name.name not in self.ends:
            return []
        picture = find_file(entry, (*self.folders, listing.parent))
        if picture is not None:
            image = self._by_picture().get(os.path.realpath(picture))
            return [] if image is None else [image]
        # A path from another computer: the name alone would also fit a picture of another folder.
        ends = ("/".join(name.parts[start:]) for start in range(1, len(name.parts)))
        return next(([self.exact[end]] for end in ends if end in self.exact), [])

    def _by_picture(self) -> Mapping[str, SetImage]:
        """The images by their pictures, which are looked up once."""
        if self.places is None:
            self.places = {}
            for image in self.images:
                with suppress(UserError):  # reported with the image
                    picture = _picture(image, self.folders)
                    if picture is not None:
                        self.places.setdefault(os.path.realpath(picture), image)
        return self.places


def _path(text: str) -> PurePosixPath:
    return PurePosixPath(text.replace("\\", "/"))
