"""Boxes in a CSV file, one per row: as VoTT, TensorFlow's tools and many scripts write them, or as Google's AutoML.

The first row names the columns: the picture, the class and ``xmin, ymin, xmax, ymax``, in any order. The numbers are
edges from 0, in pixels, or in shares of the sides if the YAML says so; a file with boxes whose numbers lie in 0-1 can
mean either and is refused. AutoML's rows have no such head: ``[TRAIN,]path,class,x,y,,,x,y,,`` in shares of the sides.
A row with a picture and no class and no numbers is a picture without defects.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.class_csv import CLASS_COLUMNS, PATH_COLUMNS, SPLIT_COLUMNS
from lightdet.data.formats.csv_file import broken_row, open_csv
from lightdet.data.formats.enclosing import Box
from lightdet.data.formats.label_file import plain_number
from lightdet.data.formats.listed import ListedFile, ListedImage, Mark
from lightdet.data.formats.rules import PLAIN_RULES, Rules
from lightdet.data.split_words import split_cell
from lightdet.files import write_text
from lightdet.structures import Annotation

CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SPELLED = {"x1": "xmin", "y1": "ymin", "x2": "xmax", "y2": "ymax", "x_min": "xmin", "y_min": "ymin"}
_SPELLED |= {"x_max": "xmax", "y_max": "ymax", "left": "xmin", "top": "ymin", "right": "xmax", "bottom": "ymax"}
_SETS = ("train", "validation", "test", "unassigned")
_WHOLE = 1.001
"""Shares up to this are 1, rounded."""
_ADVICE = "Set 'coordinates: pixels' or 'coordinates: shares' in the YAML"
_AUTOML = (2, 3, 6, 7)
"""Where AutoML's rows have the corners, counted from the path: of four points the first and the third."""


@dataclass(frozen=True)
class _Columns:
    """Where a row has what; `count` cells belong to it."""

    path: int
    word: int
    corners: tuple[int, ...]
    split: int | None
    sides: tuple[int, int] | None
    count: int


def parse_box_csv(path: Path, rules: Rules = PLAIN_RULES) -> ListedFile:
    """Read a file; rows that cannot be used are listed with their lines.

    Raises:
        DataError: missing, too large, no text, no CSV, or without the columns of boxes.
    """
    found = ListedFile(path)
    images: dict[str, ListedImage] = {}
    rows = _rows(path)
    first, cells = next(rows, (1, []))
    columns = _automl(cells)
    whole = 1.0 if columns is not None else None
    if columns is None:
        columns = _named(cells, path)
    else:
        _take(cells, first, columns, found, images, whole)
    for line, each in rows:
        _take(each, line, columns, found, images, whole)
    found.images = list(images.values())
    _settle(found, whole, rules)
    return found


def box_csv_text(annotations: Sequence[Annotation], classes: Sequence[str], file_names: Sequence[str]) -> str:
    """Return the CSV of a data set in pixels, with the pictures' sizes; boxes keep every bit of their corners."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["image", "width", "height", *CORNERS, "label"])
    for annotation, name in zip(annotations, file_names, strict=True):
        head = [name, *annotation.size]
        for box, label in zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True):
            writer.writerow([*head, *(f"{value!r}" for value in box), classes[label]])
        if not len(annotation):
            writer.writerow([*head, "", "", "", "", ""])
    return stream.getvalue()


def write_box_csv(annotations: Sequence[Annotation], path: Path, classes: Sequence[str], names: Sequence[str]) -> None:
    """Write a whole data set (it cannot hold crowd flags); `names` are the pictures' names, one per annotation."""
    write_text(path, box_csv_text(annotations, classes, names))


def has_boxes(path: Path) -> bool:
    """Whether the first row is that of a CSV file with boxes."""
    try:
        cells = next(_rows(path), (1, []))[1]
        return _automl(cells) is not None or bool(_named(cells, path))
    except DataError:
        return False


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold anything, with their lines."""
    reader, _ = open_csv(path)
    line = 1
    try:
        for cells in reader:
            if any("\n" in cell or "\r" in cell for cell in cells):
                raise csv.Error("a cell continues on the next line")
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        raise broken_row(error, path, line) from None


def _automl(cells: Sequence[str]) -> _Columns | None:
    """The columns of AutoML's rows, which have no names; None if `cells` is no such row."""
    start = int(bool(cells) and cells[0].lower() in _SETS)
    numbers = [cells[start + place] for place in _AUTOML] if len(cells) in (start + 10, start + 9) else []
    if not numbers or not all(text == "" or plain_number(text) is not None for text in numbers):
        return None
    corners = tuple(start + place for place in _AUTOML)
    return _Columns(start, start + 1, corners, 0 if start else None, None, start + 10)


def _named(cells: Sequence[str], path: Path) -> _Columns:
    names = [_SPELLED.get(cell.lower(), cell.lower()) for cell in cells]

    def column(*wanted: str) -> int:
        places = [names.index(name) for name in wanted if name in names]
        if not places:
            has = ", ".join(name for name in names if name)[:200] or "nothing"
            message = f"the first line must name the columns, one of them '{wanted[0]}'; it has {has}"
            raise DataError(message, "format", path=path, line=1)
        if names.count(names[places[0]]) > 1:
            message = f"the first line names the column '{names[places[0]]}' twice; remove one of them"
            raise DataError(message, "format", path=path, line=1)
        return places[0]

    corners = tuple(column(name) for name in CORNERS)
    sides = (names.index("width"), names.index("height")) if {"width", "height"} <= set(names) else None
    split = next((names.index(name) for name in SPLIT_COLUMNS if name in names), None)
    return _Columns(column("image", *PATH_COLUMNS), column("label", *CLASS_COLUMNS), corners, split, sides, len(names))


def _take(
    cells: Sequence[str],
    line: int,
    columns: _Columns,
    file: ListedFile,
    images: dict[str, ListedImage],
    whole: float | None,
) -> None:
    """Add a row to its picture, or to the file's problems."""
    if any(cells[columns.count :]):
        message = f"{len(cells)} cells instead of {columns.count}; put a cell with a comma in it into double quotes"
        fault, name = file.fault(message, line), cells[columns.path]
        file.problems.append(fault)
        if name:  # probably a box of this picture
            images.setdefault(name, ListedImage(_plain(name), None, line, _last(name))).problems.append(fault)
        return
    row = [*cells, *[""] * (columns.count - len(cells))]
    name, word, texts = row[columns.path], row[columns.word], [row[place] for place in columns.corners]
    if not name:
        file.problems.append(file.fault("the row names no picture; fill it in or remove the row", line))
        return
    image = images.get(name)
    split = row[columns.split] if columns.split is not None else ""
    subset = split_cell(split)
    if image is None:
        image = images[name] = ListedImage(_plain(name), None, line, _last(name), subset)
    _declare(image, _size(row, columns), line, file)
    if image.subset != subset:
        image.problems.append(file.fault(f"'{name}' is in two splits, see line {image.line}", line, "repeated"))
    if not word and not any(texts):
        return  # a picture without defects
    numbers = [plain_number(text) for text in texts]
    values = [value for value in numbers if value is not None and math.isfinite(value)]
    if not word:
        image.problems.append(file.fault("the row has a box and no class; fill it in or remove the row", line, "class"))
    elif len(values) < 4:
        bad = next(
            text for text, value in zip(texts, numbers, strict=True) if value is None or not math.isfinite(value)
        )
        message = f"'{bad[:40]}' is not a number; a row has {', '.join(CORNERS)}"
        image.problems.append(file.fault(message, line, "value"))
    else:
        image.marks.append(Mark(word, _corners(values), line, whole))


def _declare(image: ListedImage, size: tuple[float, float] | None, line: int, file: ListedFile) -> None:
    """Note the size that a row declares, which all rows of a picture must agree on: its box was drawn for that size."""
    if image.size is None and size is not None:
        image.size, image.size_line = size, line
    elif image.size is not None and size is not None and size != image.size:
        told = f"'{image.file_name}' is declared {size[0]:g} x {size[1]:g}"
        message = f"{told}, but {image.size[0]:g} x {image.size[1]:g} in line {image.size_line}; correct the wrong one"
        image.problems.append(file.fault(message, line, "size"))


def _corners(values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = values
    return x1, y1, x2, y2


def _size(row: Sequence[str], columns: _Columns) -> tuple[float, float] | None:
    sides = [plain_number(row[place]) for place in columns.sides or ()]
    if len(sides) == 2 and sides[0] and sides[1] and math.isfinite(sides[0]) and math.isfinite(sides[1]):
        return sides[0], sides[1]
    return None


def _plain(name: str) -> str:
    """A path without the address of a bucket in front."""
    scheme, mark, rest = name.partition("://")
    return rest.partition("/")[2] if mark and scheme in ("gs", "s3", "https", "http") else name


def _last(name: str) -> tuple[str, ...]:
    return (name.rpartition("/")[2],) if "://" in name else ()


def _settle(file: ListedFile, whole: float | None, rules: Rules) -> None:
    """Decide whether the numbers are pixels or shares, or refuse what can be both."""
    marks = [mark for image in file.images for mark in image.marks]
    beyond = next((mark for mark in marks if max(mark.box) > _WHOLE), None)
    within = next((mark for mark in marks if _within(mark.box)), None)
    if rules.coordinates == "shares" or whole is not None:
        if beyond is not None and rules.coordinates != "pixels":
            rows = "AutoML's rows have shares" if whole is not None else "'coordinates: shares' are numbers"
            message = f"the value {max(beyond.box):g} is more than 1, and {rows} from 0 to 1 (pixels?)"
            file.problems.append(file.fault(message, beyond.line, "value"))
        for mark in marks:
            mark.whole = None if rules.coordinates == "pixels" else 1.0
    elif rules.coordinates is None and marks and beyond is None:
        _unsettled(file, "every number is from 0 to 1", marks[0].line)
    elif rules.coordinates is None and beyond is not None and within is not None:
        told = f"the box's numbers are from 0 to 1, but line {beyond.line} has {max(beyond.box):g}"
        _unsettled(file, told, within.line)


def _within(box: Box) -> bool:
    """Whether a box can be one in shares; one without an area is a mistake in pixels as well."""
    x1, y1, x2, y2 = box
    return max(box) <= _WHOLE and x1 < x2 and y1 < y2


def _unsettled(file: ListedFile, told: str, line: int) -> None:
    """Refuse the file, and its pictures with boxes: those would be used where faults of the file are skipped."""
    message = f"{told}: pixels or shares of the picture's sides? {_ADVICE}"
    fault = file.fault(message, line, "value")
    file.problems.append(fault)
    for image in file.images:
        if image.marks:
            image.problems.append(fault)
