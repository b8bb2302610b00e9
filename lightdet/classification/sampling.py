"""The pictures of an epoch if classes differ in size; determined by the epoch's number."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lightdet.arrays import AnyArray, IntArray

Sampling = Literal["none", "balanced", "oversample", "undersample"]


class ClassOrder:
    """The order of an epoch's pictures.

    ``none``: all of them, shuffled. ``balanced``: as many draws as there are pictures, with replacement, each class
    equally often on average. ``oversample``: every class repeated up to the size of the largest, each picture as
    often as the others of its class, give or take one. ``undersample``: as many of each class as the smallest has,
    drawn again each epoch. Classes without a picture do not count.

    Args:
        labels: the class of each picture, int64 ``[N]``.
        kind: one of those.
        seed: of the draws.
    """

    def __init__(self, labels: IntArray, kind: Sampling, *, seed: int) -> None:
        self.labels = labels
        self.kind = kind
        self.seed = seed
        self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def __len__(self) -> int:
        """Pictures per epoch."""
        sizes = [len(members) for members in self.members]
        if self.kind == "oversample":
            return max(sizes) * len(sizes)
        if self.kind == "undersample":
            return min(sizes) * len(sizes)
        return len(self.labels)

    def draw(self, epoch: int) -> IntArray:
        """The indices of an epoch, int64 ``[len(self)]``."""
        rng = np.random.default_rng((self.seed, epoch))
        if self.kind == "none":
            return rng.permutation(len(self.labels)).astype(np.int64)
        if self.kind == "balanced":
            share = np.zeros(len(self.labels))
            for members in self.members:
                share[members] = 1 / (len(members) * len(self.members))
            return rng.choice(len(self.labels), size=len(self.labels), p=share).astype(np.int64)
        each = len(self) // len(self.members)
        chosen = [_repeated(members, each, rng) for members in self.members]
        return rng.permutation(np.concatenate(chosen)).astype(np.int64)


def _repeated(members: IntArray, count: int, rng: np.random.Generator) -> AnyArray:
    """`count` of the members: whole rounds, then a part of one without repetition."""
    rounds, rest = divmod(count, len(members))
    return np.concatenate([np.tile(members, rounds), rng.permutation(members)[:rest]])
