"""Label Studio's JSON-MIN: the data of a task, and beside them a list of regions under the name of each control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightdet.data.formats.label_studio_regions import BESIDE, LABELS, is_region
from lightdet.data.formats.listed import ListedFile

_KEYS_BESIDE = {"text": "textarea", **{kind: kind for kind in sorted(BESIDE)}}
"""What the results that mark no place keep their value under."""
_LOOKED = ("annotation_id", "annotator")
"""Set if somebody annotated the task, empty or null otherwise."""


def min_results(task: Mapping[str, Any], line: int, file: ListedFile) -> list[Any]:
    """The regions of all controls, as results of the full JSON.

    A shape without a class that another control names at the same place (``<Rectangle>`` beside ``<Labels>``) is left
    out: regions have no ids here.

    Raises:
        DataError: there is none, and nothing says that anybody looked at the picture; it is no task.
    """
    if "annotations" in task:
        raise file.fault("the task has no 'data'; export the project as JSON or JSON-MIN", line)
    found = [each for value in task.values() if isinstance(value, list) and any(map(_marks, value)) for each in value]
    if not found and not any(task.get(key) for key in _LOOKED) and task.get("label") != []:
        raise file.fault("the task is not annotated; annotate it or remove it", line, "missing-label")
    results = [{"value": each, "type": _type(each)} | _sizes(each) for each in found]
    named = [_place(each["value"]) for each in results if each["type"].endswith("labels")]
    return [each for each in results if each["type"].endswith("labels") or _place(each["value"]) not in named]


def _marks(entry: object) -> bool:
    """Whether an entry is a region: it has labels, or was drawn on a picture."""
    return isinstance(entry, dict) and (
        _label_key(entry) is not None or ("original_width" in entry and is_region(entry))
    )


def _label_key(entry: Mapping[str, Any]) -> str | None:
    keys = [key for key, value in entry.items() if key.endswith("labels") and isinstance(value, list)]
    return next((key for key in LABELS if key in keys), keys[0] if keys else None)


def _type(entry: object) -> str:
    """The type of the result in the full JSON."""
    if not isinstance(entry, dict):
        return "unlabelled region"
    beside = (kind for key, kind in _KEYS_BESIDE.items() if key in entry)
    shape = "polygon" if "points" in entry else "ellipse" if "radiusX" in entry else "rectangle"
    return _label_key(entry) or next(beside, shape)


def _place(entry: object) -> dict[str, Any]:
    """Where a region is, without what it is called."""
    return (
        {key: entry[key] for key in entry if not isinstance(entry[key], list) or key == "points"}
        if isinstance(entry, dict)
        else {}
    )


def _sizes(entry: object) -> dict[str, Any]:
    keys = ("original_width", "original_height")
    return {key: entry[key] for key in keys if isinstance(entry, dict) and key in entry}
