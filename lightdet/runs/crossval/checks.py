"""What a cross-validation refuses, because its numbers would say too much."""

from __future__ import annotations

from typing import Any

from lightdet.assembly.starting import CHANCE, PRETRAINED
from lightdet.card import has_card
from lightdet.errors import UserError
from lightdet.files import with_home
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
    for key, value in _models(config).items():
        raise UserError(
            f"{key}={value} names a model that may have seen the pictures that are left out, and then every number "
            "would be too good: leave it out"
        )


def _models(config: AnyConfig) -> dict[str, Any]:
    """The models that a training would learn from, by key. A backbone's weights from elsewhere are none."""
    train, model = config.train, config.model
    start, backbone = getattr(train, "start", None), ("pretrained", "backbone_weights")
    named = {
        "train.start": None if start in (PRETRAINED, CHANCE) else start,
        "train.distill": getattr(train, "distill", None),
        **{f"model.{key}": file for key in backbone if (file := _lightdets(getattr(model, key, None)))},
    }
    return {key: value for key, value in named.items() if value is not None}


def _lightdets(weights: Any) -> str | None:
    """The file of a backbone's weights if it is a model of lightdet's."""
    return weights if isinstance(weights, str) and has_card(with_home(weights)) else None
