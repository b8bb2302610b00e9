"""Labels in one COCO file: the whole file is written at each change, and only one picture's entries differ."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightdet.data.formats.coco import LISTS, MAX_JSON_BYTES, CocoImage, parse_coco, without_outlines
from lightdet.data.formats.label_file import Outside, plain_name, read_bounded
from lightdet.data.headers import checked_facts
from lightdet.data.picture_header import EXCHANGED_SIDES
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.labelling.elements.coco import CocoEntries
from lightdet.labelling.marks import Box, Content, Mark
from lightdet.labelling.pictures import Picture, Prepared, refuse_faults


class CocoLabels:
    """A COCO file that is changed in place, and read again when another program has changed it.

    Args:
        path: the file.
        classes: the class names; it grows when one is added.
        outside: how boxes are read that reach out of their picture.
        names: by a picture's name, what the file calls it.

    Raises:
        UserError: the file is missing, too large or no COCO file.
    """

    def __init__(self, path: Path, classes: list[str], outside: Outside, names: Mapping[str, str]) -> None:
        self.path, self._classes, self._outside, self._names = path, classes, outside, names
        self._stamp: tuple[int, int] | None = None
        self._added: set[str] = set()  # pictures that were not listed when this began
        self._load()

    def read(self, picture: Picture) -> Content:
        """The picture's marks; None if the file does not list it, or lists nothing for it."""
        self._load()
        image = self._listed.get(self._names[picture.name])
        if image is None or not image.annotations:
            return None
        facts = checked_facts(picture.path)
        turned = facts.orientation >= EXCHANGED_SIDES
        found = self._parsed.labels_of(image, facts.size, self._classes, self._outside, turned=turned)
        refuse_faults(found.problems)
        entries = self._by_image[self._image_id(image.file_name)]
        rows = zip(found.boxes, found.labels, entries, strict=True)
        return tuple(self._mark(box, self._classes[label], entry) for box, label, entry in rows)

    def prepare(self, picture: Picture, content: Content) -> Prepared:
        """The file's new text. None: the picture is no longer listed if it was not before; training reads what is."""
        self._load()
        name = self._names[picture.name]
        if content is None and (name in self._added or name not in self._ids):
            return Prepared(None, lambda: self._unlist(name))
        self._add_categories()
        images, annotations = list(self._document["images"]), list(self._document.get("annotations", []))
        known = self._image_id(name)
        if known is None:
            known = 1 + max((_number(image.get("id")) for image in images), default=0)
            self._added.add(name)
            images.append({"id": known, "file_name": name, "width": picture.size[0], "height": picture.size[1]})
        kept = [entry for entry in annotations if entry.get("image_id") != known]
        taken = {entry.get("id") for entry in kept}
        free = 1 + max((_number(number) for number in taken), default=0)
        entries: list[dict[str, Any]] = []
        for mark in content or ():
            entry = json.loads(self._element(mark, picture))
            if entry.get("id") is None or entry["id"] in taken:
                entry["id"], free = free, free + 1
            taken.add(entry["id"])
            free = max(free, 1 + _number(entry["id"]))
            entries.append({"id": entry["id"], "image_id": known, **entry, **{"image_id": known}})
        written = tuple(
            self._mark(_box_of(entry, picture.size) if entry.get("bbox") else mark.box, mark.name, entry)
            for mark, entry in zip(content or (), entries, strict=True)
        )
        document = {**self._document, "images": images, "annotations": kept + entries}
        return Prepared(written or None, lambda: self._write(document, name, known, entries))

    def restated(self, picture: Picture, element: str | None, *, name: str | None, box: Box | None) -> str | None:
        """The entry with what changed; None if it is new, and is made when it is written."""
        self._add_categories()
        if element is not None and name is not None:
            element = self._kind.renamed(element, name)
        if element is not None and box is not None:
            element = self._kind.moved(element, box, picture.size)
        return element

    def is_outline(self, element: str) -> bool:
        """Whether it has a segmentation or key points."""
        return self._kind.is_outline(element)

    def _element(self, mark: Mark, picture: Picture) -> str:
        """The mark's entry; another program may have given its class another id since."""
        element = mark.element or self._kind.fresh(mark.box, mark.name, picture.size)
        name = self._parsed.categories.get(json.loads(element).get("category_id"), "")
        return element if plain_name(name) == plain_name(mark.name) else self._kind.renamed(element, mark.name)

    def _mark(self, box: Box, name: str, entry: dict[str, Any]) -> Mark:
        text = json.dumps(entry, ensure_ascii=False)
        return Mark(box, name, text, self._kind.is_outline(text))

    def _load(self) -> None:
        """Read the file if it is not as this last saw it.

        Raises:
            UserError: it cannot be read any more.
        """
        try:
            status = self.path.stat()
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", path=self.path) from None
        if self._stamp == (status.st_mtime_ns, status.st_size):
            return
        self._parsed = parse_coco(self.path)
        if self._parsed.problems:
            raise self._parsed.problems[0]
        self._document: dict[str, Any] = json.loads(read_bounded(self.path, MAX_JSON_BYTES).decode("utf-8-sig"))
        self._listed: dict[str, CocoImage] = {image.file_name: image for image in self._parsed.images}
        self._ids = {image.get("file_name"): image.get("id") for image in self._document["images"]}
        self._by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for entry in self._document.get("annotations", []):
            self._by_image[entry.get("image_id")].append(entry)
        self._kind = CocoEntries({name: number for number, name in reversed(self._parsed.categories.items())})
        self._stamp = (status.st_mtime_ns, status.st_size)

    def _unlist(self, name: str) -> None:
        """Take a picture out of the file again."""
        self._added.discard(name)
        known = self._ids.get(name)
        if known is None:
            return
        lists = {"images": "id", "annotations": "image_id"}
        kept = {
            each: [entry for entry in self._document.get(each, []) if entry.get(key) != known]
            for each, key in lists.items()
        }
        write_text(self.path, coco_document({**self._document, **kept}))
        self._stamp = None

    def _image_id(self, file_name: str) -> Any:
        return self._ids.get(file_name)

    def _add_categories(self) -> None:
        """Give the classes that were added an id."""
        for name in self._classes:
            if name not in self._kind.categories:
                number = 1 + max(self._kind.categories.values(), default=0)
                self._kind.categories[name] = number
                self._parsed.categories[number] = name
                self._document["categories"] = [*self._document["categories"], {"id": number, "name": name}]

    def _write(self, document: dict[str, Any], name: str, number: Any, entries: list[dict[str, Any]]) -> None:
        """Write the file and know it: reading it again takes seconds where it is large."""
        write_text(self.path, coco_document(document))
        status = self.path.stat()
        self._document, self._stamp = document, (status.st_mtime_ns, status.st_size)
        self._ids[name], self._by_image[number] = number, entries
        image = self._listed.setdefault(name, CocoImage(name, None, 0))
        image.annotations = [(0, without_outlines(dict(entry))) for entry in entries]


def coco_document(document: Mapping[str, Any]) -> str:
    """Return a COCO file's text: all keys as they are, one entry of the three lists per line."""
    parts = []
    for key, value in document.items():
        text = json.dumps(value, ensure_ascii=False) if key not in LISTS else _lines(value)
        parts.append(f"{json.dumps(key)}: {text}")
    return "{" + ",\n".join(parts) + "}\n"


def new_coco_file(path: Path, classes: Sequence[str]) -> None:
    """Write a COCO file that lists classes and nothing else, unless there is one."""
    if not os.path.lexists(path):
        categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
        write_text(path, coco_document({"info": {}, "images": [], "categories": categories, "annotations": []}))


def _lines(entries: Sequence[object]) -> str:
    return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _box_of(entry: Mapping[str, Any], size: tuple[int, int]) -> Box:
    """The box as it is read: cut at the picture's border."""
    x, y, width, height = (float(value) for value in entry["bbox"])
    return max(x, 0.0), max(y, 0.0), min(x + width, float(size[0])), min(y + height, float(size[1]))
