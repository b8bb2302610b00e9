"""What label files hold besides boxes and classes, and a conversion therefore drops."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.label_file import read_bounded, read_lines
from lightdet.data.spec import DatasetSpec
from lightdet.structures import Annotation

_VOC_MARKS = {
    "difficult": re.compile(rb"<difficult>\s*[^0\s<]"),
    "truncated": re.compile(rb"<truncated>\s*[^0\s<]"),
    "pose": re.compile(rb"<pose>\s*(?!Unspecified\s*<)[^\s<]", re.IGNORECASE),
}


def marks_not_read(spec: DatasetSpec, annotations: Sequence[Annotation]) -> list[str]:
    """A line for the marks that exist but have no place in `Annotation`; none if there are none."""
    sources = list(dict.fromkeys(a.source for a in annotations if a.source is not None))
    wide = "polygons" if spec.rows.polygons else "key points"
    finders: dict[str, Callable[[Path], Iterator[str]]] = {
        "voc": _of_voc,
        "coco": _of_coco,
        "yolo": partial(_of_yolo, wide),
    }
    finder = finders.get(spec.format)
    found = sorted({mark for source in sources for mark in finder(source)}) if finder else []
    return [f"not carried over: {', '.join(found)}"] if found else []


def _of_voc(source: Path) -> Iterator[str]:
    data = read_bounded(source).replace(b"\0", b"")  # UTF-16
    return (f"the mark '{name}'" for name, pattern in _VOC_MARKS.items() if pattern.search(data))


def _of_coco(source: Path) -> Iterator[str]:
    file = parse_coco(source)
    entries = [entry for image in file.images for _, entry in image.annotations]
    if any(entry.get("segmentation") for entry in entries):
        yield "polygons and masks"
    if any(entry.get("keypoints") for entry in entries):
        yield "key points"
    if any(group and group != "none" and group != file.categories[number] for number, group in file.groups.items()):
        yield "supercategories"


def _of_yolo(wide: str, source: Path) -> Iterator[str]:
    """`wide` is what the YAML says that rows of more than five columns hold."""
    if any(len(line.split()) > 5 for _, line in read_lines(source)):
        yield wide
