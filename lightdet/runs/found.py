"""What a model, or a file of detections, says about the pictures of a split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import Promise


@dataclass
class Found:
    """The truth for the pictures of a split, and the predictions of a model or from a file.

    Attributes:
        truths: the pictures that could be read, with their labels.
        predictions: one for each, in the data set's order of classes.
        skipped: what was left out, and why, one line each.
        facts, details: about where they come from; for people, and for the JSON.
        rule: the model's OK/NG rule, if it has one.
        promise: what the rule promises.
        conditions: how the model looked at the pictures; None for predictions from a file.
        record: the decision in the model's card.
        pictures: the statistics of each picture, if they were wanted.
        compared: about the comparison with another model, for people.
    """

    truths: list[Any]
    predictions: list[Any]
    skipped: list[str]
    facts: dict[str, str]
    details: dict[str, Any] = field(default_factory=dict)
    rule: Any = None
    promise: Promise = field(default_factory=Promise)
    conditions: Conditions | None = None
    record: Any = None
    pictures: list[dict[str, float]] = field(default_factory=list)
    compared: dict[str, str] = field(default_factory=dict)
