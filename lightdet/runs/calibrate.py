"""A trained model and a data set it has not seen → a decision rule with a promise, stored in the model's card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

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
from lightdet.options.calibrate import CalibrationOptions
from lightdet.options.val import ValOptions
from lightdet.runs.validate import Found, Validation, Watcher
from lightdet.tasks import task_of_model

WORDS: dict[str, str] = {"escape_rate": "escape rate", "false_reject_rate": "false-reject rate"}
CURVE_POINTS = 200


@dataclass(frozen=True)
class Calibrated:
    """The result.

    Attributes:
        rule: the decision rule, of the task's own kind.
        record: plain values: the rule, its promise and its basis, as stored in the model's card.
        judgement: the rule on the pictures it was chosen on.
        written: the model file that now holds the record; None with another program's detections.
    """

    rule: Any
    record: dict[str, Any]
    judgement: ImageJudgement
    written: Path | None
    skipped: list[str]
    origin: str = ""
    """Where the bad classes come from, in a few words."""


class Calibration:
    """One request, in two steps: creation (quick checks), then `run`.

    Raises:
        UserError: as `Validation`; a target or confidence outside 0-1; options of the other task; classes
            of which it is unclear which are bad.
    """

    def __init__(self, options: CalibrationOptions) -> None:
        self.options = options
        check_request(options)
        self.task = task_of_model(options.weights)
        self.validation = Validation(split_request(options))
        self.task.check_options(options.given(), self.validation.source)
        self.spec: DatasetSpec = self.validation.spec
        self.base, self.origin = self.task.uncalibrated_rule(self.spec, min_size=options.min_size, bad=options.bad)

    def run(self, watcher: Watcher) -> Calibrated:
        """Run the model on every picture of the split, choose the threshold, write the record.

        Raises:
            UserError: the promise cannot be given with these pictures or this model; otherwise as `Validation.run`.
        """
        found, names = self.validation.find(watcher), self.spec.classes
        rule, choices = self._choose(found)
        bad = np.array([rule.is_bad(truth, names) for truth in found.truths])
        scores = np.array([self.base.score(each) for each in found.predictions])
        judgement = judge(bad, [not rule.ok(each) for each in found.predictions], scores, self.options.confidence)
        record = self._record(rule, choices, judgement)
        if self.options.json is not None:
            write_json(self.options.json, record)
        return Calibrated(rule, record, judgement, self._write(record), found.skipped, self.origin)

    def _choose(self, found: Found) -> tuple[Any, dict[str, Choice]]:
        options, names, base = self.options, self.spec.classes, self.base

        def scores(name: str | None, bad: bool) -> AnyArray:
            pairs = zip(found.truths, found.predictions, strict=True)
            return np.array([base.score(each, name) for truth, each in pairs if base.is_bad(truth, names, name) == bad])

        if not options.per_class:
            choice = self._one(scores(None, options.kind == "escape_rate"), "")
            return replace(base, threshold=choice.threshold), {"": choice}
        choices = {name: self._one(scores(name, True), name) for name in base.classes(names)}
        thresholds = {name: choice.threshold for name, choice in choices.items()}
        return replace(base, threshold=min(thresholds.values()), thresholds=thresholds), choices

    def _one(self, scores: AnyArray, name: str) -> Choice:
        options = self.options
        choose = threshold_for_escapes if options.kind == "escape_rate" else threshold_for_false_rejects
        choice = choose(scores, options.target, options.confidence)
        if choice is None:
            raise UserError(self._why_not(scores, name), path=self.spec.path)
        return choice

    def _why_not(self, scores: AnyArray, name: str) -> str:
        """Say why the promise cannot be given, and what could be promised."""
        options, total = self.options, len(scores)
        escapes = options.kind == "escape_rate"
        kind = f"{'bad' if escapes else 'good'} picture{'' if total == 1 else 's'}"
        which = f"{kind} with '{name}'" if name else kind
        flag = "--escape-rate" if escapes else "--false-reject-rate"
        promise = f"{WORDS[options.kind]} of at most {options.target:g} with {options.confidence:.0%} confidence"
        if total == 0:
            return f"the split '{options.split}' has no {which}; nothing can be promised: use a split that has some"
        lost = int((scores <= 0).sum()) if escapes else int((scores >= 1).sum())
        possible = upper_bound(lost, total, options.confidence)
        ask = f"ask for {flag} {_ceil(possible):g} or more" if possible < 1 else "no rate can be promised"
        if upper_bound(0, total, options.confidence) > options.target:
            needed = pictures_needed(options.target, options.confidence)
            return (
                f"the split '{options.split}' has {total} {which}, too few to promise an {promise}"
                if escapes
                else f"the split '{options.split}' has {total} {which}, too few to promise a {promise}"
            ) + f": at least {needed} are needed (all judged right); {ask}"
        missed = self.task.unseen if escapes else self.task.certain
        needed = pictures_needed(options.target, options.confidence, lost)
        return (
            f"no threshold keeps {'an' if escapes else 'a'} {promise}: {missed} {lost} of {total} {which}; "
            f"train a better model, add pictures (with {lost} such, {needed} would do), or {ask}"
        )

    def _record(self, rule: Any, choices: dict[str, Choice], judgement: ImageJudgement) -> dict[str, Any]:
        options, spec = self.options, self.spec
        evidence = {
            name or "all": {"threshold": c.threshold, "errors": c.errors, "pictures": c.total, "bound": c.bound}
            for name, c in choices.items()
        }
        step = max(1, len(judgement.roc) // CURVE_POINTS)
        return {
            "rule": rule.as_dict(),
            "promise": {"rate": options.kind, "target": options.target, "confidence": options.confidence},
            "per_class": options.per_class,
            "evidence": evidence,
            "calibration_set": {
                "name": spec.name,
                "split": options.split,
                **judgement.as_dict(),
                "roc": [list(point) for point in judgement.roc[::step]],
            },
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        }

    def _write(self, record: dict[str, Any]) -> Path | None:
        from lightdet.models.weights import load_model, save_model  # noqa: PLC0415 - torch only where it is needed

        options = self.options
        if options.weights is None:
            return None
        target = Path(options.output or options.weights)
        weights, card = load_model(options.weights)
        kept = {key: value for key, value in record.items() if key != "calibration_set"}
        kept["calibration_set"] = {k: v for k, v in record["calibration_set"].items() if k != "roc"}
        save_model(target, weights, replace(card, decision=kept))
        return target


def check_request(options: CalibrationOptions) -> None:
    """Refuse options that no calibration can satisfy.

    Raises:
        UserError: a target or confidence outside 0-1, flags that do not go together, a folder as output.
    """
    if options.weights is not None and is_export(options.weights):
        raise UserError(
            "an export takes the rule from its checkpoint: calibrate the .safetensors, then export it",
            path=options.weights,
        )
    for what, value in ((WORDS[options.kind], options.target), ("confidence", options.confidence)):
        if not 0 < value < 1:
            raise UserError(f"the {what} must lie between 0 and 1 (1 % is 0.01), got {value:g}")
    if options.per_class and options.kind == "false_reject_rate":
        raise UserError("a good picture belongs to no class: --per-class needs --escape-rate")
    if options.output is not None and options.weights is None:
        raise UserError("--output is for a model file, and --predictions has none: use --json")
    if options.output is not None and Path(options.output).is_dir():
        raise UserError("is a folder; name the model file to write", path=options.output)


def split_request(options: CalibrationOptions) -> ValOptions:
    """The request as an evaluation."""
    return ValOptions(
        data=options.data,
        weights=options.weights,
        predictions=options.predictions,
        split=options.split,
        data_root=options.data_root,
        imgsz=options.imgsz,
        batch=options.batch,
        device=options.device,
        on_error=options.on_error,
        overrides=options.overrides,
    )


def _ceil(share: float) -> float:
    """Round a share up to three decimals, so that it is safe to ask for."""
    return float(np.ceil(share * 1000 - 1e-9) / 1000)
