"""The records of a split whose pictures and labels are in one file: COCO, CVAT, Label Studio, CSV with boxes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
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
    images, faults = (
        _listed(file, place.listings) if place.listings else _of_split(file, place.origin or split, spec, place)
    )
    folders = (*place.images, place.labels.parent, spec.root)
    known: dict[str, BoxRecord] = {}
    lines: dict[str, int] = {}
    records = []
    for image in images:
        record = _record(spec, file, image, folders)
        here = os.path.abspath(record.image)  # noqa: PTH100 - no links followed
        if here in known:
            message = f"'{image.file_name}' is also the picture of line {lines[here]}; remove one of the two"
            fault = DataError(message, "repeated", path=file.path, line=image.line)
            record.problems.append(fault)
            known[here].problems.append(fault)  # neither is known to be the right one
        known.setdefault(here, record)
        lines.setdefault(here, image.line)
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
        path = next((there for name in (image.file_name, *image.others) if (there := find_file(name, folders))), None)
    except UserError as error:
        record.problems.append(DataError(error.message, "missing-picture", path=file.path, line=image.line))
        return record
    if path is None:
        message = f"there is no picture '{image.file_name}' in {folders[0]}{lookalike(image.file_name, folders)}"
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


def _listed(file: SetFile, listings: Sequence[Path]) -> tuple[list[SetImage], list[DataError]]:
    """The images that the lists name, by their ``file_name`` or by its end if that is unique."""
    ends: dict[str, list[SetImage]] = defaultdict(list)
    for image in file.images:
        for name in (image.file_name, *image.others):
            parts = _path(name).parts
            for start in range(len(parts)):
                if image not in ends["/".join(parts[start:])]:
                    ends["/".join(parts[start:])].append(image)
    exact = {str(_path(image.file_name)): image for image in file.images}
    images: dict[int, SetImage] = {}
    faults = []
    for listing in listings:
        for line, entry in list_entries(listing):
            name = _path(entry)
            found = [exact[str(name)]] if str(name) in exact else ends.get(str(name)) or ends.get(name.name, [])
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


def _path(text: str) -> PurePosixPath:
    return PurePosixPath(text.replace("\\", "/"))
