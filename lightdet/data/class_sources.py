"""Lists of class names that labelling tools leave beside their labels, compared with the data set's own.

The ids in YOLO's and DeepPCB's labels mean what the tool's list said when they were written. A YAML that lists the
same names in another order would train every class under another's name.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from lightdet.data.class_list import numbered_names
from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import plain_number, read_bounded, read_lines
from lightdet.data.spec import DatasetSpec
from lightdet.plain_yaml import parse_yaml

_TEXTS = ("classes.txt", "obj.names", "_darknet.labels", "labelmap.txt")
_MAX_BYTES = 1 << 20


def check_class_sources(spec: DatasetSpec, label_folders: Iterable[Path]) -> None:
    """Compare the class lists beside the labels with the classes of `spec`.

    Raises:
        DataError: one of them gives an id another name.
    """
    if spec.format not in ("yolo", "deeppcb"):
        return  # labels of the others name their classes
    first = 1 if spec.format == "deeppcb" else 0
    for place in _places(spec, label_folders):
        for path, names in _lists(place, spec):
            for number, ours in enumerate(spec.classes, start=first):
                theirs = names.get(number)
                if theirs is not None and _letters(theirs) != _letters(ours):
                    yaml_file = spec.path or "the data set"
                    message = (
                        f"calls class {number} '{theirs}', but {yaml_file} calls it '{ours}': "
                        "correct the one that is wrong, or remove this file"
                    )
                    raise DataError(message, "class", path=path)


def _places(spec: DatasetSpec, label_folders: Iterable[Path]) -> list[Path]:
    """The label folders, the folders above them up to the root, and the YAML's folder if it is alone there."""
    places = dict.fromkeys([spec.root])
    for folder in dict.fromkeys(label_folders):
        places[folder] = None
        if folder.is_relative_to(spec.root):
            places |= dict.fromkeys(above for above in folder.parents if above.is_relative_to(spec.root))
    if spec.path is not None and spec.path.is_file() and len([*spec.path.parent.glob("*.y*ml")]) == 1:
        places[spec.path.parent] = None
    return list(places)


def _lists(place: Path, spec: DatasetSpec) -> Iterator[tuple[Path, dict[int, str]]]:
    """The lists of names in the folder `place`, by id; anything else, or unreadable, is ignored."""
    first = 1 if spec.format == "deeppcb" else 0
    for name in _TEXTS:
        path = place / name
        if path.is_file():
            try:
                lines = [line for _, line in read_lines(path)]
            except DataError:
                continue
            if not (_are_labels(lines) or _have_no_order(lines)):
                yield path, numbered_names(lines) or dict(enumerate(lines, start=first))
    for name, key in (("notes.json", "categories"), ("data.yaml", "names")):
        path = place / name
        if path.is_file() and not (spec.path is not None and spec.path.is_file() and path.samefile(spec.path)):
            names = _names(_value(path), key)
            if names:
                yield path, dict(enumerate(names, start=first))


def _are_labels(listed: Sequence[str]) -> bool:
    """Whether the lines are the labels of a picture called 'classes'."""
    return any(all(plain_number(part) is not None for part in name.split()) and " " in name for name in listed)


def _have_no_order(listed: Sequence[str]) -> bool:
    """Whether the lines give colours (CVAT's labelmap.txt, ``scratch:255,0,0::``), leave out class 0 (``???``) or
    are TensorFlow's (``item {``), whose numbers are not label ids.
    """
    return any(name.count(":") >= 3 or name == "???" or name.replace(" ", "") == "item{" for name in listed)


def _value(path: Path) -> Any:
    try:
        text = read_bounded(path, _MAX_BYTES).decode("utf-8-sig")
        return json.loads(text) if path.suffix == ".json" else parse_yaml(text)
    except (DataError, ValueError, RecursionError, yaml.YAMLError):
        return None


def _names(value: Any, key: str) -> list[str]:
    """Names by their ids from 0: a list, a mapping, or Label Studio's categories; empty for anything else."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
        found = {entry.get("id"): entry.get("name") for entry in found}
    if isinstance(found, dict):
        numbers = {int(number): name for number, name in found.items() if str(number).isdecimal()}
        found = [numbers.get(number) for number in range(len(numbers))]
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        return []
    return found


def _letters(name: str) -> str:
    """A name without what people change when copying: case, spaces, dashes."""
    plain = unicodedata.normalize("NFC", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum()) or plain.strip()
