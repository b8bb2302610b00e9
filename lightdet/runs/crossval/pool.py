"""The pictures of a cross-validation, from whatever splits, and how they are divided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightdet.data.audit.pictures import check_pictures
from lightdet.data.dataset import DatasetSpec, OnError, read_split
from lightdet.data.fold_file import Folds
from lightdet.data.folds import check_folds, draw_folds
from lightdet.data.paths import below_root
from lightdet.data.splits import alike_groups
from lightdet.errors import UserError
from lightdet.tasks import Task

DEFAULT = ("train", "val")


@dataclass(frozen=True)
class Pool:
    """The pictures.

    Attributes:
        splits: where they come from.
        left_out: the data set's other splits.
        truths: each picture once, by name (`lightdet.data.paths.below_root`).
        by_split: the names of each split's pictures.
        skipped: what was left out, one line each.
    """

    splits: tuple[str, ...]
    left_out: tuple[str, ...]
    truths: Mapping[str, Any]
    by_split: Mapping[str, Sequence[str]]
    skipped: tuple[str, ...]

    @property
    def called(self) -> str:
        """The splits in words: ``train + val``."""
        return " + ".join(self.splits)


def splits_taken(spec: DatasetSpec, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the splits to take pictures from; if none is asked for, ``train`` and ``val``, never ``test``.

    Raises:
        UserError: there is no such split.
    """
    taken = tuple(dict.fromkeys(asked)) or tuple(name for name in DEFAULT if name in spec.splits)
    if not taken:
        raise UserError(
            f"there is neither 'train' nor 'val'; name the splits to take with --split: {', '.join(spec.splits)}",
            path=spec.path,
        )
    for name in taken:
        spec.split(name)
    return taken


def read_pool(spec: DatasetSpec, splits: tuple[str, ...], on_error: OnError) -> Pool:
    """Read the labels of the pictures; no pixels.

    Raises:
        UserError: a broken picture or label (unless skipped).
    """
    truths: dict[str, Any] = {}
    by_split: dict[str, list[str]] = {}
    skipped: list[str] = []
    for split in splits:
        found, faults = read_split(spec, split, on_error=on_error)
        by_split[split] = [below_root(truth.image, spec.root) for truth in found]
        truths.update(zip(by_split[split], found, strict=True))
        skipped += [str(fault) for fault in faults]
    left_out = tuple(name for name in spec.splits if name not in splits)
    return Pool(splits, left_out, dict(sorted(truths.items())), by_split, tuple(skipped))


def divide(
    pool: Pool, spec: DatasetSpec, task: Task, folds: int, seed: int, progress: Callable[[int, int], None]
) -> Folds:
    """Divide the pictures into folds; every picture is decoded once, to keep look-alikes together.

    Raises:
        UserError: they cannot be divided, or a picture cannot be decoded.
    """
    checks = list(check_pictures([truth.image for truth in pool.truths.values()], progress))
    for check in checks:
        if check.error is not None:
            raise UserError(
                f"{check.error.message}; a cross-validation needs every picture: repair or remove it",
                path=check.error.path,
            )
    labels = [task.folding.classes_in(truth) for truth in pool.truths.values()]
    groups = alike_groups(checks)
    try:
        check_folds(labels, groups, spec.classes, folds)
    except UserError as error:
        raise UserError(error.message, path=spec.path) from None
    drawn = draw_folds(list(pool.truths), labels, groups, folds, seed)
    names = [[name for name, fold in zip(pool.truths, drawn, strict=True) if fold == wanted] for wanted in range(folds)]
    return Folds(pool.splits, tuple(tuple(each) for each in names))
