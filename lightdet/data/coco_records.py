"""The records of a split whose pictures and labels are in one COCO JSON file."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lightdet.data.faults import DataError
from lightdet.data.formats.coco import CocoFile, CocoImage, parse_coco
from lightdet.data.headers import checked_facts
from lightdet.data.paths import find_file, lookalike
from lightdet.data.picture_header import EXCHANGED_SIDES
from lightdet.data.records import BoxRecord
from lightdet.data.scanning import list_entries
from lightdet.data.spec import DatasetSpec, SplitSpec
from lightdet.errors import UserError


def coco_records(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[list[BoxRecord], list[DataError]]:
    """Read the JSON file and find its pictures; see `lightdet.data.dataset.split_records`."""
    if place.labels is None:
        raise UserError("a COCO split needs 'labels: FILE.json'", path=spec.path)
    file = parse_coco(place.labels)
    images, faults = _listed(file, place.listings) if place.listings else (file.images, [])
    folders = (*place.images, place.labels.parent, spec.root)
    lines: dict[str, int] = {}
    records = []
    for image in images:
        record = _record(spec, file, image, folders)
        here = os.path.abspath(record.image)  # noqa: PTH100 - no links followed
        if here in lines:
            message = f"'{image.file_name}' is also the picture of line {lines[here]}; remove one of the two"
            record.problems.append(DataError(message, "repeated", path=file.path, line=image.line))
        lines.setdefault(here, image.line)
        records.append(record)
    return records, [*file.problems, *faults]


def _record(spec: DatasetSpec, file: CocoFile, image: CocoImage, folders: Sequence[Path]) -> BoxRecord:
    record = BoxRecord(folders[0] / image.file_name.replace("\\", "/"))
    try:
        path = find_file(image.file_name, folders)
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


def _listed(file: CocoFile, listings: Sequence[Path]) -> tuple[list[CocoImage], list[DataError]]:
    """The images that the lists name, by their ``file_name`` or by its end if that is unique."""
    ends: dict[str, list[CocoImage]] = defaultdict(list)
    for image in file.images:
        parts = _path(image.file_name).parts
        for start in range(len(parts)):
            ends["/".join(parts[start:])].append(image)
    exact = {str(_path(image.file_name)): image for image in file.images}
    images: dict[int, CocoImage] = {}
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
