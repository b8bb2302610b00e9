"""What both kinds of decision rules check and read in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from lightdet.errors import UserError

Verdict = Literal["OK", "NG"]

LARGEST = 1e300
"""Largest number in a rule; JSON allows larger ones than a float."""


def check_thresholds(threshold: float, thresholds: Mapping[str, float]) -> None:
    """Refuse a threshold outside [0, 1], or one that is not a number.

    Raises:
        UserError: one is.
    """
    for name, value in [("", threshold), *thresholds.items()]:
        if not is_number(value) or not 0.0 <= value <= 1.0:
            raise UserError(f"the threshold{of_class(name)} must lie in 0-1, got {value}")


def shifted_threshold(threshold: float, by: float) -> float:
    """Move a threshold by `by`, within [0, 1]; scores have four decimals, so that 0.25 + 0.1 must be 0.35 exactly."""
    return round(min(1.0, max(0.0, threshold + by)), 10)


def is_number(value: object) -> bool:
    """Whether a value from JSON is a number that a float can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def of_class(name: str) -> str:
    """`` of 'scratch'`` for messages; empty without a name."""
    return f" of '{name}'" if name else ""


def rule_in(record: object, path: str | Path | None) -> object:
    """Return the rule's plain values in a model card's decision; None if the card has none.

    Raises:
        UserError: the record is damaged; `path` is the model file.
    """
    if record is None:
        return None
    if not isinstance(record, Mapping) or record.get("rule") is None:
        raise UserError("its decision rule is damaged; calibrate it again", path=path)
    return record["rule"]
