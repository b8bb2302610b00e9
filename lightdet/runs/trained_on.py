"""The pictures of a training, kept beside its model: a later test should not be on pictures that it has learned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.data.picture_digest import picture_digest
from lightdet.files import write_json

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
    """Return which of `pictures` the training of the model `weights` used; None if its folder does not say."""
    kept = _kept(weights.parent)
    if kept is None:
        return None
    digests = [picture_digest(picture) for picture in pictures]
    hits = [path for path, digest in zip(pictures, digests, strict=True) if digest in kept["train"]]
    return Seen(len(hits), sum(digest in kept["val"] for digest in digests), hits[0] if hits else None)


def _kept(folder: Path) -> dict[str, frozenset[str]] | None:
    """The list in a folder by split, None if there is none that can be read."""
    try:
        kept = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        return {name: frozenset(kept.get(name, ())) for name in ("train", "val")}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
