"""An export finds slightly other scores than its checkpoint: its OK/NG promise is verified on its own, or dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lightdet.card import peek_model_card
from lightdet.data.dataset import DatasetSpec
from lightdet.decisions.promise import ESTIMATE, Promise, stored_promise
from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.inference.watching import RECORD_KEY, reference_of
from lightdet.options.export import ExportOptions
from lightdet.options.val import ValOptions
from lightdet.runs.calibration_pictures import check_distinct, fingerprint
from lightdet.runs.choose_rule import Wanted, choose_rule, evidence_of
from lightdet.runs.export_proof import Watcher
from lightdet.runs.load import calibrated_conditions, trained_tiles
from lightdet.runs.validate import Validation
from lightdet.tasks import Task

NO_DATA = "exported without its calibration pictures; give them with --data"
BELOW_THRESHOLD = 0.9
"""An export with NMS reports scores from this share of the lowest threshold on: its own scores differ a little."""
CROSS = "its threshold was estimated by cross-calibration, for the checkpoint alone; test it with 'lightdet val'"


def exported_decision(
    draft: Path,
    rule: Any,
    record: Mapping[str, Any],
    spec: DatasetSpec | None,
    options: ExportOptions,
    watcher: Watcher,
) -> dict[str, Any]:
    """Return the decision for the card of an export.

    With the pictures of the calibration, the threshold is chosen again from what the export finds in them, by the same
    procedure, so the same promise holds. Otherwise the rule stays as it is, without one.

    Args:
        draft: the export.
        rule: the checkpoint's, of its task's own kind.
        record: the checkpoint's decision.
        spec: the data set of ``--data``.
        options: the request.
        watcher: follows the work.

    Raises:
        UserError: a picture or label that cannot be read.
    """
    promise = stored_promise(record, options.weights)
    if not promise.holds:
        return _without(record, CROSS if promise.estimated else promise.why_not)
    if spec is None:
        return _without(record, NO_DATA)
    calibration = record.get("calibration_set")
    split = calibration.get("split") if isinstance(calibration, Mapping) else None
    if not isinstance(calibration, Mapping) or split not in spec.splits:
        return _without(record, f"{spec.path or spec.name} has no split '{split}', on which it was calibrated")
    watcher.stage("verifying the promise")
    validation = _validation(draft, str(split), record, options)
    found = validation.find(watcher, own_thresholds=True, statistics=True)
    if fingerprint(found.truths) != calibration.get("sha256"):
        return _without(record, f"the split '{split}' holds other pictures or labels than those it was calibrated on")
    try:
        check_distinct(found.truths)
        base = replace(rule, thresholds={})
        chosen, choices = choose_rule(base, found, spec.classes, _wanted(promise), str(split), validation.task)
    except UserError as error:
        return _without(record, f"the export does not keep it ({error})")
    bad = [chosen.is_bad(truth, spec.classes) for truth in found.truths]
    return {
        **record,
        RECORD_KEY: reference_of(found.pictures, found.predictions, bad, chosen),
        "rule": chosen.as_dict(),
        "evidence": evidence_of(choices),
        "conditions": None if found.conditions is None else found.conditions.as_dict(),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _validation(draft: Path, split: str, record: Mapping[str, Any], options: ExportOptions) -> Validation:
    """The look of the draft at the calibration pictures."""
    whole = None if trained_tiles(draft) is None else 0  # it was calibrated on whole pictures all the same
    wanted = ValOptions(
        data=options.data or Path(),
        weights=draft,
        split=split,
        data_root=options.data_root,
        device="cpu",
        tile=_condition(record, "tile") or whole,
        overlap=_condition(record, "overlap"),
        no_promise=True,
    )
    zones = _condition(record, "zones")
    return Validation(wanted, zones=None if zones is None else Zones.from_dict(zones))


def _wanted(promise: Promise) -> Wanted:
    if promise.rate is None:
        raise ValueError("nothing is promised")
    return Wanted(promise.rate, promise.target, promise.confidence, promise.per_class)


def _condition(record: Mapping[str, Any], name: str) -> Any:
    conditions = record.get("conditions")
    return conditions.get(name) if isinstance(conditions, Mapping) else None


def _without(record: Mapping[str, Any], why: str) -> dict[str, Any]:
    """The record with its rule, and no promise."""
    left_out = ("evidence", "conditions", RECORD_KEY, ESTIMATE)
    kept = {key: value for key, value in record.items() if key not in left_out}
    return {**kept, "promise": None, "why_no_promise": why}


def deep_enough(options: ExportOptions, task: Task) -> ExportOptions:
    """With NMS in the network, the file must report every box that its OK/NG rule counts, and a little more: the
    threshold is chosen anew among what the export finds.

    Raises:
        UserError: the lowest score asked for would hide boxes that the rule counts.
    """
    card = peek_model_card(Path(options.weights))
    rule = None if card is None else task.stored_rule(card.decision, card.names, Path(options.weights))
    if card is None or rule is None:
        return options
    then = calibrated_conditions(options.weights)
    zones = None if then is None or then.zones is None else Zones.from_dict(then.zones).lowest_threshold
    below = rule.needed_floor(then)
    needed = rule.lowest_threshold if below is None else below
    needed = needed if zones is None else min(needed, zones)
    floor = BELOW_THRESHOLD * needed
    if options.confidence is None:
        return options if floor >= card.confidence else replace(options, confidence=float(f"{floor:.3g}"))
    if options.confidence > needed:
        raise UserError(
            f"--confidence {options.confidence:g} with --nms would hide boxes on which the model's OK/NG rule depends "
            f"(from a score of {needed:.3g} on); leave it out"
        )
    return options
