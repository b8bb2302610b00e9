"""Another program's detections: COCO JSON, matched to a data set's pictures and classes.

Two shapes are read. A bare list of results, as COCO's own evaluation takes it
(``[{"image_id", "category_id", "bbox": [x, y, width, height], "score"}, …]``), and an object that brings its own
``images`` and ``categories`` beside ``annotations`` with scores, as ``lightdet detect --save coco`` writes it.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.errors import UserError
from lightdet.evaluation.named_pictures import NamedPictures
from lightdet.evaluation.numbering import doubtful_numbers
from lightdet.missing import why_missing
from lightdet.structures import Annotation, Detections

MAX_BYTES = 1 << 30
Row = tuple[float, float, float, float, float, int]
"""x1, y1, x2, y2, score, label."""


@dataclass(frozen=True)
class Ids:
    """The meaning of the numbers in a file, if the file or the data set gives it.

    Attributes:
        images: file name by ``image_id``.
        categories: class name by ``category_id``.
        folders: what the file names of a data set's own file are relative to.
    """

    images: Mapping[int | str, str] = field(default_factory=dict)
    categories: Mapping[int | str, str] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()


def read_predictions(
    path: Path,
    annotations: Sequence[Annotation],
    names: Sequence[str],
    *,
    ids: Ids | None = None,
    root: Path | None = None,
    skip: bool = False,
) -> tuple[list[Detections], list[str]]:
    """Read detections and order them by the pictures of `annotations`.

    An ``image_id`` is, in this order: a number that the file's ``images`` or `ids` explain; a file name, with as
    much of its path as makes it unique and no folder that contradicts it (see `NamedPictures`), or its stem; a number
    that is a picture's stem. A ``category_id`` is a number that the file's ``categories`` or `ids` explain, a class
    name, or else the class's index from 0. What an entry says beside its numbers, ``file_name`` and
    ``category_name``, explains them and must not contradict them.

    Args:
        path: the JSON file.
        annotations: the pictures that are evaluated; those without an entry have no detections.
        names: class names by label.
        ids: meaning of the numbers, from the data set's own COCO file.
        root: the data set's folder; folders above it may be called otherwise in the file.
        skip: leave out entries for pictures that are not among `annotations`, and say so, instead of raising.

    Returns:
        One `Detections` per picture, and a line for each picture that was left out.

    Raises:
        UserError: an unreadable or foreign file, an entry that is not a detection, an unknown picture or class, or
            unexplained numbers that do not seem to mean what they were read as.
    """
    entries, own = _load(path)
    known = ids or Ids()
    images, categories = own.images or known.images, own.categories or known.categories
    folders = () if own.images else known.folders
    pictures = NamedPictures(annotations, images, root, folders)
    labels = _Labels(names, categories)
    rows: dict[int, list[Row]] = defaultdict(list)
    unknown: dict[str, int] = {}
    for number, entry in enumerate(entries):
        what = f"entry {number + 1}"
        try:
            index = pictures.find(_value(entry, "image_id"), _name(entry, "file_name"))
        except LookupError as error:
            if not skip:
                raise UserError(f"{what}: {error.args[0]}", path=path) from None
            unknown[error.args[0]] = unknown.get(error.args[0], 0) + 1
            continue
        except ValueError as error:
            raise UserError(f"{what}: {error}", path=path) from None
        rows[index].append(_row(entry, labels, what, path))
    found = [_detections(rows[i], tuple(names), annotation.size) for i, annotation in enumerate(annotations)]
    if labels.unexplained and (doubt := doubtful_numbers(labels.unexplained, found, annotations)):
        raise UserError(f"{doubt}; give 'category_name' in each entry, or an object with 'categories'", path=path)
    return found, [f"{path}: {reason} ({count} detections)" for reason, count in unknown.items()]


def _row(entry: dict[str, Any], labels: _Labels, what: str, path: Path) -> Row:
    try:
        box, score = _box(entry), _score(entry)
        return (*box, score, labels.find(_value(entry, "category_id"), _name(entry, "category_name")))
    except ValueError as error:
        raise UserError(f"{what}: {error}", path=path) from None


def coco_ids(path: Path, folders: Sequence[Path] = ()) -> Ids:
    """Read the meaning of the numbers in a data set's COCO file, whose pictures are in `folders`.

    Raises:
        UserError: the file cannot be read or is not a COCO data set.
    """
    value = _json(path)
    if not isinstance(value, dict):
        raise UserError("must be a JSON object with 'images' and 'categories'", path=path)
    return Ids(_table(value, "images", "file_name", path), _table(value, "categories", "name", path), tuple(folders))


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"larger than {MAX_BYTES >> 30} GiB; is this the right file?", path=path)
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(why_missing(path, error), path=path) from None
    except UnicodeDecodeError:
        raise UserError("not JSON text; give detections as COCO JSON", path=path) from None
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON: {error.msg}", path=path, line=error.lineno) from None
    except (ValueError, RecursionError):
        raise UserError("not valid JSON: a number too long or lists too deep", path=path) from None


def _load(path: Path) -> tuple[list[Any], Ids]:
    value = _json(path)
    if isinstance(value, dict) and isinstance(value.get("annotations"), list):
        ids = Ids(_table(value, "images", "file_name", path), _table(value, "categories", "name", path))
        return value["annotations"], ids
    if isinstance(value, list):
        return value, Ids()
    raise UserError("must be COCO JSON: a list of results, or an object with 'annotations'", path=path)


def _table(value: dict[str, Any], key: str, wanted: str, path: Path) -> dict[int | str, str]:
    entries = value.get(key, [])
    if not isinstance(entries, list):
        raise UserError(f"'{key}' must be a list", path=path)
    table: dict[int | str, str] = {}
    for number, entry in enumerate(entries):
        here = isinstance(entry, dict) and isinstance(entry.get("id"), int | str) and isinstance(entry.get(wanted), str)
        if not here:
            raise UserError(f"{key}, entry {number + 1}: must have 'id' and '{wanted}'", path=path)
        table[entry["id"]] = entry[wanted]
    return table


def _value(entry: Any, key: str) -> int | str:
    if not isinstance(entry, dict):
        raise ValueError("must be an object with image_id, category_id, bbox and score")
    if key not in entry:
        raise ValueError(f"'{key}' is missing")
    value = entry[key]
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"'{key}' must be a number or a name, got {value!r:.40}")
    return value


def _name(entry: dict[str, Any], key: str) -> str | None:
    """A name given beside a number, stripped; None if there is none."""
    value = entry.get(key)
    return value.strip() if isinstance(value, str) and value.strip() else None


def _box(entry: dict[str, Any]) -> tuple[float, float, float, float]:
    box = entry.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(_is_number(value) for value in box)):
        raise ValueError("'bbox' must be four numbers [x, y, width, height]")
    x, y, width, height = (float(value) for value in box)
    if width < 0 or height < 0:
        raise ValueError(f"the box has a negative width or height ({width:g} x {height:g})")
    return x, y, x + width, y + height


def _score(entry: dict[str, Any]) -> float:
    score = entry.get("score")
    if score is None or not _is_number(score) or not 0.0 <= score <= 1.0:
        shown = "is missing" if score is None else f"must lie in 0-1, got {score!r:.40}"
        raise ValueError(f"'score' {shown}")
    return float(score)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # float32 holds no more than this, and no picture does either
    return abs(value) < 1e9 and math.isfinite(value)


def _detections(rows: list[Row], names: tuple[str, ...], size: tuple[int, int]) -> Detections:
    if not rows:
        return Detections.empty(names, size)
    table = np.array(rows, np.float64)
    table = table[np.argsort(-table[:, 4], kind="stable")]
    boxes, scores, labels = table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5]
    return Detections(boxes, scores, labels.astype(np.int64), names, size)


class _Labels:
    """Finds the class for a ``category_id``."""

    def __init__(self, names: Sequence[str], ids: Mapping[int | str, str]) -> None:
        self.ids = ids
        self.names = list(names)
        self.by_name = {name: label for label, name in enumerate(names)}
        self.unexplained: set[int] = set()
        self._named: dict[int | str, str] = {}

    def find(self, value: int | str, name: str | None = None) -> int:
        """Return the label of the ``category_id`` `value`; `name` is the entry's ``category_name``.

        Raises:
            ValueError: there is none (the message lists what is known), or the two belong to different classes.
        """
        if name is None:
            return self._number(value)
        known = str(self.ids.get(value, value if isinstance(value, str) else self._named.setdefault(value, name)))
        if known.strip() != name:
            raise ValueError(f"category_id {value} is '{known}', but 'category_name' says '{name}'")
        if name not in self.by_name:
            raise ValueError(f"unknown class '{name}'; the data set has {', '.join(self.names)}")
        return self.by_name[name]

    def _number(self, value: int | str) -> int:
        if value in self.ids or isinstance(value, str):
            name = str(self.ids.get(value, value)).strip()
            if name not in self.by_name:
                raise ValueError(f"unknown class '{name}'; the data set has {', '.join(self.names)}")
            return self.by_name[name]
        if self.ids:
            raise ValueError(f"category_id {value} is not among 'categories'")
        if not 0 <= value < len(self.names):
            raise ValueError(
                f"category_id {value} is not a class index (0-{len(self.names) - 1}); for other numbers give an object "
                "with 'categories'"
            )
        self.unexplained.add(value)
        return value
