"""``lightdet crossval``: more from few pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from lightdet.cli.common import ALL, Words
from lightdet.options.crossval import CrossvalOptions


def crossval(*overrides: Words, options: Annotated[CrossvalOptions, ALL]) -> int:
    """Train with each fold of the pictures left out in turn: numbers with their spread, and one threshold for all.

    Folds keep look-alikes together and classes even. With --escape-rate the scores of all folds together choose the
    threshold of a model trained on all pictures: an estimate, not a promise.

    The same command continues an interrupted one. Exit code 1 if a training failed, or no threshold keeps the rate.
    """
    from lightdet.api.crossval import cross_validated
    from lightdet.display.crossval import CrossvalDisplay

    return 1 if cross_validated(replace(options, overrides=overrides), CrossvalDisplay()).problems else 0
