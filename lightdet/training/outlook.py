"""What to expect of a training before it starts, and the time left while it runs."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lightdet.wording import counted, duration

FIRST_STEPS = 500
"""Steps after which a detector trained from random weights has usually found something."""
ENOUGH_STEPS = 2000
"""Steps that it needs on a small set: 2,640 gave mAP@0.5 0.79 in the demo; benchmarks take 5,000 to 15,000."""
PROBE_SHARE = 0.6
"""A training reaches this share of the probe's speed, which excludes loss, data loading, validation and writing."""
RECENT = 10
"""Epochs from which the time left is estimated."""


@dataclass(frozen=True)
class Outlook:
    """A training that is about to start.

    Attributes:
        pictures: of an epoch: all, with tiles the crops of them, with sampling of classes those that are drawn.
        batch: pictures per step.
        epochs: number of epochs; None if `minutes` decide.
        minutes: the budget, or None.
        speed: pictures per second, by the probe; None if nothing was measured.
        enough: steps that such a network needs from its starting weights; None if unknown.
        noun: what is counted as pictures.
    """

    pictures: int
    batch: int
    epochs: int | None
    minutes: float | None
    speed: float | None
    enough: int | None
    noun: str = "picture"

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return math.ceil(self.pictures / self.batch)

    def seconds(self, epochs: int) -> float | None:
        """Seconds that this many epochs take, as far as the probe can tell."""
        return None if self.speed is None else epochs * self.steps * self.batch / (self.speed * PROBE_SHARE)

    def lines(self) -> list[str]:
        """Return the lines to print: the steps, the time and, if the steps are too few, how many are needed."""
        each = f"{counted(self.steps, 'step')} per epoch"
        if self.epochs is None:
            return self._by_minutes(each)
        whole, seconds = self.steps * self.epochs, self.seconds(self.epochs)
        time_told = "" if seconds is None else f", about {duration(seconds)} on this computer"
        lines = [f"to expect: {each}, {counted(whole, 'step')} in all{time_told}"]
        if self.enough is not None and whole < self.enough:
            wanted = math.ceil(self.enough / self.steps)
            longer = self.seconds(wanted)
            how_long = "" if longer is None else f" (about {duration(longer)})"
            lines.append(
                f"{self._short()}; with {counted(self.pictures, self.noun)} and batches of {self.batch} these are "
                f"--epochs {wanted}{how_long}"
            )
        return lines

    def _by_minutes(self, each: str) -> list[str]:
        if self.speed is None or self.minutes is None:
            return []
        whole = round(60 * self.minutes * self.speed * PROBE_SHARE / self.batch)
        lines = [f"to expect: {each}, about {counted(whole, 'step')} in {duration(60 * self.minutes)} on this computer"]
        if self.enough is not None and whole < self.enough:
            longer = math.ceil(self.minutes * self.enough / max(1, whole))
            lines.append(f"{self._short()} (--minutes {longer})")
        return lines

    def _short(self) -> str:
        return f"that is short: from scratch it takes about {self.enough:,} steps to find most of what can be found"


class TimeLeft:
    """Estimates the remaining time from the last epochs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, float]] = deque(maxlen=RECENT + 1)

    def begins(self, epochs: float) -> None:
        """The number of epochs done before the first one timed; later calls are ignored."""
        if not self._marks:
            self._marks.append((epochs, self._clock()))

    def ends(self, epoch: int, epochs: int) -> float | None:
        """Seconds left after `epoch` of `epochs`; None if unknown, or if nothing is left."""
        self._marks.append((epoch, self._clock()))
        (first, began), (last, now) = self._marks[0], self._marks[-1]
        if last <= first or epoch >= epochs:
            return None
        return (epochs - epoch) * (now - began) / (last - first)


def too_early(step: int, steps: int) -> str:
    """The line about a first mAP of 0.000, measured after `step` of `steps` steps."""
    return (
        f"mAP 0.000 is normal this early (step {step:,} of {steps:,}): "
        f"the first defects are usually found within {FIRST_STEPS} steps"
    )
