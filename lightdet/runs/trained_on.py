"""The pictures of a training, kept beside its model: a later test should not be on pictures that it has learned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.card import peek_model_card
from lightdet.data.picture_digest import picture_digest
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.runs.calibration_pictures import MARK, known_marks

FILE_NAME = "trained_on.json"


def digests_of(data: Any) -> dict[str, list[str]]:
    """Return the digests of the pictures of a training's `data`, by split and in its order.

    Raises:
        UserError: a picture can no longer be read.
    """
    splits = {"train": data.train, "val": data.val}
    return {
        name: [picture_digest(each.image) for each in pictures.annotations]
        for name, pictures in splits.items()
        if pictures is not None
    }


def add_trained_on(folder: Path, digests: Mapping[str, Sequence[str]]) -> None:
    """Add what `digests_of` gave to the folder's list, before the first weights of a training are written into it.

    The models of a training that is replaced are there until the new one has written both: their pictures stay in the
    list until `write_trained_on`. If nobody knows those, there is no list until then.
    """
    known: Mapping[str, frozenset[str]] = {}
    if any((folder / name).exists() for name in ("best.safetensors", "last.safetensors")):
        kept = _kept(folder)
        if kept is None:
            return
        known = kept
    write_trained_on(folder, {name: [*{*digests.get(name, ()), *known.get(name, ())}] for name in ("train", "val")})


def write_trained_on(folder: Path, digests: Mapping[str, Sequence[str]]) -> None:
    """Write what `digests_of` gave into the folder of a training, all of whose models have learned from it."""
    write_json(folder / FILE_NAME, {name: sorted(each) for name, each in digests.items()})


@dataclass(frozen=True)
class Seen:
    """Number of pictures that a training learned from, and that chose its best epoch; `first` is one of the former."""

    train: int = 0
    val: int = 0
    first: Path | None = None


def seen_by(weights: Path, pictures: Sequence[Path]) -> Seen | None:
    """Return which of `pictures` the training of the model `weights` used; None if neither folder nor card says it."""
    learned = learned_marks(weights)
    if learned is None:
        return None
    measured = (_kept(weights.parent) or {}).get("val", frozenset())
    digests = [picture_digest(picture) for picture in pictures]
    hits = [path for path, digest in zip(pictures, digests, strict=True) if digest[:MARK] in learned]
    return Seen(len(hits), sum(digest in measured for digest in digests), hits[0] if hits else None)


def check_unlearned(weights: Path, pictures: Sequence[Path], instead: str) -> Seen | None:
    """Refuse pictures that a model has learned from; returns what `seen_by` does.

    Args:
        weights: the model.
        pictures: that it is to look at as at new ones.
        instead: what to do, for the message.

    Raises:
        UserError: it has learned from some of them.
    """
    seen = seen_by(weights, pictures)
    if seen is not None and seen.train:
        raise UserError(
            f"was trained on {seen.train} of these {len(pictures)} pictures ({seen.first}): {instead}", path=weights
        )
    return seen


def learned_marks(weights: Path) -> frozenset[str] | None:
    """Return the marks (`mark_of`) of the pictures that a model has learned from; None if nothing says them.

    Those of a cross-validation's model are in its card too, as its estimate is from the pictures that it learned from.
    """
    kept, card = _kept(weights.parent), peek_model_card(weights)
    record = {} if card is None or card.decision is None else card.decision.get("calibration_set")
    crossed = known_marks(record) if isinstance(record, Mapping) and isinstance(record.get("splits"), Mapping) else None
    if kept is None:
        return crossed
    return frozenset(digest[:MARK] for digest in kept["train"]) | (crossed or frozenset())


def _kept(folder: Path) -> dict[str, frozenset[str]] | None:
    """The list in a folder by split, None if there is none that can be read."""
    try:
        kept = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        return {name: frozenset(kept.get(name, ())) for name in ("train", "val")}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
