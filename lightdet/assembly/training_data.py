"""The splits for training and validation: read, and every picture decoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lightdet.data.dataset import DatasetSpec, OnError, read_split
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
    """

    names: tuple[str, ...]
    train: Store
    val: Store | None
    skipped: list[UserError]
    unmeasured: str | None = None


def read_training_data(
    spec: DatasetSpec,
    decode: Callable[..., Store],
    *,
    check: Callable[[Sequence[Any]], None],
    unmeasured: Callable[[Sequence[Any]], str | None],
    cache_mib: float,
    on_error: OnError,
    progress: Callable[[int, int], None],
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

    Raises:
        UserError: the first broken picture or label; with ``on_error="skip"`` only if nothing is left.
    """
    train, skipped = read_split(spec, "train", on_error=on_error)
    val: list[Any] = []
    if "val" in spec.splits:
        val, more = read_split(spec, "val", on_error=on_error)
        skipped = skipped + more
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
    return TrainingData(spec.classes, pictures, validation, skipped, reason)
