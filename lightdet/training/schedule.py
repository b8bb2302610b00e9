"""Learning rate by step: linear warm-up, then half a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class WarmupCosine:
    """`lr` after `warmup` steps, ``lr * final`` at the last of `steps`.

    Attributes:
        lr: highest learning rate.
        final: last rate as a share of `lr`.
        warmup: steps of the linear rise.
        steps: of the whole training.
    """

    lr: float
    final: float
    warmup: int
    steps: int

    def at(self, step: int) -> float:
        """The rate of step number `step`, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - 1 - self.warmup))
        return self.lr * (self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2)
