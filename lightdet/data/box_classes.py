"""The classes of a data set of boxes whose labels name them, where nothing lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lightdet.data.class_names import Place
from lightdet.data.formats.labelme import labelme_names
from lightdet.data.formats.masks import class_names
from lightdet.data.formats.rules import Rules
from lightdet.data.formats.voc import voc_names
from lightdet.data.pairing import find_pairs
from lightdet.data.set_records import PARSERS, SetFile
from lightdet.data.spec import SET_FORMATS, SplitSpec
from lightdet.errors import UserError

_NAMES_OF = {"labelme": labelme_names, "voc": voc_names}
NAMED = (*SET_FORMATS, *_NAMES_OF, "masks")
"""Formats whose labels name their classes."""


def find_box_classes(form: str, root: Path, splits: Mapping[str, SplitSpec], rules: Rules) -> dict[str, Place]:
    """The classes that the labels of all splits name: in the order of the files that list them, otherwise sorted.

    Returns:
        Where each name is found first.

    Raises:
        UserError: a folder or a file of labels is missing or broken, or there is none that names a class.
    """
    if form == "masks":
        names: dict[str, Place] = dict.fromkeys(class_names(dict(rules.values)), (None, None))
    elif form in SET_FORMATS:
        files = dict.fromkeys(place.labels for place in splits.values() if place.labels is not None)
        names = {}
        for path in files:
            file = PARSERS[form](path, rules)
            lines = _lines(file)
            for name in file.class_names():
                names.setdefault(name, (path, lines.get(name)))
        if form in ("label-studio", "csv-boxes"):  # they list none
            names = dict(sorted(names.items()))
    else:
        labels = _label_files(form, root, splits.values())
        first = {name: (label, None) for label in reversed(labels) for name in _NAMES_OF[form](label)}
        names = dict(sorted(first.items()))
    if not names:
        source = next((place.labels for place in splits.values() if place.labels is not None), root)
        remedy = "add 'values' to the YAML, as in {scratch: 1}" if form == "masks" else "add 'classes' to the YAML"
        raise UserError(f"no classes can be found, because no label names one; {remedy}", path=source)
    return names


def _lines(file: SetFile) -> dict[str, int]:
    """The line of each class's first box, where the file keeps the names with its boxes."""
    marks = (mark for image in file.images for mark in getattr(image, "marks", ()))
    lines: dict[str, int] = {}
    for mark in marks:
        lines.setdefault(mark.name, mark.line)
    return lines


def _label_files(form: str, root: Path, places: Iterable[SplitSpec]) -> list[Path]:
    pairs = [pair for place in places for pair in find_pairs(form, root, place.images, place.labels, place.listings)[0]]
    return list(dict.fromkeys(pair.label for pair in pairs if pair.label is not None))
