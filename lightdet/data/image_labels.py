"""Data sets that give each picture one class: how a split becomes `ImageLabel` records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.class_csv import parse_class_csv, read_rows
from lightdet.data.formats.folders import (
    Entry,
    folder_names,
    listed_classes,
    scan_class_folders,
    words_of_list,
)
from lightdet.data.headers import checked_facts
from lightdet.data.spec import DatasetSpec, OnError, SplitSpec, check_there
from lightdet.errors import UserError
from lightdet.structures import ImageLabel

SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


@dataclass
class LabelRecord:
    """A picture of a split, its class and (where its header can be read) its size."""

    image: Path
    label: int
    source: Path | None = None
    line: int = 0
    size: tuple[int, int] | None = None
    problems: list[DataError] = field(default_factory=list)


def read_image_labels(
    spec: DatasetSpec, split: str, *, on_error: OnError = "fail"
) -> tuple[list[ImageLabel], list[UserError]]:
    """Read the pictures of `split` with their classes, in the order of its list (or of the sorted paths).

    Pixels are not decoded: sizes come from the headers.

    Returns:
        The labels, and with ``on_error="skip"`` one error for each line, folder or picture left out.

    Raises:
        UserError: the first fault (with its file and line) if `on_error` is ``fail``; in any case a data set of
            boxes, an unknown or empty split, a folder or list that is missing, or a split without a good picture.
    """
    records, faults = label_records(spec, split)
    if on_error == "fail" and faults:
        raise faults[0]
    labels, skipped = [], list[UserError](faults)
    for record in records:
        if record.problems:
            if on_error == "fail":
                raise record.problems[0]
            skipped.append(record.problems[0])
        elif record.size is not None:
            labels.append(ImageLabel(record.image, record.size, record.label, record.source, record.line))
    if not labels:
        raise UserError(f"no usable picture in the split '{split}'; the first fault: {skipped[0]}", path=spec.path)
    return labels, skipped


def label_records(spec: DatasetSpec, split: str) -> tuple[list[LabelRecord], list[DataError]]:
    """Find every picture of `split`, its class and its size, noting faults instead of raising them.

    Returns:
        The records, and the faults that belong to no picture (lines of a list, folders that are no class).

    Raises:
        UserError: a data set of boxes, an unknown or empty split, a folder, list or CSV file that is missing.
    """
    if not spec.labels_pictures:
        raise UserError(
            f"this data set marks boxes (format: {spec.format}), and a classifier needs one class per picture: "
            "format: folders, or format: csv",
            path=spec.path,
        )
    place = spec.split(split)
    check_there(spec, split, place)
    entries, faults = _entries(spec, split, place)
    if not entries:
        where = ", ".join(str(path) for path in place.listings or ((place.labels,) if place.labels else place.images))
        first = f"; the first fault: {faults[0]}" if faults else ""
        raise spec.split_error(split, f"the split '{split}' holds no pictures (looked in {where}){first}")
    return [_record(entry) for entry in entries], faults


def _entries(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[list[Entry], list[DataError]]:
    folders = place.images or (spec.root,)
    if spec.format == "csv":
        if place.labels is None:
            raise spec.split_error(split, f"the split '{split}' needs 'labels: FILE.csv'")
        return parse_class_csv(place.labels, folders, split, spec.classes)
    if place.listings:
        return listed_classes(place.listings, folders, spec.root, spec.classes)
    entries: dict[Path, Entry] = {}
    faults: list[DataError] = []
    for folder in folders:
        found, more = scan_class_folders(folder, spec.root, spec.classes)
        entries |= {entry.image: entry for entry in found}
        faults += more
    return list(entries.values()), faults


def _record(entry: Entry) -> LabelRecord:
    record = LabelRecord(entry.image, entry.label, entry.source, entry.line)
    try:
        record.size = checked_facts(entry.image).size
    except DataError as error:
        record.problems.append(error)
    return record


def find_classes(form: str, root: Path, splits: Mapping[str, SplitSpec]) -> tuple[str, ...]:
    """The classes of a data set whose YAML names none: its folders' or labels' names, sorted.

    Raises:
        UserError: none can be told; they are ids, or the names of splits; a folder, list or CSV file is missing.
    """
    words: set[str] = set()
    for place in splits.values():
        folders = place.images or (root,)
        if form == "csv" and place.labels is not None:
            words |= {row.word for row in read_rows(place.labels) if row.word}
        elif place.listings:
            words |= {word for file in place.listings for word in words_of_list(file, [*folders, file.parent])}
        else:
            words |= {name for folder in folders for name in folder_names(folder)}
    files = [file for place in splits.values() for file in ([place.labels] if place.labels else place.listings)]
    source = files[0] if files else root
    if not words:
        missing = "no row under the first has a class" if form == "csv" else "no line leads to a picture"
        what = missing if files else "there are no folders with pictures in them"
        raise UserError(f"no classes can be told: {what}; correct that, or add 'classes' to the YAML", path=source)
    if all(word.isascii() and word.isdecimal() for word in words):
        shown = ", ".join(sorted(words)[:5])
        raise UserError(
            f"the classes are ids ({shown}); add 'classes: [...]' with their names to the YAML", path=source
        )
    if {word.lower() for word in words} <= SPLIT_NAMES:
        shown = ", ".join(sorted(words))
        raise UserError(f"holds the folders {shown}: name them as splits (train: train, …)", path=root)
    return tuple(sorted(words))
