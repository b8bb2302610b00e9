"""The labelled pictures that a promise rests on: known again, and each of them counted once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightdet.data.picture_digest import picture_digest
from lightdet.errors import UserError


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
