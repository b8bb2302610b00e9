"""Labels in a file for each picture: YOLO, Pascal VOC, LabelMe. Only the boxes of the file change."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.embedded import MAX_BYTES
from lightdet.data.formats.label_file import read_bounded
from lightdet.data.headers import checked_facts
from lightdet.data.paired_records import parse_labels
from lightdet.data.paths import path_from
from lightdet.data.picture_header import PictureFacts
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import write_bytes
from lightdet.labelling.elements.kind import Elements
from lightdet.labelling.marks import Box, Content, Mark
from lightdet.labelling.pictures import Picture, Prepared, refuse_faults


class FileLabels:
    """The label file of each picture.

    Args:
        spec: how the files are read.
        classes: the class names; it grows when one is added.
        elements: one box of the format.
        places: the label file of each picture by its name, whether it exists or not.
    """

    def __init__(self, spec: DatasetSpec, classes: list[str], elements: Elements, places: Mapping[str, Path]) -> None:
        self._spec, self._classes, self._elements, self._places = spec, classes, elements, places
        self._facts: dict[str, PictureFacts] = {}

    def read(self, picture: Picture) -> Content:
        """The labels; None without a file."""
        place = self._places[picture.name]
        return self._parsed(picture, place) if place.is_file() else None

    def prepare(self, picture: Picture, content: Content) -> Prepared:
        """The file's new text, written to a folder of its own and read back; None: the file is removed."""
        place = self._places[picture.name]
        if content is None:
            return Prepared(None, lambda: place.unlink(missing_ok=True))
        inner = self._text(place) if place.is_file() else self._elements.empty(_way(place, picture.path), picture.size)
        marks = [mark.element or self._elements.fresh(mark.box, mark.name, picture.size) for mark in content]
        data = _encoded(self._elements.joined(inner, marks))
        try:
            found = self._read_back(picture, place.name, data)
        except UserError:
            found = None
        if found is None or [mark.name for mark in found] != [mark.name for mark in content]:
            # Another program may have given the classes other numbers since.
            marks = [self._elements.renamed(each, mark.name) for each, mark in zip(marks, content, strict=True)]
            data = _encoded(self._elements.joined(inner, marks))
            found = self._read_back(picture, place.name, data)
        return Prepared(found, _writer(place, data))

    def restated(self, picture: Picture, element: str | None, *, name: str | None, box: Box | None) -> str | None:
        """The element with what changed; None if it is new, and is made when it is written."""
        if element is not None and name is not None:
            element = self._elements.renamed(element, name)
        if element is not None and box is not None:
            element = self._elements.moved(element, box, picture.size)
        return element

    def is_outline(self, element: str) -> bool:
        """Whether it holds more than a box."""
        return self._elements.is_outline(element)

    def _text(self, place: Path) -> str:
        try:
            return read_bounded(place, MAX_BYTES).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError("not UTF-8 text; save it as UTF-8", "format", path=place) from None

    def _read_back(self, picture: Picture, name: str, data: bytes) -> Content:
        with tempfile.TemporaryDirectory(prefix="lightdet-") as folder:
            copy = Path(folder, name)
            copy.write_bytes(data)
            try:
                return self._parsed(picture, copy)
            except DataError as error:
                raise UserError(f"this could not be read again, so it is not written: {error.message}") from None

    def _parsed(self, picture: Picture, place: Path) -> Content:
        facts = self._facts.get(picture.name) or self._facts.setdefault(picture.name, checked_facts(picture.path))
        found = parse_labels(replace(self._spec, classes=tuple(self._classes)), place, facts)
        refuse_faults(found.problems)
        elements = self._elements.split(self._text(place))
        if len(elements) != len(found.boxes):
            message = "holds shapes of one group, which are one box here; label this picture in the tool that wrote it"
            raise DataError(message, "format", path=place)
        rows = zip(found.boxes, found.labels, elements, strict=True)
        return tuple(Mark(box, self._classes[label], text, self.is_outline(text)) for box, label, text in rows)


def _encoded(text: str) -> bytes:
    """UTF-8; a picture's name may hold bytes that are none."""
    return text.encode("utf-8", "backslashreplace")


def _writer(place: Path, data: bytes) -> Callable[[], None]:
    return lambda: write_bytes(place, data)


def _way(label: Path, picture: Path) -> str:
    """The path from a label file to its picture, with ``/``."""
    return path_from(label.parent, picture)
