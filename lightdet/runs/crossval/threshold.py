"""Cross-calibration: the scores of all held-out pictures choose the threshold of the model trained on all of them.

It estimates, and guarantees nothing (docs/crossval.md): the exact bound is about scores of one model on pictures that
it has not seen, and here the model that gets the threshold is another one than those whose scores chose it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.calibration import judge
from lightdet.card import peek_model_card
from lightdet.crossval.results import CrossCalibration
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import ESTIMATE, Promise
from lightdet.errors import UserError
from lightdet.inference.watching import RECORD_KEY, reference_of
from lightdet.runs.calibrate import CURVE_POINTS
from lightdet.runs.calibration_pictures import MARKS, fingerprint, marks
from lightdet.runs.choose_rule import Wanted, choose_rule, evidence_of, lowest_rate
from lightdet.runs.crossval.pool import Pool
from lightdet.runs.found import Found
from lightdet.tasks import Task

WHY_NOT = "its threshold was estimated by cross-calibration, which guarantees nothing"


def together(parts: Sequence[Found]) -> Found:
    """All held-out pictures, each with what the model found that has not seen it."""
    return Found(
        [truth for part in parts for truth in part.truths],
        [found for part in parts for found in part.predictions],
        [line for part in parts for line in part.skipped],
        {},
        pictures=[picture for part in parts for picture in part.pictures],
    )


def lowest(base: Any, found: Found, names: Sequence[str], wanted: Wanted) -> float:
    """Return the lowest rate that a threshold can keep on these pictures: of each class, if it is by class."""
    bad = wanted.rate == "escape_rate"
    rates = []
    for name in base.classes(names) if wanted.per_class else (None,):
        pairs = zip(found.truths, found.predictions, strict=True)
        scores = np.array([base.score(each, name) for truth, each in pairs if base.is_bad(truth, names, name) == bad])
        rates.append(lowest_rate(scores, wanted) if len(scores) else 1.0)
    return max(rates)


def cross_calibrate(
    base: Any, found: Found, names: Sequence[str], wanted: Wanted, pool: Pool, about: Mapping[str, Any], task: Task
) -> CrossCalibration:
    """Choose the threshold.

    Args:
        base: the task's rule without a threshold.
        found: all held-out pictures (`together`).
        names: the data set's classes.
        wanted: what is to be estimated.
        pool: where the pictures come from.
        about: the data set's name, the folds and the seed, for the record.
        task: the models'.

    Raises:
        UserError: no threshold keeps the rate on these pictures.
    """
    rule, choices = choose_rule(base, found, names, wanted, pool.called, task)
    bad = [rule.is_bad(truth, names) for truth in found.truths]
    scores = np.array([base.score(each) for each in found.predictions])
    judgement = judge(bad, [not rule.ok(each) for each in found.predictions], scores, wanted.confidence)
    step = max(1, len(judgement.roc) // CURVE_POINTS)
    record = {
        "rule": rule.as_dict(),
        "promise": None,
        "why_no_promise": WHY_NOT,
        ESTIMATE: {"rate": wanted.rate, "target": wanted.target, "confidence": wanted.confidence},
        "per_class": wanted.per_class,
        "evidence": evidence_of(choices),
        RECORD_KEY: reference_of(found.pictures, found.predictions, bad, rule, own=False) if found.pictures else None,
        "calibration_set": {
            **about,
            "split": pool.called,
            "sha256": fingerprint(found.truths),
            MARKS: marks(list(pool.truths.values())),
            "splits": {
                split: fingerprint([pool.truths[name] for name in members]) for split, members in pool.by_split.items()
            },
            **judgement.as_dict(),
            "roc": [list(point) for point in judgement.roc[::step]],
        },
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    stated = Promise(wanted.rate, wanted.target, wanted.confidence, wanted.per_class, estimated=True).statement()
    curve = _curve(np.array(bad), scores)
    return CrossCalibration(record, stated, lowest(base, found, names, wanted), curve)


def _curve(bad: AnyArray, scores: AnyArray) -> list[tuple[float, float | None, float | None]]:
    """What each threshold does to the held-out pictures."""
    points = []
    for threshold in np.linspace(0, 1, 201).tolist():
        passed = scores < threshold
        escapes = float(passed[bad].mean()) if bad.any() else None
        points.append((threshold, escapes, float((~passed[~bad]).mean()) if not bad.all() else None))
    return points


def has_own_promise(target: Path, trained: Path) -> bool:
    """Whether `target` is the model `trained` with a promise, which `write_calibrated` never makes."""
    import torch  # noqa: PLC0415 - only where it is needed

    from lightdet.models.weights import load_model  # noqa: PLC0415

    card = peek_model_card(target)
    if card is None or card.decision is None or card.decision.get("promise") is None:
        return False
    try:
        weights, ours = load_model(target)[0], load_model(trained)[0]
    except UserError:  # damaged: it is written anew
        return False
    return weights.keys() == ours.keys() and all(torch.equal(weights[name], ours[name]) for name in ours)


def write_calibrated(
    trained: Path, target: Path, calibration: CrossCalibration | None, conditions: Conditions | None
) -> None:
    """Write the model `trained` to `target`, with the rule if there is one."""
    from lightdet.models.weights import load_model, save_model  # noqa: PLC0415 - torch only where it is needed

    weights, card = load_model(trained)
    decision = None
    if calibration is not None and conditions is not None:
        record = dict(calibration.record)
        pictures = {key: value for key, value in record["calibration_set"].items() if key != "roc"}
        decision = {**record, "calibration_set": pictures, "conditions": conditions.as_dict()}
    save_model(target, weights, replace(card, decision=decision))
