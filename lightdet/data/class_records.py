"""The records of a split whose pictures have one class each: folders, lists and CSV files; and their classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lightdet.data.class_names import Place
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
from lightdet.data.records import ClassRecord
from lightdet.data.spec import DatasetSpec, SplitSpec
from lightdet.data.split_words import split_of_cell
from lightdet.errors import UserError


def class_records(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[list[ClassRecord], list[DataError]]:
    """Find every picture of `split`, its class and its size; see `lightdet.data.dataset.split_records`."""
    entries, faults = _entries(spec, split, place)
    return [_record(entry) for entry in entries], faults


def _entries(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[list[Entry], list[DataError]]:
    folders = place.images or (spec.root,)
    if spec.format == "csv":
        if place.labels is None:
            raise spec.split_error(split, f"the split '{split}' needs 'labels: FILE.csv'")
        wanted = place.origin or split
        return parse_class_csv(place.labels, folders, wanted, spec.classes, place.known(spec))
    if place.listings:
        return listed_classes(place.listings, folders, spec.root, spec.classes)
    entries: dict[Path, Entry] = {}
    faults: list[DataError] = []
    for folder in folders:
        found, more = scan_class_folders(folder, spec.root, spec.classes)
        entries |= {entry.image: entry for entry in found}
        faults += more
    return list(entries.values()), faults


def _record(entry: Entry) -> ClassRecord:
    record = ClassRecord(entry.image, entry.label, entry.source, entry.line, problems=entry.problems)
    try:
        record.size = checked_facts(entry.image).size
    except DataError as error:
        record.problems.append(error)
    return record


def find_classes(form: str, root: Path, splits: Mapping[str, SplitSpec]) -> dict[str, Place]:
    """The classes of a data set whose YAML names none: the names of its folders or labels, sorted.

    Returns:
        Where each name is found first.

    Raises:
        UserError: none can be found; they are ids, or the names of splits; a folder, list or CSV file is missing.
    """
    words: dict[str, Place] = {}
    for place in splits.values():
        folders = place.images or (root,)
        found: list[tuple[str, Place]]
        if form == "csv" and place.labels is not None:
            found = [(row.word, (place.labels, row.line)) for row in read_rows(place.labels) if row.word]
        elif place.listings:
            lists = {file: words_of_list(file, [*folders, file.parent]) for file in place.listings}
            found = [(word, (file, None)) for file, named in lists.items() for word in named]
        else:
            found = [(name, (folder / name, None)) for folder in folders for name in folder_names(folder)]
        words = dict(found[::-1]) | words
    files = [file for place in splits.values() for file in ([place.labels] if place.labels else place.listings)]
    source = files[0] if files else root
    if not words:
        missing = "no row under the first has a class" if form == "csv" else "no line leads to a picture"
        what = missing if files else "there are no folders with pictures in them"
        raise UserError(f"no classes can be found: {what}; correct that, or add 'classes' to the YAML", path=source)
    if all(word.isascii() and word.isdecimal() for word in words):
        shown = ", ".join(sorted(words)[:5])
        raise UserError(
            f"the classes are ids ({shown}); add 'classes: [...]' with their names to the YAML", path=source
        )
    if all(split_of_cell(word) is not None for word in words):
        shown = ", ".join(sorted(words))
        raise UserError(f"holds the folders {shown}: name them as splits (train: train, …)", path=root)
    return dict(sorted(words.items()))
