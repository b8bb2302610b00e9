"""Which labels to look at before training: for each class some pictures, and its smallest, largest and oddest boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightdet.arrays import AnyArray, FloatArray, IntArray
from lightdet.data.formats.label_file import LabelFile
from lightdet.wording import counted

MAX_CLASSES = 24
"""How many classes are shown: those with the most boxes."""
PICTURES, EXTREMES = 4, 3
"""How many pictures per class, and boxes per kind of extreme."""
ENOUGH = 8
"""Odd boxes are chosen only from this many boxes per class on: with fewer, all look odd."""


@dataclass(frozen=True, eq=False)
class Specimen:
    """A picture to show with its boxes; with `box` (an index) only the area around it, None: all of it."""

    image: Path
    boxes: FloatArray
    labels: IntArray
    caption: str
    box: int | None = None


@dataclass(frozen=True)
class Shelf:
    """What is shown for a class: its rows with their titles."""

    name: str
    count: str
    rows: Sequence[tuple[str, Sequence[Specimen]]]


@dataclass(frozen=True, eq=False)
class _Boxes:
    """All boxes of one class: where each is (file of labels, index in it), and its width and height in pixels."""

    places: Sequence[tuple[int, int]]
    sides: FloatArray


def boxes_gallery(found: Sequence[tuple[Path, LabelFile]], classes: Sequence[str]) -> list[Shelf]:
    """Choose what to show of a data set of boxes: each picture with its labels, in any order."""
    arrays = [(np.array(labels.boxes, np.float32).reshape(-1, 4), np.array(labels.labels)) for _, labels in found]
    by_class: dict[int, list[tuple[int, int]]] = {}
    for file, (_, labels) in enumerate(arrays):
        for index, label in enumerate(labels.tolist()):
            by_class.setdefault(label, []).append((file, index))

    def specimen(place: tuple[int, int], caption: str, *, whole: bool) -> Specimen:
        boxes, labels = arrays[place[0]]
        return Specimen(found[place[0]][0], boxes, labels.astype(np.int64), caption, None if whole else place[1])

    shelves = []
    for label in sorted(sorted(by_class, key=lambda each: -len(by_class[each]))[:MAX_CLASSES]):
        places = by_class[label]
        corners = np.array([arrays[file][0][index] for file, index in places])
        boxes = _Boxes(places, corners[:, 2:] - corners[:, :2])
        rows = [("pictures", [specimen(p, _what(arrays[p[0]][1], classes), whole=True) for p in _spread(places)])]
        for title, chosen in _extremes(boxes):
            sides = [boxes.sides[index] for index in chosen]
            captions = [f"{width:.0f} x {height:.0f} pixels" for width, height in sides]
            shown = zip(chosen, captions, strict=True)
            rows.append((title, [specimen(places[index], text, whole=False) for index, text in shown]))
        held = len({file for file, _ in places})
        count = f"{counted(len(places), 'box')} in {counted(held, 'picture')}"
        shelves.append(Shelf(classes[label], count, rows))
    return shelves


def pictures_gallery(found: Mapping[int, Sequence[Path]], classes: Sequence[str]) -> list[Shelf]:
    """Choose what to show of a data set that gives each picture one class: its pictures by class."""
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    shelves = []
    for label in sorted(sorted(found, key=lambda each: -len(found[each]))[:MAX_CLASSES]):
        places = [(index, 0) for index in range(len(found[label]))]
        chosen = [found[label][index] for index, _ in _spread(places, 2 * PICTURES)]
        row = [Specimen(path, *nothing, "") for path in chosen]
        shelves.append(Shelf(classes[label], counted(len(found[label]), "picture"), [("pictures", row)]))
    return shelves


def _spread(places: Sequence[tuple[int, int]], most: int = PICTURES) -> list[tuple[int, int]]:
    """Some boxes from different files, evenly from the first to the last."""
    files = list({file: (file, index) for file, index in reversed(places)}.values())[::-1]
    return [files[int(at)] for at in np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).round())]


def _extremes(boxes: _Boxes) -> list[tuple[str, list[int]]]:
    """The smallest, largest and oddest boxes by their indices, none of them twice."""
    area = boxes.sides.prod(axis=1)
    order = np.argsort(area, kind="stable").tolist()
    each = min(EXTREMES, (len(order) + 1) // 2)
    smallest, largest = order[:each], order[each:][::-1][:each]
    found = [("smallest", smallest), ("largest", largest)]
    if len(order) >= ENOUGH:
        strange = np.argsort(-_oddness(boxes.sides), kind="stable").tolist()
        found.append(("oddest shapes", [index for index in strange if index not in smallest + largest][:EXTREMES]))
    return [(title, chosen) for title, chosen in found if chosen]


def _oddness(sides: FloatArray) -> AnyArray:
    """How far each box's proportions are from the usual ones of its class, in robust standard deviations."""
    proportion = np.log(sides[:, 0] / sides[:, 1])
    away = np.abs(proportion - np.median(proportion))
    odd: AnyArray = away / (1.4826 * np.median(away) + 1e-3)
    return odd


def _what(labels: IntArray, classes: Sequence[str]) -> str:
    return ", ".join(f"{count} {classes[label]}" for label, count in sorted(Counter(labels.tolist()).items()))
