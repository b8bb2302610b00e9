"""The folds of a cross-validation as a file of names: no picture is copied, and the data set is not changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import write_json

FORMAT = 1
HELD_OUT = "held out"
"""The name of the split that a fold is."""


@dataclass(frozen=True)
class Folds:
    """The pictures of some splits, divided.

    Attributes:
        splits: where the pictures come from.
        pictures: the names of each fold's pictures (`lightdet.data.paths.below_root`), sorted.
    """

    splits: tuple[str, ...]
    pictures: tuple[tuple[str, ...], ...]

    def training(self, spec: DatasetSpec, left_out: int | None) -> DatasetSpec:
        """Return a data set whose only split, ``train``, is all folds but one; None: all of them."""
        kept = (names for fold, names in enumerate(self.pictures) if fold != left_out)
        chosen = spec.chosen(self.splits, chain.from_iterable(kept))
        return replace(spec.put_together({"train": chosen}), absent={})

    def held_out(self, spec: DatasetSpec, fold: int) -> DatasetSpec:
        """Return a data set whose only split, ``held out``, is one fold."""
        return replace(spec.put_together({HELD_OUT: spec.chosen(self.splits, self.pictures[fold])}), absent={})

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"folds": FORMAT, "splits": list(self.splits), "pictures": [list(names) for names in self.pictures]}


def write_folds(path: Path, folds: Folds) -> None:
    """Write `folds`, which `read_folds` reads."""
    write_json(path, folds.as_dict())


def read_folds(path: Path) -> Folds:
    """Read the folds that a cross-validation wrote.

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["folds"] != FORMAT:
            raise ValueError(value["folds"])
        folds = Folds(tuple(value["splits"]), tuple(tuple(names) for names in value["pictures"]))
        if not all(isinstance(text, str) for text in chain(folds.splits, *folds.pictures)) or not folds.splits:
            raise TypeError
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=path) from None
    except (ValueError, KeyError, TypeError):
        raise UserError("does not hold the folds of a cross-validation; use a new --output", path=path) from None
    return folds
