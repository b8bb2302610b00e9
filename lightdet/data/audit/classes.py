"""Findings from the numbers by class and split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lightdet.arrays import IntArray
from lightdet.data.audit.findings import Finding
from lightdet.data.audit.statistics import SplitStatistics
from lightdet.wording import counted

RARE = 50
"""A class with fewer boxes than this in ``train`` is called rare."""
IMBALANCE = 10.0
"""The imbalance is reported from this ratio of the most to the least frequent class of ``train`` on."""


def check_classes(splits: Mapping[str, SplitStatistics], classes: Sequence[str], one: str) -> Iterator[Finding]:
    """Find classes without examples, missing in a split, rare or out of balance.

    Args:
        splits: the numbers.
        classes: names by label.
        one: the word for an example: ``box`` or ``picture``.
    """
    yield from _alike(classes)
    many = counted(2, one).partition(" ")[2]
    total: IntArray = np.zeros(len(classes), np.int64)
    for numbers in splits.values():
        total = total + numbers.counts
    for index, name in enumerate(classes):
        if not total[index]:
            yield Finding("class-empty", "warning", f"no split holds a {one} of class '{name}'")
            continue
        for split, numbers in splits.items():
            if not numbers.counts[index] and numbers.counts.any():
                effect = "it cannot be learned" if split == "train" else "nothing is measured for it"
                yield Finding("class-absent", "warning", f"no {one} of class '{name}': {effect}", split)
    train = splits.get("train")
    if train is None:
        return
    present = train.counts[train.counts > 0]
    for rare in np.flatnonzero((train.counts > 0) & (train.counts < RARE)):
        message = f"class '{classes[int(rare)]}' has {counted(int(train.counts[rare]), one)}"
        yield Finding("class-rare", "warning", message, "train")
    if len(present) > 1 and present.max() > IMBALANCE * present.min():
        ratio = float(present.max() / present.min())
        least = classes[int(np.where(train.counts, train.counts, train.counts.max()).argmin())]
        message = f"'{classes[int(train.counts.argmax())]}' has {ratio:.0f} times as many {many} as '{least}'"
        yield Finding("imbalance", "note", message, "train")


def _alike(classes: Sequence[str]) -> Iterator[Finding]:
    """Names such as ``OK``, ``ok`` and ``o.k.``, as in hand-typed tables."""
    written: dict[str, list[str]] = {}
    for name in classes:
        letters = "".join(letter for letter in name.casefold() if letter.isalnum())
        written.setdefault(letters or name, []).append(name)
    for names in written.values():
        if len(names) > 1:
            yield Finding("class-alike", "warning", f"the classes {', '.join(map(repr, names))} count as {len(names)}")
