"""What the curves of a training show, in one sentence: overfitting, underfitting or neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.wording import counted

FEWEST_EPOCHS = 4
RISE = 1.15
"""A validation loss this many times its lowest one, and at least `RISE_BY` above it, has risen."""
RISE_BY = 0.02
GAP = 0.08
"""A training accuracy this far above the validation's."""
LEARNING = 0.9
"""A training loss below this share of the one a few epochs earlier is still falling."""
DONE = 0.01
"""Losses below this have nothing more to gain."""
LOW = 0.85
"""A final accuracy below this is low, if the other one is low as well."""


def judge_fit(history: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence about over- or underfitting.

    Args:
        history: rows with ``epoch``, ``loss``, ``accuracy`` (training, with augmented pictures and dropout) and, if
            there was a validation, ``val_loss`` and ``val_accuracy``; the rows of results.csv.
    """
    rows = [row for row in history if _number(row, "val_loss") is not None and _number(row, "loss") is not None]
    if not rows:
        return "Over- and underfitting cannot be judged: no epoch was scored on a validation split."
    if len(rows) < FEWEST_EPOCHS:
        told = counted(len(rows), "scored epoch")
        return f"Over- and underfitting cannot be judged from {told}; {FEWEST_EPOCHS} are needed."
    loss, val_loss = (np.array([float(row[name]) for row in rows]) for name in ("loss", "val_loss"))
    accuracy, val_accuracy = (
        np.array([_number(row, name) or 0.0 for row in rows]) for name in ("accuracy", "val_accuracy")
    )
    window = max(1, len(rows) // 5)
    lowest = int(val_loss.argmin())
    ends, ended = float(np.median(val_loss[-window:])), float(np.median(loss[-window:]))
    bottom = float(np.median(val_loss[max(0, lowest - window // 2) : lowest + window // 2 + 1]))
    risen = ends > RISE * bottom and ends > bottom + RISE_BY and lowest < len(rows) - window
    if risen and ended < loss[lowest]:
        return (
            f"Overfitting: since epoch {rows[lowest]['epoch']} the validation loss has risen from {bottom:.3f} to "
            f"{ends:.3f} while the training loss kept falling, from {loss[lowest]:.3f} to {ended:.3f}. The best "
            "epoch is kept; more pictures, more augmentation or more dropout would help, more epochs would not."
        )
    last = float(np.median(accuracy[-window:])), float(np.median(val_accuracy[-window:]))
    falling = _still_falling(loss, window) and _still_falling(val_loss, window) and max(ended, ends) > DONE
    if last[0] - last[1] > GAP:
        return (
            f"Some overfitting: at the end {last[0]:.1%} of the training pictures are right and {last[1]:.1%} of the "
            "validation's. More pictures, more augmentation or more dropout would help."
        )
    if falling:
        return (
            f"Not finished: both losses are still falling at the end (training {ended:.3f}, validation {ends:.3f}). "
            "More epochs or a higher rate would help."
        )
    if max(last) < LOW:  # the training's own is measured with augmentation and dropout, the validation's is not
        return (
            f"Underfitting: the training has levelled off with {last[0]:.1%} of its own pictures right. A larger "
            "network, a larger input, less augmentation or another rate would help."
        )
    return (
        f"No sign of over- or underfitting: at the end {last[0]:.1%} of the training pictures are right and "
        f"{last[1]:.1%} of the validation's (losses {ended:.3f} and {ends:.3f})."
    )


def _still_falling(values: AnyArray, window: int) -> bool:
    if len(values) < 2 * window + 1:
        return False
    before, now = float(np.median(values[-2 * window - 1 : -window])), float(np.median(values[-window:]))
    return now < LEARNING * before


def _number(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value in (None, "") else float(value)
