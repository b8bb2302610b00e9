"""Pictures divided into folds: each is left out of one training of a cross-validation, and judged by it.

Look-alikes stay in one fold, so that no model is judged on a copy of what it has learned, and every class (and the
pictures without any) is spread evenly: iterative stratification (Sechidis et al. 2011) over groups instead of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightdet.arrays import AnyArray, IntArray
from lightdet.data.splits import spread_out, units_of
from lightdet.errors import UserError
from lightdet.wording import counted

DRAWS = 8
"""The most even of so many draws is taken: of pictures with several classes, one draw can be unlucky."""


def draw_folds(
    pictures: Sequence[str], labels: Sequence[IntArray], groups: IntArray, folds: int, seed: int
) -> IntArray:
    """Give each of ``N`` pictures to one of `folds` folds; the order in which they are listed does not matter.

    If each picture has one class and no look-alike, two folds differ by at most one picture of each class, and in all
    by at most one. With look-alikes of one class, by at most the pictures of the largest group. Pictures of several
    classes are spread as evenly as one pass allows; `check_folds` says what is too uneven.

    Args:
        pictures: a unique name for each.
        labels: the classes in each: int64 ``[K]``, possibly none.
        groups: ``[N]``; pictures of one group stay together.
        folds: how many, at least 2.
        seed: the same seed draws the same folds.

    Returns:
        int64 ``[N]``: the fold of each picture, from 0.
    """
    order = sorted(range(len(pictures)), key=lambda index: pictures[index])
    numbers: dict[int, int] = {}
    known: IntArray = np.array([numbers.setdefault(int(groups[index]), len(numbers)) for index in order], np.int64)
    units = units_of([labels[index] for index in order], known)
    rng = np.random.default_rng(seed)
    drawn = [_drawn(units, folds, rng) for _ in range(DRAWS)]
    best = min(drawn, key=lambda sides: _unevenness(units, sides, folds))
    result: IntArray = np.empty(len(pictures), np.int64)
    result[order] = best[known]
    return result


def _drawn(units: AnyArray, folds: int, rng: np.random.Generator) -> IntArray:
    order = rng.permutation(len(units))
    order = order[np.argsort(-units[order, 0], kind="stable")]  # large groups first: small ones even out the rest
    return spread_out(units, np.tile(units.sum(axis=0) / folds, (folds, 1)), order)


def _unevenness(units: AnyArray, sides: IntArray, folds: int) -> float:
    """The largest difference between two folds in each column, as a share of the column, summed."""
    counts = np.stack([units[sides == fold].sum(axis=0) for fold in range(folds)])
    return float(((counts.max(axis=0) - counts.min(axis=0)) / np.maximum(units.sum(axis=0), 1)).sum())


def check_folds(labels: Sequence[IntArray], groups: IntArray, classes: Sequence[str], folds: int) -> None:
    """Refuse pictures that cannot be divided into so many folds.

    Args:
        labels, groups: as in `draw_folds`.
        classes: the class names.
        folds: how many are wanted.

    Raises:
        UserError: fewer groups of different pictures than folds, in all or of a class that occurs; half of all
            pictures look alike.
    """
    units = units_of(labels, groups)
    largest, pictures = int(units[:, 0].max()), int(units[:, 0].sum())
    if len(units) < folds:
        raise UserError(
            f"{counted(pictures, 'picture')} in {counted(len(units), 'group')} of look-alikes cannot be divided into "
            f"{folds} folds; {_fewer(len(units), 'add pictures')}"
        )
    if 2 * largest > pictures:
        raise UserError(
            f"{largest} of {counted(pictures, 'picture')} look alike and have to stay in one fold, which would leave "
            "less than half to train on; 'lightdet data audit' shows them: keep fewer of them"
        )
    for label, name in enumerate(classes):
        column = units[:, 2 + label] if 2 + label < units.shape[1] else units[:0, 0]
        held, shown = int((column > 0).sum()), int(column.sum())
        if 0 < held < folds:
            alike = f" that look alike in {counted(held, 'group')}" if held < shown else ""
            only = f"the class '{name}' is in only {counted(shown, 'picture')}{alike}"
            way_out = _fewer(held, "add pictures of it, or remove it from the data set")
            raise UserError(f"{only}, and each of {folds} folds needs one; {way_out}")


def _fewer(possible: int, otherwise: str) -> str:
    return f"use --folds {possible}, or {otherwise}" if possible >= 2 else otherwise
