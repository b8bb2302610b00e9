"""The threshold that keeps a promise on what a model says about the calibration pictures, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.calibration import (
    Choice,
    pictures_needed,
    threshold_for_escapes,
    threshold_for_false_rejects,
    upper_bound,
)
from lightdet.decisions.promise import WORDS, Rate
from lightdet.errors import UserError
from lightdet.tasks import Task

if TYPE_CHECKING:
    from lightdet.runs.found import Found


@dataclass(frozen=True)
class Wanted:
    """What is to be promised.

    Attributes:
        rate: which rate.
        target: its largest value, in (0, 1).
        confidence: in (0, 1).
        per_class: for the bad parts of each class by itself, with a threshold of its own.

    Raises:
        UserError: a number outside (0, 1), good parts by class.
    """

    rate: Rate
    target: float
    confidence: float
    per_class: bool = False

    def __post_init__(self) -> None:
        for what, value in ((WORDS[self.rate], self.target), ("confidence", self.confidence)):
            if not 0 < value < 1:
                raise UserError(f"the {what} must lie between 0 and 1 (1 % is 0.01), got {value:g}")
        if self.per_class and self.rate == "false_reject_rate":
            raise UserError("a good picture belongs to no class: --per-class needs --escape-rate")


def choose_rule(
    base: Any, found: Found, names: Sequence[str], wanted: Wanted, split: str, task: Task
) -> tuple[Any, dict[str, Choice]]:
    """Choose the threshold, or one per class, that keeps a promise.

    Args:
        base: the task's rule without a threshold.
        found: what the model says about the calibration pictures.
        names: the data set's classes.
        wanted: the promise.
        split: the name of the calibration pictures, for messages.
        task: the model's.

    Returns:
        The rule, and by class (or under an empty name) how its threshold was chosen.

    Raises:
        UserError: no threshold keeps it; says why, and what could be promised.
    """

    def scores(name: str | None, bad: bool) -> AnyArray:
        pairs = zip(found.truths, found.predictions, strict=True)
        return np.array([base.score(each, name) for truth, each in pairs if base.is_bad(truth, names, name) == bad])

    def one(of: AnyArray, name: str) -> Choice:
        choose = threshold_for_escapes if wanted.rate == "escape_rate" else threshold_for_false_rejects
        choice = choose(of, wanted.target, wanted.confidence)
        if choice is None:
            raise UserError(_why_not(of, name, wanted, split, task))
        return choice

    if not wanted.per_class:
        choice = one(scores(None, wanted.rate == "escape_rate"), "")
        return replace(base, threshold=choice.threshold), {"": choice}
    choices = {name: one(scores(name, True), name) for name in base.classes(names)}
    thresholds = {name: choice.threshold for name, choice in choices.items()}
    return replace(base, threshold=min(thresholds.values()), thresholds=thresholds), choices


def check_enough(
    base: Any, truths: Sequence[Any], names: Sequence[str], wanted: Wanted, split: str, task: Task
) -> None:
    """Refuse a promise that so few pictures cannot support, whatever a model finds in them.

    Args:
        base, names, wanted, split, task: as in `choose_rule`.
        truths: the labelled pictures.

    Raises:
        UserError: there are too few; says how many are needed, and what could be promised.
    """
    for name in base.classes(names) if wanted.per_class else (None,):
        bad = sum(base.is_bad(truth, names, name) for truth in truths)
        count = bad if wanted.rate == "escape_rate" else len(truths) - bad
        if upper_bound(0, count, wanted.confidence) > wanted.target:
            right = 1.0 if wanted.rate == "escape_rate" else 0.0
            raise UserError(_why_not(np.full(count, right), name or "", wanted, split, task))


def evidence_of(choices: Mapping[str, Choice]) -> dict[str, dict[str, Any]]:
    """Return what the thresholds rest on, as plain values by class (or ``all``)."""
    return {
        name or "all": {"threshold": c.threshold, "errors": c.errors, "pictures": c.total, "bound": c.bound}
        for name, c in choices.items()
    }


def lowest_rate(scores: AnyArray, wanted: Wanted) -> float:
    """Return the lowest rate that a threshold on these scores can keep, of the bad pictures or of the good ones."""
    return upper_bound(_lost(scores, wanted.rate), len(scores), wanted.confidence)


def _lost(scores: AnyArray, rate: Rate) -> int:
    """How many pictures every threshold judges wrong."""
    return int((scores <= 0).sum()) if rate == "escape_rate" else int((scores >= 1).sum())


def _why_not(scores: AnyArray, name: str, wanted: Wanted, split: str, task: Task) -> str:
    """Say why the promise cannot be given, and what could be promised."""
    total = len(scores)
    escapes = wanted.rate == "escape_rate"
    kind = f"{'bad' if escapes else 'good'} picture{'' if total == 1 else 's'}"
    which = f"{kind} with '{name}'" if name else kind
    flag = "--escape-rate" if escapes else "--false-reject-rate"
    promise = f"{WORDS[wanted.rate]} of at most {wanted.target:g} with {wanted.confidence:.0%} confidence"
    if total == 0:
        return f"the split '{split}' has no {which}; nothing can be promised: use a split that has some"
    lost = _lost(scores, wanted.rate)
    possible = lowest_rate(scores, wanted)
    ask = f"ask for {flag} {_ceil(possible):g} or more" if possible < 1 else "no rate can be promised"
    if upper_bound(0, total, wanted.confidence) > wanted.target:
        needed = pictures_needed(wanted.target, wanted.confidence)
        return (
            f"the split '{split}' has {total} {which}, too few to promise an {promise}"
            if escapes
            else f"the split '{split}' has {total} {which}, too few to promise a {promise}"
        ) + f": at least {needed} are needed (all judged right); {ask}"
    missed = task.unseen if escapes else task.certain
    needed = pictures_needed(wanted.target, wanted.confidence, lost)
    return (
        f"no threshold keeps {'an' if escapes else 'a'} {promise}: {missed} {lost} of {total} {which}; "
        f"train a better model, add pictures (with {lost} such, {needed} would do), or {ask}"
    )


def _ceil(share: float) -> float:
    """Round a share up to three decimals, so that it is safe to ask for."""
    return float(np.ceil(share * 1000 - 1e-9) / 1000)
