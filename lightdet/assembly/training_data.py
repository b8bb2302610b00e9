"""The splits for training and validation: read, and every picture decoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from lightdet.data.dataset import DatasetSpec, OnError
from lightdet.data.joined import read_training_splits
from lightdet.data.pictures import PictureStore
from lightdet.errors import UserError

Store = TypeVar("Store", bound=PictureStore[Any])


@dataclass
class TrainingData(Generic[Store]):
    """The two splits of a training, decoded as far as memory allows.

    Attributes:
        names: class names by label.
        train, val: the pictures; `val` is None if there is no such split.
        skipped: what was left out.
        unmeasured: why no epoch can be scored, so that the last one is used; None if they can.
        notes: what was taken from where, and what stands in for labels, one line each.
    """

    names: tuple[str, ...]
    train: Store
    val: Store | None
    skipped: list[UserError]
    unmeasured: str | None = None
    notes: Sequence[str] = ()


Complete: TypeAlias = Callable[[list[Any]], tuple[list[Any], list[str]]]
"""Completes the labels of the split ``train``; returns them, and what a person should know of that."""


def as_they_are(truths: list[Any]) -> tuple[list[Any], list[str]]:
    """Leave labels as they are."""
    return truths, []


def read_training_data(
    spec: DatasetSpec,
    decode: Callable[..., Store],
    *,
    check: Callable[[Sequence[Any]], None],
    unmeasured: Callable[[Sequence[Any]], str | None],
    cache_mib: float,
    on_error: OnError,
    progress: Callable[[int, int], None],
    complete: Complete = as_they_are,
) -> TrainingData[Store]:
    """Read the splits ``train`` and ``val`` (if there is one) and decode every picture once.

    Args:
        spec: the data set.
        decode: makes the pictures of a split; called with its truths and options of `PictureStore`.
        check: refuses truths of ``train`` that nothing can be learned from.
        unmeasured: says why no epoch can be scored on truths of ``val``.
        cache_mib: memory for the decoded pictures of both splits in MiB.
        on_error: stop at the first broken picture or label, or leave it out.
        progress: called with (pictures done, total).
        complete: completes the labels to train on.

    Raises:
        UserError: the first broken picture or label; with ``on_error="skip"`` only if nothing is left.
    """
    read = read_training_splits(spec, on_error=on_error)
    train, told = complete(read.train)
    val, skipped = read.val, read.skipped
    check(train)
    total, done = len(train) + len(val), 0

    def one_more() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    def decoded(truths: Sequence[Any]) -> Store:
        return decode(
            truths,
            bit_depth=spec.bit_depth,
            cache_mib=int(cache_mib * len(truths) / total),
            skip_broken=on_error == "skip",
            progress=one_more,
        )

    pictures = decoded(train)
    check(pictures.annotations)  # some may have been left out
    validation = decoded(val) if val else None
    skipped = [*skipped, *pictures.broken, *(validation.broken if validation else [])]
    reason = unmeasured(validation.annotations if validation else ())
    return TrainingData(spec.classes, pictures, validation, skipped, reason, [*read.notes, *told])
