"""The YAML of a folder in a known format, with a validation split drawn as lists: no picture is copied or changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import yaml

from lightdet.assembly.dataset import load_dataset, recognised_spec
from lightdet.assembly.dataset_hint import the_one
from lightdet.assembly.recognition import recognise
from lightdet.data.dataset import ClassFormat, DatasetSpec, split_records
from lightdet.data.draw_splits import LIST_NAME, list_line
from lightdet.data.paths import path_from
from lightdet.data.records import BoxRecord, ClassRecord
from lightdet.data.scanning import list_text
from lightdet.errors import UserError
from lightdet.files import write_text


def describe_folder(
    folder: Path, output: Path | None = None, *, form: str | None = None, val: float = 0.2, seed: int = 0
) -> DatasetSpec:
    """Write the YAML of `folder`, and two lists if it has no validation split; returns the data set with what was said.

    Args:
        folder: the data set's folder.
        output: the YAML; default: ``dataset.yaml`` in the folder. Lists are written beside it.
        form: the format, where the folder could be in several.
        val: the share of the pictures that are drawn for validation (0-1).
        seed: the same seed draws the same pictures.

    Raises:
        UserError: no folder, a file that exists already, a folder in no known format or in several, broken labels.
    """
    if not folder.is_dir():
        raise UserError("is not a folder; name the folder of a data set", path=folder)
    target = folder / "dataset.yaml" if output is None else output
    if target.exists():
        raise UserError("exists already; name another file with --output", path=target)
    found = the_one(folder, recognise(folder), form)
    spec = recognised_spec(folder, found, val, seed)
    root = path_from(target.absolute().parent, folder.absolute())
    values: dict[str, Any] = {"name": spec.name, "root": root, "format": found.format}
    values |= {"classes": list(spec.classes)} | found.values
    drawn = [name for name, place in spec.splits.items() if place.parts]
    if drawn and found.format == "csv":
        drawn = list(spec.splits)  # lists of classes and a CSV are two formats
    lists = {name: target.with_name(LIST_NAME.format(name)) for name in drawn}
    existing = next((path for path in lists.values() if path.exists()), None)
    if existing is not None:
        raise UserError("exists already; name a YAML in another folder with --output", path=existing)
    by_class = found.format in get_args(ClassFormat)
    if drawn and by_class:
        values["format"] = "folders"
    splits = dict(found.values["splits"])
    for name, path in lists.items():
        write_text(path, list_text(sorted(_lines(spec, name))))
        place = found.values["splits"]["train"]
        kept = place if isinstance(place, dict) else {"images": place}
        kept = {} if by_class or spec.format == "deeppcb" else kept
        splits[name] = {**kept, "list": path.name}
    values["splits"] = {name: splits[name] for name in ("train", "val", "test") if name in splits}
    write_text(target, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    load_dataset(target)
    return spec


def _lines(spec: DatasetSpec, split: str) -> list[str]:
    """A line for each picture of a split: its path below the picture folder, or below the root."""
    lines = []
    for record in split_records(spec, split)[0]:
        truth = record.truth() if isinstance(record, ClassRecord) else None
        if truth is not None:
            lines.append(list_line(truth, spec, spec.root.resolve()))
            continue
        bases = (*spec.splits[split].parts[0].images, spec.root)
        base = next((base for base in bases if record.image.is_relative_to(base)), None)
        line = (record.image.relative_to(base) if base is not None else record.image).as_posix()
        labels = record.labels.path if isinstance(record, BoxRecord) and record.labels is not None else None
        if spec.format == "deeppcb" and labels is not None:  # its lists name the labels as well
            line += f" {labels.relative_to(spec.root).as_posix()}"
        lines.append(line)
    return lines
