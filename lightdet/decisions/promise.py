"""What a verdict promises: only what was calibrated, and only under the conditions of the calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lightdet.decisions.conditions import UNKNOWN, Conditions
from lightdet.decisions.rule_checks import is_number
from lightdet.errors import UserError

Rate = Literal["escape_rate", "false_reject_rate"]
WORDS: Mapping[str, str] = {"escape_rate": "escape rate", "false_reject_rate": "false-reject rate"}
OLD = "it was calibrated before the conditions were recorded; calibrate it again"
OLD_TILES = "it was calibrated when tiles were joined in another way; calibrate it again"
ASKED = "--no-promise was given"
OWN_RULE = "the rule was given by hand"
ESTIMATE = "estimate"
"""The key of a record's estimate. It then has no ``promise``: who knows nothing of estimates sees that none is made."""


@dataclass(frozen=True)
class Promise:
    """A promise, an estimate in its place, or the reason why there is neither.

    Attributes:
        rate: what is promised or estimated; None: nothing.
        target: the rate's largest value, in (0, 1).
        confidence: in (0, 1).
        per_class: for the bad parts of each class by itself.
        why_not: for people, if nothing is promised or estimated.
        estimated: it is no promise: the threshold comes from other models' scores (`lightdet.runs.crossval`).
        suspended: for people, what has changed since the calibration; empty: nothing that is known.
        moved: the statistic that moved, if it is suspended.
    """

    rate: Rate | None = None
    target: float = 0.0
    confidence: float = 0.0
    per_class: bool = False
    why_not: str = ""
    estimated: bool = False
    suspended: str = ""
    moved: str = ""

    @property
    def holds(self) -> bool:
        """Whether anything is promised; an estimate is no promise."""
        return self.stated and not self.estimated and not self.suspended

    @property
    def stated(self) -> bool:
        """Whether there is a promise or an estimate, which pictures of their own can test."""
        return self.rate is not None

    def suspend(self, what: str, moved: str) -> Promise:
        """Return it suspended, as the pictures have changed: `what` says how, `moved` is the statistic."""
        return replace(self, suspended=what, moved=moved) if self.stated and not self.suspended else self

    def describe(self) -> str:
        """In words: ``at most 2 % of bad parts pass, with 95 % confidence``.

        Otherwise they begin with what it is instead: ``none: …``, ``none guaranteed; …`` or ``suspended: …``.
        """
        if self.rate is None:
            return f"none: {self.why_not}"
        if self.suspended:
            return f"suspended: {self.suspended}"
        if self.estimated:
            return f"none guaranteed; estimated by cross-calibration: {self.statement()}"
        return self.statement()

    def word(self) -> str:
        """For a table: ``yes``, ``no``, or ``suspended: focus``."""
        return table_word(self.as_dict())

    def statement(self) -> str:
        """What is promised or estimated, in words.

        Raises:
            ValueError: nothing is.
        """
        if self.rate is None:
            raise ValueError("nothing is promised or estimated")
        parts = "bad parts of each class" if self.per_class else "bad parts"
        which = "each class by itself with" if self.per_class else "with"  # it is no joint statement about all of them
        what = f"of {parts} pass" if self.rate == "escape_rate" else "of good parts are rejected"
        return f"at most {_percent(self.target)} {what}, {which} {_percent(self.confidence)} confidence"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON: ``holds``, the same in words as ``text``, and the promise, if any.

        A suspended one has ``suspended: true`` and the statistic that ``moved`` instead. An estimate's values are under
        ``estimate``, so that nobody takes them for a promise's.
        """
        if self.rate is None:
            return {"holds": False, "text": self.describe()}
        if self.suspended:
            return {"holds": False, "suspended": True, "moved": self.moved, "text": self.describe()}
        values = {"rate": self.rate, "target": self.target, "confidence": self.confidence, "per_class": self.per_class}
        said = {"holds": self.holds, "text": self.describe()}
        return {**said, ESTIMATE: values} if self.estimated else {**said, **values}


def table_word(said: Mapping[str, Any]) -> str:
    """Return what `Promise.as_dict` gave as a word for a table: ``yes``, ``no``, or ``suspended: focus``."""
    if said.get("suspended"):
        return f"suspended: {said['moved']}"
    return "yes" if said["holds"] else "no"


def stored_promise(record: Mapping[str, Any], path: str | Path | None = None) -> Promise:
    """Return the promise or estimate in a model card's decision, if the conditions are those of the calibration.

    Raises:
        UserError: it is damaged.
    """
    promised, estimated = record.get("promise"), record.get(ESTIMATE)
    if promised is None and estimated is None:
        why = record.get("why_no_promise")
        return Promise(why_not=why if isinstance(why, str) and why else "none was calibrated")
    if record.get("conditions") is None:
        return Promise(why_not=OLD)
    then = stored_conditions(record, path)
    if then is not None and then.joined_as_before:
        return Promise(why_not=OLD_TILES)
    kept = estimated if promised is None else promised
    damaged = UserError("its promise is damaged; calibrate it again", path=path)
    if not isinstance(kept, Mapping) or kept.get("rate") not in tuple(WORDS) or None not in (promised, estimated):
        raise damaged
    target, confidence = (_share(kept.get(key)) for key in ("target", "confidence"))
    if target is None or confidence is None:
        raise damaged
    per_class = record.get("per_class") is True
    return Promise(kept["rate"], target, confidence, per_class, estimated=promised is None)


def stored_conditions(record: object, path: str | Path | None = None) -> Conditions | None:
    """Return the conditions in a model card's decision; None if there are none.

    Raises:
        UserError: they are damaged.
    """
    if not isinstance(record, Mapping) or record.get("conditions") is None:
        return None
    try:
        return Conditions.from_dict(record["conditions"])
    except (ValueError, TypeError):
        raise UserError("the conditions of its promise are damaged; calibrate it again", path=path) from None


def check_conditions(then: Conditions, now: Conditions, path: str | Path | None = None) -> None:
    """Refuse to judge under other conditions than those of the calibration.

    Raises:
        UserError: something differs; says what, and what to do.
    """
    if now.precision in ("", UNKNOWN):
        raise UserError(
            "the runtime does not tell in which number format it computes, and the promise of its OK/NG rule depends "
            "on that: take another --device, or add --no-promise to judge without a promise",
            path=path,
        )
    if found := then.differences(now):
        given, calibrated = (", ".join(part) for part in zip(*found, strict=True))
        raise UserError(
            f"its OK/NG rule was calibrated with {calibrated}, not with {given}: leave that out, calibrate the model "
            "with it, or add --no-promise to judge without a promise",
            path=path,
        )


def _share(value: object) -> float | None:
    """A number in (0, 1); None: it is something else."""
    return float(value) if is_number(value) and 0 < value < 1 else None  # type: ignore[operator, arg-type]


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"
