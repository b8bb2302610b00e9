"""A box of a picture as it is labelled, with what the label file says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in pixels of the picture as shown, the convention of `lightdet.structures`."""
State: TypeAlias = Literal["unlabelled", "labelled", "doubtful"]


@dataclass(frozen=True)
class Mark:
    """A box and its class.

    Attributes:
        box: where it is.
        name: its class.
        element: what the label file says of it, word for word: a row, an XML element, a JSON object. None for a box
            that no file holds yet.
        outline: whether the element is more than a box (a polygon, a mask), which is lost when the box is moved.
    """

    box: Box
    name: str
    element: str | None = None
    outline: bool = False


Content: TypeAlias = tuple[Mark, ...] | None
"""The marks of a picture; None if it has no labels at all, which is not the same as having none to mark."""


def fingerprint(content: Content) -> str:
    """Return 16 hexadecimal digits that differ where two contents differ in a box, a class or an element."""
    rows = None if content is None else [[list(mark.box), mark.name, mark.element] for mark in content]
    return hashlib.sha256(json.dumps(rows).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def same_box(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes are equal to a ten-thousandth of a pixel."""
    return all(abs(a - b) < 1e-4 for a, b in zip(one, other, strict=True))
