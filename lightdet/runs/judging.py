"""A model's rule on labelled pictures: what passes and what not, and whether its promise held there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

from lightdet.runs.calibration_pictures import fingerprint, known_marks, mark_of
from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.runs.found import Found


SAME = "these are the pictures that it was calibrated on: they test nothing"
SEEN = "these are pictures that the model was trained on: they test nothing"


def judged(found: Found, names: Sequence[str], learned: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Judge each picture by the model's rule and compare with the truth; arguments as of `held`.

    Returns:
        The rule, its promise and the counts, escape and false-reject rates with their intervals, as plain values.
    """
    from lightdet.calibration import judge  # noqa: PLC0415 - scipy and scikit-learn only where pictures are judged

    rule = found.rule
    bad = [rule.is_bad(truth, names) for truth in found.truths]
    counts = judge(bad, [not rule.ok(each) for each in found.predictions]).as_dict()
    promise = found.promise.as_dict()
    if found.promise.stated:
        promise["here"] = held(found, names, learned)
    return {"rule": rule.as_dict(), "promise": promise, **counts}


def decision_facts(found: Found, judgement: dict[str, Any]) -> dict[str, str]:
    """Put the result of `judged` into words, by heading."""
    rule = found.rule
    bad, good = judgement["confusion"]["bad"], judgement["confusion"]["good"]
    return {
        "a picture is NG from": rule.describe(),
        "promise": found.promise.describe(),
        **({"on these pictures": here["text"]} if (here := judgement["promise"].get("here")) else {}),
        "bad pictures": f"{bad['NG']} NG, {bad['OK']} OK: {_share(judgement, 'escape_rate')} escape",
        "good pictures": (f"{good['OK']} OK, {good['NG']} NG: {_share(judgement, 'false_reject_rate')} are rejected"),
    }


def _share(judgement: dict[str, Any], rate: str) -> str:
    found = judgement[rate]
    if found["rate"] is None:
        return "none to count"
    low, high = found["interval"]
    return f"{found['rate']:.1%} (two-sided {judgement['confidence']:.0%} interval {low:.1%}-{high:.1%})"


def held(found: Found, names: Sequence[str], learned: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Test the promise of a model's rule, or the estimate in its place, on labelled pictures.

    A promise that the true rate is at most r is *kept* here if an upper bound of the rate, with the promise's
    confidence, is at most r; *broken* if so many errors would be less likely than 1 - confidence at the rate r itself;
    *open* if there are too few pictures to tell. Pictures of the calibration and of the training are left out, and
    copies count once.

    Args:
        found: of a rule with a promise or an estimate.
        names: the data set's classes.
        learned: the marks of the pictures that the model has learned from.

    Returns:
        ``text``, and unless no picture is left, ``tests``: for each bound ``class`` (None: all), ``errors``,
        ``pictures``, ``upper_bound``, ``p_value`` and ``verdict``. Where there are some: how many pictures of the
        calibration were ``left_out``, how many others of the training (``learned``), and how many ``copies`` were not
        counted again.

    Raises:
        UserError: a picture can no longer be read.
    """
    record = found.record
    calibration = record.get("calibration_set") if isinstance(record, Mapping) else None
    calibration = calibration if isinstance(calibration, Mapping) else {}
    known, pictures = known_marks(calibration), [mark_of(truth) for truth in found.truths]
    if _is_its_own(found, calibration) if known is None else known.issuperset(pictures):
        return {"text": SEEN if isinstance(calibration.get("splits"), Mapping) else SAME}
    chosen = [picture in (known or ()) for picture in pictures]
    new = [not own and picture not in learned for own, picture in zip(chosen, pictures, strict=True)]
    if not any(new):
        return {"text": SEEN}
    classes: Sequence[str | None] = found.rule.classes(names) if found.promise.per_class else [None]
    tests = [_test(found, pictures, new, names, name) for name in classes]
    words: list[str] = [_words(each, found) for each in tests]
    told: dict[str, Any] = {"tests": tests}
    if left_out := sum(chosen):
        words.append(f"{counted(left_out, 'picture')} of its calibration left out")
        told["left_out"] = left_out
    if seen := new.count(False) - left_out:
        words.append(f"{counted(seen, 'picture')} that the model was trained on left out")
        told["learned"] = seen
    if copies := sum(new) - len(set(compress(pictures, new))):
        words.append(f"{copies:,} {'copy' if copies == 1 else 'copies'} not counted again")
        told["copies"] = copies
    return {"text": "; ".join(words), **told}


def _is_its_own(found: Found, calibration: Mapping[str, Any]) -> bool:
    """Whether the pictures and labels, as a whole, are those of a calibration or of one of its splits."""
    splits = calibration.get("splits")
    known = [calibration.get("sha256"), *(splits.values() if isinstance(splits, Mapping) else ())]
    return fingerprint(found.truths) in known


def _test(
    found: Found, pictures: Sequence[str], new: Sequence[bool], names: Sequence[str], name: str | None
) -> dict[str, Any]:
    from scipy.stats import binom  # noqa: PLC0415 - it takes seconds

    from lightdet.calibration import upper_bound  # noqa: PLC0415

    rule, promise = found.rule, found.promise
    escapes = promise.rate == "escape_rate"
    judged = {  # by picture, so that copies count once
        picture: rule.ok(prediction)
        for picture, is_new, truth, prediction in zip(pictures, new, found.truths, found.predictions, strict=True)
        if is_new and rule.is_bad(truth, names, name) == escapes
    }
    total, passed = len(judged), sum(judged.values())
    errors = passed if escapes else total - passed
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
