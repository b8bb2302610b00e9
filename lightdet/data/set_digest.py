"""A split recognised again: its pictures by their bytes and names, its labels, and their order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

_PLACES = 2
"""Decimals of a box's corners: in the last bits of a float, versions and computers may differ."""


def set_digest(labelled: Iterable[Any], pictures: Iterable[str]) -> str:
    """Return a SHA-256 in hexadecimal that another picture, name, label or order changes; folders do not count.

    Args:
        labelled: the split's annotations, or its pictures with one class each.
        pictures: `lightdet.data.picture_digest.picture_digest` of each.
    """
    digest = hashlib.sha256()
    for each, picture in zip(labelled, pictures, strict=True):
        digest.update(repr((each.image.name, picture, _labels(each))).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _labels(labelled: Any) -> Any:
    boxes = getattr(labelled, "boxes", None)
    if boxes is None:
        return labelled.label
    corners = np.round(boxes.astype(np.float64), _PLACES) + 0.0  # no -0.0
    crowd = None if labelled.crowd is None else labelled.crowd.tolist()
    return corners.tolist(), labelled.labels.tolist(), crowd
