"""How a split of a data set becomes annotations."""

from __future__ import annotations

from lightdet.data.coco_records import coco_records
from lightdet.data.faults import DataError
from lightdet.data.paired_records import paired_records
from lightdet.data.spec import (
    VAL_ALIASES,
    ClassFormat,
    DatasetSpec,
    Format,
    OnError,
    Record,
    SplitSpec,
    check_there,
)
from lightdet.errors import UserError
from lightdet.structures import Annotation

__all__ = [
    "VAL_ALIASES",
    "ClassFormat",
    "DatasetSpec",
    "Format",
    "OnError",
    "Record",
    "SplitSpec",
    "check_there",
    "read_split",
    "split_records",
]


def read_split(
    spec: DatasetSpec, split: str, *, on_error: OnError = "fail"
) -> tuple[list[Annotation], list[UserError]]:
    """Read the annotations of `split`, in the order of its list (or of the sorted paths).

    Pixels are not decoded: sizes come from the headers.

    Returns:
        The annotations, and with ``on_error="skip"`` one error for each picture or label file left out.

    Raises:
        UserError: the first fault (with its file and line) if `on_error` is ``fail``; in any case an unknown or
            empty split, a folder or list that is missing, or a split without a single good picture.
    """
    records, faults = split_records(spec, split)
    if on_error == "fail" and faults:
        raise faults[0]
    skipped: list[UserError] = list(faults)
    annotations = []
    for record in records:
        try:
            if record.problems:
                raise record.problems[0]
            if record.labels is not None:
                annotations.append(record.labels.annotation(record.image))
        except UserError as error:
            if on_error == "fail":
                raise
            skipped.append(error)
    if not annotations:
        raise spec.split_error(split, f"no usable picture in the split '{split}'; the first fault: {skipped[0]}")
    return annotations, skipped


def split_records(spec: DatasetSpec, split: str) -> tuple[list[Record], list[DataError]]:
    """Read every picture's header and label file of `split`, noting faults instead of raising them.

    Returns:
        The records, and the faults that belong to no picture (list entries, labels without picture).

    Raises:
        UserError: an unknown or empty split, a folder, list or JSON file that is missing, or a file of class names
            beside the labels that contradicts the YAML.
    """
    if spec.labels_pictures:
        raise UserError(
            f"this data set gives each picture a class and marks no boxes (format: {spec.format}): it is for "
            "classifiers (--config configs/classify/….yaml), not for a detector",
            path=spec.path,
        )
    place = spec.split(split)
    check_there(spec, split, place)
    records, faults = coco_records(spec, place) if spec.format == "coco" else paired_records(spec, split, place)
    if not records:
        where = ", ".join(str(path) for path in place.listings or place.images)
        first = f"; the first fault: {faults[0]}" if faults else ""
        raise spec.split_error(split, f"the split '{split}' holds no pictures (looked in {where}){first}")
    return records, faults
