"""The decision rule that a model file brings along, where it was calibrated (`lightdet.runs.calibrate`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.card import peek_model_card
from lightdet.decisions import ClassRule, DecisionRule
from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.predictor import Predictor
    from lightdet.structures import Annotation, Classification, Detections


def stored_rule(path: str | Path, predictor: Predictor) -> DecisionRule | None:
    """Return the calibrated rule of a checkpoint, or of what was exported from one; None where it has none.

    Args:
        path: the model file.
        predictor: as `lightdet.load` gave it for this file.

    Raises:
        UserError: the rule is damaged.
    """
    record = _record(path, predictor)
    if record is None:
        return None
    if not isinstance(record, dict) or "rule" not in record:
        raise UserError("its decision rule is damaged; calibrate it again", path=path)
    return DecisionRule.from_dict(record["rule"], path)


def check_agnostic(rule: DecisionRule | None, predictor: Predictor) -> None:
    """Refuse suppression across classes where it could take the very box that counts.

    Raises:
        UserError: the rule tells classes or sizes apart, so a better box need not count where a dropped one does.
    """
    if predictor.agnostic_iou is None or rule is None:
        return
    if rule.thresholds or rule.min_size or rule.min_sizes:
        raise UserError(
            "with thresholds by class or smallest sizes, --agnostic could drop the box that makes a part NG: "
            "leave it out"
        )


def stored_class_rule(path: str | Path, predictor: ClassifierPredictor) -> ClassRule | None:
    """Return the calibrated rule of a classifier's checkpoint, or of what was exported from one; else None.

    Args:
        path: the model file.
        predictor: as `lightdet.load_classifier` gave it for this file.

    Raises:
        UserError: the rule is damaged.
    """
    return class_rule(_record(path, predictor), predictor.names, path)


def class_rule(record: Any, names: Sequence[str], path: str | Path) -> ClassRule | None:
    """Return the rule in what a classifier's card says of its decision; None where that is nothing.

    Raises:
        UserError: the rule is damaged, or made for other classes.
    """
    if record is None:
        return None
    if not isinstance(record, dict) or "rule" not in record:
        raise UserError("its decision rule is damaged; calibrate it again", path=path)
    rule = ClassRule.from_dict(record["rule"], path)
    try:
        rule.check_names(names)
    except UserError as error:
        raise UserError(
            f"its decision rule is another model's: {error.message}; calibrate it again", path=path
        ) from None
    return rule


def _record(path: str | Path, predictor: Predictor | ClassifierPredictor) -> Any:
    return _of_checkpoint(Path(path)) if Path(path).suffix == ".safetensors" else _of_export(predictor)


def _of_checkpoint(path: Path) -> Any:
    card = peek_model_card(path)
    return None if card is None else card.decision


def _of_export(predictor: Predictor | ClassifierPredictor) -> Any:
    card = getattr(predictor.runtime, "card", None)
    stored = getattr(card, "decision", None)
    return stored if stored is not None else getattr(card, "facts", {}).get("decision")


def judged(rule: DecisionRule, annotations: Sequence[Annotation], found: Sequence[Detections]) -> dict[str, Any]:
    """Judge each picture by `rule` and count against the truth: bad with a labelled defect, good without.

    Returns:
        The rule and the counts, escape and false-reject rates with their intervals, as plain values.
    """
    from lightdet.calibration import judge  # noqa: PLC0415 - scipy and scikit-learn only where pictures are judged

    bad = [len(annotation) > 0 for annotation in annotations]
    return {"rule": rule.as_dict(), **judge(bad, [not rule.decide(each).ok for each in found]).as_dict()}


def judged_classes(rule: ClassRule, names: Sequence[str], found: Sequence[Classification]) -> dict[str, Any]:
    """Judge each picture by `rule` and count against the truth.

    Args:
        rule: the model's.
        names: what each picture is.
        found: what it was taken for.

    Returns:
        As `judged`.
    """
    from lightdet.calibration import judge  # noqa: PLC0415

    bad = [name in rule.bad for name in names]
    return {"rule": rule.as_dict(), **judge(bad, [not rule.ok(each) for each in found]).as_dict()}


def class_decision_facts(judgement: Mapping[str, Any]) -> dict[str, str]:
    """Say for people what `judged_classes` gave, by heading."""
    rule = judgement["rule"]
    if rule["thresholds"]:
        each = ", ".join(f"{name} with {value:g}" for name, value in rule["thresholds"].items())
        return {"a picture is NG from": f"a probability of {each}", **_counts(judgement)}
    which = " or ".join(rule["bad"])
    return {"a picture is NG from": f"a probability of {rule['threshold']:g} of {which}", **_counts(judgement)}


def decision_facts(judgement: Mapping[str, Any]) -> dict[str, str]:
    """Say for people what `judged` gave, by heading."""
    rule = judgement["rule"]
    by_class = "".join(f", {name} {value:g}" for name, value in rule["thresholds"].items())
    size = f", from {rule['min_size']:g} pixels on" if rule["min_size"] else ""
    return {
        "a picture is NG from": f"score {rule['threshold']:g}{by_class}{size}",
        **_counts(judgement),
    }


def _counts(judgement: Mapping[str, Any]) -> dict[str, str]:
    confusion = judgement["confusion"]
    return {
        "bad pictures": (
            f"{confusion['bad']['NG']} NG, {confusion['bad']['OK']} OK: {_share(judgement, 'escape_rate')} escape"
        ),
        "good pictures": (
            f"{confusion['good']['OK']} OK, {confusion['good']['NG']} NG: "
            f"{_share(judgement, 'false_reject_rate')} are rejected"
        ),
    }


def _share(judgement: Mapping[str, Any], rate: str) -> str:
    found = judgement[rate]
    if found["rate"] is None:
        return "none to count that"
    low, high = found["interval"]
    return f"{found['rate']:.1%} (two-sided {judgement['confidence']:.0%} interval {low:.1%}-{high:.1%})"
