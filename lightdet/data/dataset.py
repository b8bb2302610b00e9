"""From a split of a data set to pictures with their boxes, or with their class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from lightdet.data.class_records import class_records
from lightdet.data.faults import DataError
from lightdet.data.paired_records import paired_records
from lightdet.data.paths import below_root
from lightdet.data.records import Record
from lightdet.data.set_records import set_records
from lightdet.data.spec import ClassFormat, DatasetSpec, Format, OnError, SplitSpec, check_there
from lightdet.errors import UserError

__all__ = [
    "ClassFormat",
    "DatasetSpec",
    "Format",
    "OnError",
    "SplitSpec",
    "check_there",
    "read_split",
    "split_records",
]

Reader: TypeAlias = Callable[[DatasetSpec, str, SplitSpec], tuple[Sequence[Record], list[DataError]]]
READERS: Mapping[Format | ClassFormat, Reader] = {
    "yolo": paired_records,
    "voc": paired_records,
    "deeppcb": paired_records,
    "labelme": paired_records,
    "coco": set_records,
    "cvat": set_records,
    "label-studio": set_records,
    "csv-boxes": set_records,
    "masks": paired_records,
    "folders": class_records,
    "csv": class_records,
}


def read_split(spec: DatasetSpec, split: str, *, on_error: OnError = "fail") -> tuple[list[Any], list[UserError]]:
    """Read the labels of `split`, in the order of its list (or of the sorted paths).

    Pixels are not decoded: sizes come from the headers.

    Returns:
        For each picture an `Annotation`, or an `ImageLabel` if the data set gives each picture one class; and with
        ``on_error="skip"`` one error for each picture, label file, line or folder left out.

    Raises:
        UserError: the first fault (with its file and line) if `on_error` is ``fail``; in any case an unknown or
            empty split, a folder or list that is missing, or a split without a single good picture.
    """
    records, faults = split_records(spec, split)
    if on_error == "fail" and faults:
        raise faults[0]
    skipped: list[UserError] = list(faults)
    truths = []
    for record in records:
        if record.problems:
            if on_error == "fail":
                raise record.problems[0]
            if record.problems[0] not in skipped:  # one of the file, or of two entries for one picture
                skipped.append(record.problems[0])
            continue
        truth = record.truth()
        if truth is not None:
            truths.append(truth)
    if not truths:
        raise spec.split_error(split, f"no usable picture in the split '{split}'; the first fault: {skipped[0]}")
    return truths, skipped


def split_records(spec: DatasetSpec, split: str) -> tuple[Sequence[Record], list[DataError]]:
    """Read every picture's header and labels in `split`, noting faults instead of raising them.

    Returns:
        The records, and the faults that belong to no picture (list entries, labels without picture, folders that are
        no class).

    Raises:
        UserError: an unknown or empty split, a folder, list, CSV or JSON file that is missing, or a file of class
            names beside the labels that contradicts the YAML.
    """
    place = spec.split(split)
    records, faults = _read(spec, split, place)
    if not records and not place.parts:
        table = (place.labels,) if spec.format == "csv" else place.images
        where = ", ".join(str(path) for path in place.listings or table)
        first = f"; the first fault: {faults[0]}" if faults else ""
        raise spec.split_error(split, f"the split '{split}' holds no pictures (looked in {where}){first}")
    return records, faults


def _read(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[Sequence[Record], list[DataError]]:
    """Read `place`, which is `split` or a part of it."""
    if place.parts:
        return _chosen(spec, split, place)
    check_there(spec, split, place)
    return READERS[spec.format](spec, split, place)


def _chosen(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[Sequence[Record], list[DataError]]:
    """The pictures of other splits that belong to this one, each once."""
    chosen: dict[str, Record] = {}
    faults: list[DataError] = []
    for part in place.parts:
        records, more = _read(spec, split, part)
        faults += more
        for record in records:
            name = below_root(record.image, spec.root)
            if name not in place.only:
                continue
            kept = chosen.setdefault(name, record)
            if kept is not record:  # given twice: what is wrong with the second is wrong with the picture
                kept.problems += record.problems
    if len(chosen) < len(place.only):
        gone = min(place.only - chosen.keys())
        raise spec.split_error(split, f"the picture '{gone}' belongs to '{split}' and is no longer in the data set")
    return list(chosen.values()), faults
