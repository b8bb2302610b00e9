"""What a cross-validation refuses, because its numbers would say too much."""

from __future__ import annotations

from lightdet.errors import UserError
from lightdet.tasks import AnyConfig

FEWEST_FOLDS = 5
"""For a threshold: with two, 78 of 100 simulated estimates held, not 95 (benchmarks/results/crossval.md)."""


def check_count(folds: int) -> None:
    """Refuse to choose a threshold with few folds.

    Raises:
        UserError: there are too few.
    """
    if folds < FEWEST_FOLDS:
        raise UserError(
            f"a threshold needs at least {FEWEST_FOLDS} folds, got --folds {folds}: models that are trained on much "
            "less than all pictures say too little of the one that is; add folds, or leave out the rate"
        )


def refuse_seen(config: AnyConfig) -> None:
    """Refuse to start from a model that may have learned what is to be left out.

    Raises:
        UserError: the configuration names one.
    """
    start, teacher = getattr(config.train, "start", None), getattr(config.train, "distill", None)
    for key, value in (("start", start if start not in (None, "pretrained", "chance") else None), ("distill", teacher)):
        if value is not None:
            raise UserError(
                f"train.{key}={value} names a model that may have seen the pictures that are left out, and then every "
                "number would be too good: leave it out"
            )
