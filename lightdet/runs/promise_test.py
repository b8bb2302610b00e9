"""Did a promise hold on pictures of their own? The exact binomial test of the promised rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightdet.runs.choose_rule import fingerprint

if TYPE_CHECKING:
    from lightdet.runs.validate import Found


SAME = "these are the pictures that it was calibrated on: they test nothing"


def held(found: Found, names: Sequence[str]) -> dict[str, Any]:
    """Test the promise of a model's rule on labelled pictures.

    A promise that the true rate is at most r is *kept* here if an upper bound of the rate, with the promise's
    confidence, is at most r; *broken* if so many errors would be less likely than 1 - confidence at the rate r itself;
    *open* if there are too few pictures to tell.

    Args:
        found: of a rule with a promise.
        names: the data set's classes.

    Returns:
        ``text``, and unless the pictures are those of the calibration, ``tests``: for each bound ``class`` (None:
        all), ``errors``, ``pictures``, ``upper_bound``, ``p_value`` and ``verdict``.
    """
    record = found.record
    calibration = record.get("calibration_set") if isinstance(record, Mapping) else None
    if isinstance(calibration, Mapping) and calibration.get("sha256") == fingerprint(found.truths):
        return {"text": SAME}
    rule = found.rule
    classes: Sequence[str | None] = rule.classes(names) if found.promise.per_class else [None]
    tests = [_test(found, names, name) for name in classes]
    return {"text": "; ".join(_words(each, found) for each in tests), "tests": tests}


def _test(found: Found, names: Sequence[str], name: str | None) -> dict[str, Any]:
    from scipy.stats import binom  # noqa: PLC0415 - it takes seconds

    from lightdet.calibration import upper_bound  # noqa: PLC0415

    rule, promise = found.rule, found.promise
    escapes = promise.rate == "escape_rate"
    judged = [
        rule.ok(prediction)
        for truth, prediction in zip(found.truths, found.predictions, strict=True)
        if rule.is_bad(truth, names, name) == escapes
    ]
    total, errors = len(judged), sum(judged) if escapes else len(judged) - sum(judged)
    bound = upper_bound(errors, total, promise.confidence)
    chance = float(binom.sf(errors - 1, total, promise.target))
    verdict = "kept" if bound <= promise.target else "broken" if chance <= 1 - promise.confidence else "open"
    figures = {"errors": errors, "pictures": total, "upper_bound": bound, "p_value": chance}
    return {"class": name, **figures, "verdict": verdict}


def _words(test: Mapping[str, Any], found: Found) -> str:
    promise = found.promise
    what = "escape" if promise.rate == "escape_rate" else "are rejected"
    who = f"'{test['class']}' " if test["class"] is not None else ""
    bound = f"{test['upper_bound']:.2%}"
    counted = f"{test['errors']} of {test['pictures']} {what}"
    if test["verdict"] == "kept":
        return f"{who}kept here: {counted}, so at most {bound} with {promise.confidence:.0%} confidence"
    if test["verdict"] == "broken":
        return f"{who}broken here: {counted}; if it held, so many would have a chance of {test['p_value']:.2g}"
    return f"{who}open here: {counted}, too few pictures to tell (rate at most {bound})"
