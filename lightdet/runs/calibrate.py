"""A trained model and a set it has not seen → a decision rule with a promise, kept in the model's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.calibration import (
    Choice,
    ImageJudgement,
    judge,
    pictures_needed,
    threshold_for_escapes,
    threshold_for_false_rejects,
    upper_bound,
)
from lightdet.data.dataset import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.model_kind import is_export
from lightdet.runs.options import given
from lightdet.runs.validate import Found, Validation, ValRequest, Watcher
from lightdet.tasks import task_of_model

Kind = Literal["escape_rate", "false_reject_rate"]
WORDS: dict[str, str] = {"escape_rate": "escape rate", "false_reject_rate": "false-reject rate"}
CURVE_POINTS = 200


@dataclass(frozen=True)
class CalibrationRequest:
    """The options of ``lightdet calibrate``.

    Attributes:
        kind: which rate is promised.
        target: its largest value, in (0, 1).
        confidence: of the promise, in (0, 1).
        per_class: one threshold a class, each promised by itself; else one for all.
        min_size: shortest defect that counts, in pixels of the picture.
        bad: of a classifier, the names of the classes of bad parts; empty: see `lightdet.data.bad_classes`.
        output: the model file to write; None writes the record into the one that was read.
    """

    data: Path
    kind: Kind
    target: float
    weights: Path | None = None
    predictions: Path | None = None
    confidence: float = 0.95
    per_class: bool = False
    min_size: float = 0.0
    split: str = "val"
    data_root: Path | None = None
    imgsz: int | None = None
    batch: int | None = None
    device: str = "auto"
    output: Path | None = None
    skip_bad: bool = False
    bad: Sequence[str] = ()
    overrides: Sequence[str] = ()
    json: Path | None = None


@dataclass(frozen=True)
class Calibrated:
    """The result.

    Attributes:
        rule: the decision rule, of the task's own kind.
        record: plain values: the rule, its promise, what it rests on; as it stands in the model's card.
        judgement: the rule on the pictures it was chosen on.
        written: the model file that holds the record now; None with detections from elsewhere.
    """

    rule: Any
    record: dict[str, Any]
    judgement: ImageJudgement
    written: Path | None
    skipped: list[str]
    origin: str = ""
    """Where the bad classes are from, in a few words."""


class Calibration:
    """One request, in two steps: made (checked; quick), then run.

    Raises:
        UserError: as `Validation`; a target or confidence outside 0-1; options of the other task; classes of which it
            cannot be told which are bad.
    """

    def __init__(self, request: CalibrationRequest) -> None:
        self.request = request
        check_request(request)
        self.task = task_of_model(request.weights)
        self.task.check_options(given(request), request.weights or request.predictions)
        self.validation = Validation(split_request(request))
        self.spec: DatasetSpec = self.validation.spec
        self.base, self.origin = self.task.uncalibrated_rule(self.spec, min_size=request.min_size, bad=request.bad)

    def run(self, watcher: Watcher) -> Calibrated:
        """Look at every picture of the split, choose the threshold, write the record.

        Raises:
            UserError: the promise cannot be given with these pictures or this model; otherwise as `Validation.run`.
        """
        found, names = self.validation.find(watcher), self.spec.classes
        rule, choices = self._choose(found)
        bad = np.array([rule.is_bad(truth, names) for truth in found.truths])
        scores = np.array([self.base.score(each) for each in found.predictions])
        judgement = judge(bad, [not rule.ok(each) for each in found.predictions], scores, self.request.confidence)
        record = self._record(rule, choices, judgement)
        if self.request.json is not None:
            write_json(self.request.json, record)
        return Calibrated(rule, record, judgement, self._write(record), found.skipped, self.origin)

    def _choose(self, found: Found) -> tuple[Any, dict[str, Choice]]:
        request, names, base = self.request, self.spec.classes, self.base

        def scores(name: str | None, bad: bool) -> AnyArray:
            pairs = zip(found.truths, found.predictions, strict=True)
            return np.array([base.score(each, name) for truth, each in pairs if base.is_bad(truth, names, name) == bad])

        if not request.per_class:
            choice = self._one(scores(None, request.kind == "escape_rate"), "")
            return replace(base, threshold=choice.threshold), {"": choice}
        choices = {name: self._one(scores(name, True), name) for name in base.classes(names)}
        thresholds = {name: choice.threshold for name, choice in choices.items()}
        return replace(base, threshold=min(thresholds.values()), thresholds=thresholds), choices

    def _one(self, scores: AnyArray, name: str) -> Choice:
        request = self.request
        choose = threshold_for_escapes if request.kind == "escape_rate" else threshold_for_false_rejects
        choice = choose(scores, request.target, request.confidence)
        if choice is None:
            raise UserError(self._why_not(scores, name), path=self.spec.path)
        return choice

    def _why_not(self, scores: AnyArray, name: str) -> str:
        """Say what keeps the promise from being given, and what could be promised."""
        request, total = self.request, len(scores)
        escapes = request.kind == "escape_rate"
        kind = f"{'bad' if escapes else 'good'} picture{'' if total == 1 else 's'}"
        which = f"{kind} with '{name}'" if name else kind
        flag = "--escape-rate" if escapes else "--false-reject-rate"
        promise = f"{WORDS[request.kind]} of at most {request.target:g} with {request.confidence:.0%} confidence"
        if total == 0:
            return f"the split '{request.split}' has no {which}; nothing can be promised: take a split that has some"
        lost = int((scores <= 0).sum()) if escapes else int((scores >= 1).sum())
        possible = upper_bound(lost, total, request.confidence)
        ask = f"ask for {flag} {_ceil(possible):g} or more" if possible < 1 else "no rate can be promised"
        if upper_bound(0, total, request.confidence) > request.target:
            needed = pictures_needed(request.target, request.confidence)
            return (
                f"the split '{request.split}' has {total} {which}, too few to promise an {promise}"
                if escapes
                else f"the split '{request.split}' has {total} {which}, too few to promise a {promise}"
            ) + f": at least {needed} are needed (all judged right); {ask}"
        missed = self.task.unseen if escapes else self.task.certain
        needed = pictures_needed(request.target, request.confidence, lost)
        return (
            f"no threshold keeps {'an' if escapes else 'a'} {promise}: {missed} {lost} of {total} {which}; "
            f"train a better model, add pictures (with {lost} such, {needed} would do), or {ask}"
        )

    def _record(self, rule: Any, choices: dict[str, Choice], judgement: ImageJudgement) -> dict[str, Any]:
        request, spec = self.request, self.spec
        evidence = {
            name or "all": {"threshold": c.threshold, "errors": c.errors, "pictures": c.total, "bound": c.bound}
            for name, c in choices.items()
        }
        step = max(1, len(judgement.roc) // CURVE_POINTS)
        return {
            "rule": rule.as_dict(),
            "promise": {"rate": request.kind, "target": request.target, "confidence": request.confidence},
            "per_class": request.per_class,
            "evidence": evidence,
            "calibration_set": {
                "name": spec.name,
                "split": request.split,
                **judgement.as_dict(),
                "roc": [list(point) for point in judgement.roc[::step]],
            },
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        }

    def _write(self, record: dict[str, Any]) -> Path | None:
        from lightdet.models.weights import load_model, save_model  # noqa: PLC0415 - torch only where it is needed

        request = self.request
        if request.weights is None:
            return None
        target = request.output or request.weights
        weights, card = load_model(request.weights)
        kept = {key: value for key, value in record.items() if key != "calibration_set"}
        kept["calibration_set"] = {k: v for k, v in record["calibration_set"].items() if k != "roc"}
        save_model(target, weights, replace(card, decision=kept))
        return target


def check_request(request: CalibrationRequest) -> None:
    """Refuse options that no calibration can satisfy.

    Raises:
        UserError: a target or confidence outside 0-1, flags that do not go together, a folder as output.
    """
    if request.weights is not None and is_export(request.weights):
        raise UserError(
            "an export takes over the rule of its checkpoint: calibrate the .safetensors, then export it",
            path=request.weights,
        )
    for what, value in ((WORDS[request.kind], request.target), ("confidence", request.confidence)):
        if not 0 < value < 1:
            raise UserError(f"the {what} must lie between 0 and 1 (1 % is 0.01), got {value:g}")
    if request.per_class and request.kind == "false_reject_rate":
        raise UserError("a good picture belongs to no class: --per-class goes with --escape-rate")
    if request.output is not None and request.weights is None:
        raise UserError("--output is for a model file; detections of --predictions have none: take --json")
    if request.output is not None and request.output.is_dir():
        raise UserError("is a folder; name the model file to write", path=request.output)


def split_request(request: CalibrationRequest) -> ValRequest:
    """What is to be looked at, as an evaluation is asked for it."""
    return ValRequest(
        data=request.data,
        weights=request.weights,
        predictions=request.predictions,
        split=request.split,
        data_root=request.data_root,
        imgsz=request.imgsz,
        batch=request.batch,
        device=request.device,
        skip_bad=request.skip_bad,
        overrides=request.overrides,
    )


def _ceil(share: float) -> float:
    """Round a share up to three decimals, so that it can be asked for safely."""
    return float(np.ceil(share * 1000 - 1e-9) / 1000)
