"""The labelled pictures that a promise rests on: known again, and each of them counted once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightdet.data.picture_digest import picture_digest
from lightdet.errors import UserError

MARKS = "marks"
"""In a calibration's record, beside the fingerprint of all its pictures: the mark of each."""
MARK = 16
"""Hexadecimal digits of a mark. Among 50 000 pictures and as many others, two are alike with a chance of 1e-10."""
MOST_MARKS = 50_000
"""More are not kept: a model file's card is bounded."""


def check_distinct(truths: Sequence[Any]) -> None:
    """Refuse a picture that is there twice: a promise counts independent pictures.

    Raises:
        UserError: two of the labelled pictures `truths` have the same bytes, or one can no longer be read.
    """
    seen: dict[str, Any] = {}
    for truth in truths:
        first = seen.setdefault(picture_digest(Path(truth.image)), truth)
        if first is truth:
            continue
        if _label(first) == _label(truth):
            what = "a promise counts independent pictures: leave one of them out"
        else:
            what = "the two are labelled differently: keep the one whose label is right"
        raise UserError(
            f"is {first.image} again, byte for byte, and {what} ('lightdet data audit' lists all copies)",
            path=truth.image,
        )


def mark_of(truth: Any) -> str:
    """Return what a labelled picture is known by, whatever its name and label.

    Raises:
        UserError: it can no longer be read.
    """
    return picture_digest(Path(truth.image))[:MARK]


def marks(truths: Sequence[Any]) -> str | None:
    """Return the marks of pictures in one text, for a record; None if they are too many.

    Raises:
        UserError: one can no longer be read.
    """
    return None if len(truths) > MOST_MARKS else "".join(sorted(mark_of(truth) for truth in truths))


def known_marks(calibration: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the marks in a record's ``calibration_set``; None if it has none: it is older, or they were too many."""
    text = calibration.get(MARKS)
    if not isinstance(text, str) or not text or len(text) % MARK:
        return None
    return frozenset(text[start : start + MARK] for start in range(0, len(text), MARK))


def fingerprint(truths: Sequence[Any]) -> str:
    """Return the SHA-256 of a set of labelled pictures, in whatever order and under whatever names.

    Raises:
        UserError: a picture can no longer be read.
    """
    each = sorted(_digest(truth) for truth in truths)
    return hashlib.sha256(b"".join(each)).hexdigest()


def _digest(truth: Any) -> bytes:
    digest = hashlib.sha256()
    try:
        digest.update(Path(truth.image).read_bytes())
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=truth.image) from None
    digest.update(repr(_label(truth)).encode())
    return digest.digest()


def _label(truth: Any) -> tuple[Any, ...]:
    """What a person said of a picture, as plain values."""
    boxes = getattr(truth, "boxes", None)
    return (truth.label,) if boxes is None else (boxes.tolist(), truth.labels.tolist())
