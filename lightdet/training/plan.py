"""The length of a training and its progress: by epochs, or by minutes.

A plan gives the learning rate of each step and says in which epochs pictures are combined, and when to end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lightdet.training.checkpoint import Progress
from lightdet.training.schedule import WarmupCosine

SINGLE_SHARE = 0.2
"""The final share of a training on single pictures: no mosaic, mixup or copy-paste."""
WARMUP_SHARE = 1 / 3
"""Warm-up may take at most this share: a short training needs time for the rate to fall again."""
NOTHING_LEFT = 0.01
"""With less than this share of the time left, no new epoch is started."""


class Plan(Protocol):
    """See this module."""

    @property
    def lr(self) -> float:
        """The highest learning rate."""

    def epochs(self, progress: Progress) -> int:
        """The expected number of epochs."""

    def rate(self, progress: Progress) -> float:
        """The learning rate of the next step."""

    def composes(self, progress: Progress) -> bool:
        """Whether pictures may be combined in the next epoch."""

    def is_over(self, progress: Progress) -> bool:
        """Whether to break off the current epoch and end."""

    def is_last(self, progress: Progress) -> bool:
        """Whether the epoch that has just ended (and is not counted yet) was the last."""

    def spent(self) -> float:
        """Seconds since the command started, over all sessions."""


@dataclass(frozen=True)
class EpochPlan:
    """A plan by number of epochs.

    Attributes:
        count: epochs.
        schedule: learning rate by step.
        single_epochs: how many final epochs use single pictures.
    """

    count: int
    schedule: WarmupCosine
    single_epochs: int = 0

    @property
    def lr(self) -> float:
        """See `Plan`."""
        return self.schedule.lr

    def epochs(self, progress: Progress) -> int:
        """See `Plan`."""
        return self.count

    def rate(self, progress: Progress) -> float:
        """See `Plan`."""
        return self.schedule.at(progress.step)

    def composes(self, progress: Progress) -> bool:
        """See `Plan`."""
        return progress.epoch < self.count - self.single_epochs

    def is_over(self, progress: Progress) -> bool:
        """See `Plan`."""
        return False

    def is_last(self, progress: Progress) -> bool:
        """See `Plan`."""
        return progress.epoch + 1 >= self.count

    def spent(self) -> float:
        """Not measured."""
        return 0.0


class TimePlan:
    """A plan by minutes, whatever else the machine does meanwhile.

    The learning rate follows the share of the time that has passed (half a cosine, times the rise of the warm-up), so
    the end is always known. Time for a final validation and for writing is reserved, as much as the last one took;
    before the first, a guess. The last epoch is broken off when the time is up.

    Args:
        seconds: for everything since `began`.
        lr, final: highest rate, and the last as a share of it.
        warmup: steps of the rise, at most a third of the time.
        single_epochs: at most this many final epochs use single pictures, and at most a fifth of the time.
        batches: per epoch.
        first_guess: guessed time of the first validation, in epochs.
        began: when the command started, by `clock`.
        before: seconds that earlier sessions took.
    """

    def __init__(
        self,
        seconds: float,
        *,
        lr: float,
        final: float,
        warmup: int,
        single_epochs: int,
        batches: int,
        first_guess: float = 0.0,
        began: float | None = None,
        before: float = 0.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.seconds, self.final, self.warmup = seconds, final, warmup
        self._lr = lr
        self.single_epochs, self.batches, self.first_guess = single_epochs, batches, first_guess
        self._clock = clock
        self._began = (clock() if began is None else began) - before

    @property
    def lr(self) -> float:
        """See `Plan`."""
        return self._lr

    def spent(self) -> float:
        """See `Plan`."""
        return self._clock() - self._began

    def share(self, progress: Progress) -> float:
        """The share of the training time that has passed, in [0, 1]."""
        return min(1.0, self.spent() / max(1e-9, self.seconds - self._end(progress)))

    def _end(self, progress: Progress) -> float:
        guess = self.first_guess * self.batches * _per_batch(progress)
        return min(0.5 * self.seconds, guess if progress.scoring is None else progress.scoring)

    def epochs(self, progress: Progress) -> int:
        """See `Plan`."""
        if not progress.batches:
            return progress.epoch + 1
        # Including validation, as it was so far.
        left = max(0.0, self.seconds - self.spent()) * progress.batches / progress.seconds
        done = progress.epoch + progress.batch / self.batches
        return max(progress.epoch + 1, math.ceil(done + left / self.batches - NOTHING_LEFT))

    def rate(self, progress: Progress) -> float:
        """See `Plan`."""
        share = self.share(progress)
        risen = max((progress.step + 1) / max(1, self.warmup), share / WARMUP_SHARE)
        fallen = self.final + (1 - self.final) * (1 + math.cos(math.pi * share)) / 2
        return self._lr * min(1.0, risen) * fallen

    def composes(self, progress: Progress) -> bool:
        """See `Plan`; an epoch's middle decides."""
        epoch = self.batches * _per_batch(progress) / self.seconds
        single = min(SINGLE_SHARE, self.single_epochs * epoch) if epoch else SINGLE_SHARE
        return self.share(progress) + epoch / 2 < 1 - single or not self.single_epochs

    def is_over(self, progress: Progress) -> bool:
        """See `Plan`."""
        return self.share(progress) >= 1.0

    def is_last(self, progress: Progress) -> bool:
        """See `Plan`."""
        return self.share(progress) >= 1.0 - NOTHING_LEFT


def _per_batch(progress: Progress) -> float:
    """Seconds per batch so far, without validation; 0 before the first."""
    if not progress.batches:
        return 0.0
    return max(0.0, progress.seconds - progress.time.get("validation", 0.0)) / progress.batches
