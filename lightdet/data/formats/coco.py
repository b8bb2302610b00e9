"""COCO JSON: ``images``, ``categories`` and ``annotations`` with ``bbox = [x, y, width, height]`` in pixels.

``x, y`` is the upper left edge counted from 0, as here. Category ids are any numbers and are matched to the data
set's classes by name. ``iscrowd`` boxes become crowd boxes: not trained on, ignored by the metric. ``area``
is kept for the metric, which uses it to sort boxes into small, medium and large ones. An annotation without ``bbox`` is
read as the box around its ``segmentation``. The file is parsed element by element, so every error has its line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from lightdet.data.faults import DataError
from lightdet.data.formats.coco_outlines import OutlineFault, has_points, is_outline, outline_box
from lightdet.data.formats.json_scanner import Scanner, is_number, read_json
from lightdet.data.formats.label_file import LabelFile, Outside, read_bounded
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.structures import Annotation

LISTS = ("images", "categories", "annotations")
MAX_JSON_BYTES = 1 << 29
"""The largest known data sets have files of some 450 MB."""
MAX_AREA = 1e12
"""More pixels than any picture has."""


@dataclass
class CocoImage:
    """An entry of ``images``: `size` is the declared (width, height), None if not given."""

    file_name: str
    size: tuple[int, int] | None
    line: int
    annotations: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    others: tuple[str, ...] = ()
    subset: str | None = None
    problems: list[DataError] = field(default_factory=list)


@dataclass
class CocoFile:
    """A parsed file: images in their order, category names by id, and what is wrong with the file as a whole.

    `unclear` are the ids of categories that have two names.
    """

    path: Path
    images: list[CocoImage]
    categories: dict[int, str]
    problems: list[DataError]
    groups: dict[int, str] = field(default_factory=dict)
    unclear: set[int] = field(default_factory=set)

    def class_names(self) -> list[str]:
        """The names of the categories by id, without the root category that some exports add.

        Roboflow's has no annotations and is the supercategory of the others. A name may occur twice.
        """
        used = {entry.get("category_id") for image in self.images for _, entry in image.annotations}
        names = []
        for number in sorted(self.categories):
            name = self.categories[number]
            heads = any(group == name for other, group in self.groups.items() if other != number)
            if number in used or not heads or self.groups.get(number, "none") not in ("none", ""):
                names.append(name)
        return names

    def labels_of(
        self,
        image: CocoImage,
        size: tuple[int, int],
        classes: Sequence[str],
        outside: Outside = "error",
        *,
        turned: bool = False,
    ) -> LabelFile:
        """Check the annotations of one image against the picture's `size` (width, height); for `turned` see
        `LabelFile.check_size`.
        """
        found = LabelFile(self.path, size, classes, outside)
        found.problems += image.problems
        for line, entry in image.annotations:
            self._take(entry, line, found)
        if image.size is not None:
            found.check_size(image.size, f"'{image.file_name}' is declared", image.line, turned=turned)
        return found

    def _take(self, entry: dict[str, Any], line: int, found: LabelFile) -> None:
        what = f"annotation {entry.get('id', '?')}"
        category = entry.get("category_id")
        if not _is_id(category) or category not in self.categories:
            found.problem(f"{what}: category_id {category!r} is not among 'categories'", line, "class")
            return
        if category in self.unclear:
            found.problem(f"{what}: category_id {category} has two names in 'categories'", line, "class")
            return
        named = entry.get("category_name", self.categories[category])
        if not isinstance(named, str) or named.strip() != self.categories[category]:
            known = self.categories[category]
            found.problem(f"{what}: category_id {category} is '{known}', but 'category_name' {named!r}", line, "class")
            return
        box = entry.get("bbox")
        if isinstance(box, OutlineFault):
            found.problem(f"{what}: {box}; correct or remove it", line, "value")
            return
        numbers = isinstance(box, list) and len(box) == 4 and all(is_number(value) for value in box)
        if not numbers or not isinstance(box, list):
            found.problem(f"{what}: 'bbox' must be four numbers [x, y, width, height]", line, "value")
            return
        x, y, width, height = (float(value) for value in box)
        if width < 0 or height < 0:
            found.problem(
                f"{what}: the box has a negative width or height ({width:g} x {height:g})", line, "degenerate"
            )
            return
        crowd, area = entry.get("iscrowd", 0), entry.get("area")
        if crowd not in (0, 1):
            found.problem(f"{what}: 'iscrowd' must be 0 or 1, got {crowd!r:.40}", line, "value")
            return
        if area is not None and not (is_number(area) and math.isfinite(area) and 0 <= area < MAX_AREA):
            found.problem(f"{what}: 'area' must be a number of pixels, got {area!r:.40}", line, "value")
            return
        label = found.class_index(self.categories[category], line)
        if label is not None:
            found.add((x, y, x + width, y + height), label, line, crowd=bool(crowd), area=area)


def parse_coco(path: Path) -> CocoFile:
    """Read a COCO file; entries that cannot be used are listed in `problems` with their lines.

    Raises:
        UserError: missing, too large or not a COCO JSON file.
    """
    try:
        text = read_bounded(path, MAX_JSON_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("not UTF-8 text; is this a COCO JSON file?", path=path) from None
    scanner = Scanner(text, path, LISTS, "COCO data set", without_outlines)
    lists = read_json(scanner.lists, path, "COCO file")
    missing = [name for name in LISTS[:2] if name not in lists]
    if missing:
        raise UserError(f"not a COCO data set: the list '{missing[0]}' is missing", path=path)
    problems: list[DataError] = []
    categories, groups, unclear = _categories(lists["categories"], path, problems)
    images = _images(lists["images"], path, problems)
    for line, entry in lists.get("annotations", []):
        image = images.get(_key(entry.get("image_id")))
        if image is None:
            message = f"annotation {entry.get('id', '?')}: image_id {entry.get('image_id')!r} is not among 'images'"
            problems.append(DataError(message, "missing-picture", path=path, line=line))
        else:
            image.annotations.append((line, entry))
    return CocoFile(path, list(images.values()), categories, problems, groups, unclear)


def read_coco(path: Path, images: Path, classes: Sequence[str], outside: Outside = "error") -> list[Annotation]:
    """Read a whole COCO file whose ``file_name`` entries are in the folder `images`; sizes are the declared ones.

    Raises:
        UserError: the first thing that is wrong, with its line. Pictures are not opened.
    """
    file = parse_coco(path)
    if file.problems:
        raise file.problems[0]
    annotations = []
    for image in file.images:
        if image.size is None:
            raise UserError(f"'{image.file_name}' has no width and height", path=path, line=image.line)
        annotations.append(file.labels_of(image, image.size, classes, outside).annotation(images / image.file_name))
    return annotations


def coco_text(annotations: Sequence[Annotation], classes: Sequence[str], file_names: Sequence[str]) -> str:
    """Return the JSON of a data set, one entry per line; boxes keep every bit of their float32 corners."""
    categories = [json.dumps({"id": i, "name": name}, ensure_ascii=False) for i, name in enumerate(classes, start=1)]
    images: list[str] = []
    boxes: list[str] = []
    for image_id, (annotation, name) in enumerate(zip(annotations, file_names, strict=True), start=1):
        width, height = annotation.size
        entry = {"id": image_id, "file_name": name, "width": width, "height": height}
        images.append(json.dumps(entry, ensure_ascii=False))
        crowd = [False] * len(annotation) if annotation.crowd is None else annotation.crowd.tolist()
        rows = zip(annotation.boxes.tolist(), annotation.labels.tolist(), crowd, strict=True)
        for index, (box, label, flag) in enumerate(rows):
            x1, y1, x2, y2 = box
            shape = coco_box(box)
            area = _short((x2 - x1) * (y2 - y1) if annotation.area is None else float(annotation.area[index]))
            head = {"id": len(boxes) + 1, "image_id": image_id, "category_id": label + 1}
            boxes.append(json.dumps(head | {"bbox": shape, "area": area, "iscrowd": int(flag)}))
    parts = zip(LISTS, (images, categories, boxes), strict=True)
    return (
        '{"info": {},\n' + ",\n".join(f'"{name}": [\n' + ",\n".join(entries) + "\n]" for name, entries in parts) + "}\n"
    )


def write_coco(annotations: Sequence[Annotation], path: Path, classes: Sequence[str], names: Sequence[str]) -> None:
    """Write a whole data set; `names` are the ``file_name`` entries, one per annotation."""
    write_text(path, coco_text(annotations, classes, names))


def without_outlines(found: dict[str, Any]) -> dict[str, Any]:
    """The object; of outlines, which make up most of a large file, only whether there are any besides the box."""
    if "segmentation" in found and found.get("bbox") in (None, []):
        found["bbox"] = outline_box(found["segmentation"])
        found["segmentation"] = True
    elif "segmentation" in found:
        found["segmentation"] = is_outline(found["segmentation"], found.get("bbox"))
    if "keypoints" in found:
        found["keypoints"] = has_points(found["keypoints"])
    return found


def coco_box(box: Sequence[float]) -> list[float]:
    """Return ``bbox = [x, y, width, height]`` of a box ``x1, y1, x2, y2`` in pixels."""
    x1, y1, x2, y2 = box
    return [_short(value) for value in (x1, y1, x2 - x1, y2 - y1)]


def _short(value: float) -> float:
    return int(value) if value.is_integer() else value


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _key(value: object) -> object:
    return value if _is_id(value) or isinstance(value, str) else None


def _categories(
    entries: list[tuple[int, dict[str, Any]]], path: Path, problems: list[DataError]
) -> tuple[dict[int, str], dict[int, str], set[int]]:
    """The names and the supercategories by id, and the ids with two names."""
    categories: dict[int, str] = {}
    groups: dict[int, str] = {}
    unclear: set[int] = set()
    for line, entry in entries:
        number, name = entry.get("id"), entry.get("name")
        if not _is_id(number) or not isinstance(name, str) or not name.strip():
            message = "a category needs a whole-number 'id' and a 'name'"
            problems.append(DataError(message, "format", path=path, line=line))
        elif number in categories:
            problems.append(DataError(f"category id {number} is given twice", "format", path=path, line=line))
            if name.strip() != categories[number]:
                unclear.add(number)
        else:
            categories[number] = name.strip()
            group = entry.get("supercategory")
            groups[number] = group.strip() if isinstance(group, str) else "none"
    return categories, groups, unclear


def _images(
    entries: list[tuple[int, dict[str, Any]]], path: Path, problems: list[DataError]
) -> dict[object, CocoImage]:
    """The pictures by id. One that is given twice is unusable: its boxes may be those of either entry."""
    images: dict[object, CocoImage] = {}
    names: dict[str, CocoImage] = {}
    for line, entry in entries:
        number, name = _key(entry.get("id")), entry.get("file_name")
        if number is None or not isinstance(name, str) or not name:
            problems.append(DataError("an image needs an 'id' and a 'file_name'", "format", path=path, line=line))
        elif number in images:
            fault = DataError(f"image id {number} is given twice", "repeated", path=path, line=line)
            problems.append(fault)
            images[number].problems.append(fault)
        elif name in names:
            fault = DataError(f"the file_name '{name}' is given twice", "repeated", path=path, line=line)
            problems.append(fault)
            names[name].problems.append(fault)
        else:
            names[name] = images[number] = CocoImage(name, _declared_size(entry), line)
    return images


def _declared_size(entry: dict[str, Any]) -> tuple[int, int] | None:
    """Width and height of an image entry; None if a tool wrote none, zero or nonsense."""
    sides = [entry.get(name) for name in ("width", "height")]
    numbers = [math.floor(side) for side in sides if is_number(side) and math.isfinite(side)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None
