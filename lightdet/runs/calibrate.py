"""A trained model and a data set it has not seen → a decision rule with a promise, stored in the model's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.assembly.zones import read_zones
from lightdet.calibration import (
    Choice,
    ImageJudgement,
    judge,
)
from lightdet.data.dataset import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.inference.watching import RECORD_KEY, reference_of
from lightdet.model_kind import is_export
from lightdet.options.calibrate import CalibrationOptions
from lightdet.options.outputs import refuse_inputs
from lightdet.options.val import ValOptions
from lightdet.runs.calibration_pictures import MARKS, check_distinct, fingerprint, marks
from lightdet.runs.choose_rule import Wanted, choose_rule, evidence_of
from lightdet.runs.found import Found
from lightdet.runs.trained_on import check_unlearned
from lightdet.runs.validate import Validation, Watcher
from lightdet.storage.kept import needs_output
from lightdet.tasks import task_of_model

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
    zones: str = ""
    """The zones, and what they left out, in words; empty: there are none."""
    notes: Sequence[str] = ()
    """What a person should know of these pictures and the model's training."""


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
        # A confidence is the promise's here, and not the lowest score of a detection.
        given = {flag: value for flag, value in options.given().items() if flag != "--confidence"}
        self.task.check_options(given, self.validation.source)
        self.spec: DatasetSpec = self.validation.spec
        refuse_inputs({"--json": options.json}, (), self.spec)
        self.base, self.origin = self.task.uncalibrated_rule(self.spec, min_size=options.min_size, bad=options.bad)

    def run(self, watcher: Watcher) -> Calibrated:
        """Run the model on every picture of the split, choose the threshold, write the record.

        Raises:
            UserError: the promise cannot be given with these pictures or this model; a picture that is there twice, or
                that the model has learned from; otherwise as `Validation.run`.
        """
        options, notes = self.options, self._unlearned()
        found, names = self.validation.find(watcher, statistics=True), self.spec.classes
        wanted = wanted_of(options)
        check_distinct(found.truths)
        try:
            rule, choices = choose_rule(self.base, found, names, wanted, options.split, self.task)
        except UserError as error:
            raise UserError(error.message, path=self.spec.path) from None
        bad = np.array([rule.is_bad(truth, names) for truth in found.truths])
        scores = np.array([self.base.score(each) for each in found.predictions])
        judgement = judge(bad, [not rule.ok(each) for each in found.predictions], scores, self.options.confidence)
        reference = reference_of(found.pictures, found.predictions, bad.tolist(), rule) if found.pictures else None
        record = {**self._record(found, rule, choices, judgement), RECORD_KEY: reference}
        if self.options.json is not None:
            write_json(self.options.json, record)
        zones = found.facts.get("zones", "")
        return Calibrated(rule, record, judgement, self._write(record), found.skipped, self.origin, zones, notes)

    def _unlearned(self) -> list[str]:
        """What a person should know of the pictures and the model's training, at most one line.

        Raises:
            UserError: the model has learned from some of them.
        """
        options = self.options
        if options.weights is None:
            return []
        weights, pictures = Path(options.weights), [truth.image for truth in self.validation.truths()[0]]
        seen = check_unlearned(weights, pictures, "they promise nothing for new ones; take others to calibrate")
        if seen is not None:
            told = f"{seen.val:,} of these pictures chose the best epoch of {weights.name}, which favours it a little"
            return [f"{told}: a separate split is better"] if seen.val else []
        if options.split == "train":
            return ["if the model was trained on this split, the promise does not hold for new pictures: take another"]
        return [f"nothing says which pictures {weights.name} was trained on; they must not be these"]

    def _record(self, found: Found, rule: Any, choices: dict[str, Choice], judgement: ImageJudgement) -> dict[str, Any]:
        options, spec = self.options, self.spec
        step = max(1, len(judgement.roc) // CURVE_POINTS)
        return {
            "rule": rule.as_dict(),
            "promise": {"rate": options.kind, "target": options.target, "confidence": options.confidence},
            "per_class": options.per_class,
            "conditions": None if found.conditions is None else found.conditions.as_dict(),
            "evidence": evidence_of(choices),
            "calibration_set": {
                "name": spec.name,
                "split": options.split,
                "sha256": fingerprint(found.truths),
                MARKS: marks(found.truths),
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


def wanted_of(options: CalibrationOptions) -> Wanted:
    """Return what is to be promised.

    Raises:
        UserError: no calibration can satisfy it.
    """
    return Wanted(options.kind, options.target, options.confidence, options.per_class)


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
    wanted_of(options)
    if options.weights is not None:
        needs_output(Path(options.weights), options.output)
    if options.output is not None and options.weights is None:
        raise UserError("--output is for a model file, and --predictions has none: use --json")
    own = [] if options.zones is None else [zone for zone in read_zones(options.zones).zones if zone.has_thresholds]
    if own:
        raise UserError(
            f"zone '{own[0].name}' has a threshold of its own, and calibration chooses one for all zones: leave it "
            "out, or judge with these zones without a promise",
            path=options.zones,
        )
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
        precision=options.precision,
        agnostic=options.agnostic,
        rect=options.rect,
        tile=options.tile,
        overlap=options.overlap,
        zones=options.zones,
        no_promise=options.weights is not None,  # what was promised before is calibrated anew
        overrides=options.overrides,
    )
