"""What a picture tells the test that watches over a promise (`lightdet.drift`), and the card's reference for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.decisions.promise import Promise
from lightdet.drift.monitor import Look, Monitor
from lightdet.drift.reference import Reference
from lightdet.drift.statistics import VERSION, picture_statistics
from lightdet.errors import UserError
from lightdet.inference.save import Record
from lightdet.wording import counted

log = logging.getLogger("lightdet")

RECORD_KEY = "reference"
"""Where a card's decision holds the reference."""
SPACING = 1.0
"""Seconds between frames that are compared: neighbouring ones show the same, which no calibration does."""
NOT_WATCHED = "calibrated by another version of lightdet, or on too few pictures"
"""Why a promise has no reference."""


def look_at(image: Image, found: Any, rule: Any, ok: bool) -> Look:
    """Return the statistics of a picture (uint8 RGB ``[H, W, 3]``), and of what was found in it; `ok`: it passes."""
    return Look(ok, {**picture_statistics(image), **rule.statistics(found)})


def reference_of(
    pictures: Sequence[Mapping[str, float]],
    predictions: Sequence[Any],
    bad: Sequence[bool],
    rule: Any,
    *,
    own: bool = True,
) -> dict[str, Any] | None:
    """Return the reference for a card, as plain values; None if there are too few pictures.

    A calibration set seldom has a line's share of bad parts. So pictures that pass are compared with good ones that
    passed; only if there are not enough of those, all are compared with all.

    Args:
        pictures: `lightdet.drift.statistics.picture_statistics` of each calibration picture.
        predictions: what was found in each.
        bad: whether each is bad by its label.
        rule: the rule that was calibrated on them.
        own: the predictions are those of the model that gets the reference. Those of others, as in a cross-validation,
            only tell which pictures pass: their numbers and scores are no reference.
    """
    pairs = zip(pictures, predictions, strict=True)
    rows = [{**picture, **(rule.statistics(found) if own else {})} for picture, found in pairs]
    good = [row for row, found, is_bad in zip(rows, predictions, bad, strict=True) if not is_bad and rule.ok(found)]
    verdicts = {"rejected": sum(not rule.ok(found) for found in predictions), "judged": len(predictions)}
    reference = Reference.of(good, "passed", **verdicts) or Reference.of(rows, "all", **verdicts)
    return None if reference is None else {"version": VERSION, **reference.as_dict()}


def stored_reference(record: object, promise: Promise, path: str | Path | None = None) -> Reference | None:
    """Return the reference in a card's decision; None if there is none, of other statistics, or nothing is stated.

    Raises:
        UserError: it is damaged.
    """
    if not promise.stated or promise.suspended or not isinstance(record, Mapping) or record.get(RECORD_KEY) is None:
        return None
    try:
        values = dict(record[RECORD_KEY])
        return Reference.from_dict(values) if values.pop("version", None) == VERSION else None
    except (ValueError, TypeError):
        raise UserError("the reference pictures of its promise are damaged; calibrate it again", path=path) from None


class FrameWatch:
    """A writer that compares frames with the calibration, and knows what the verdicts promise at the moment.

    Pictures are passed over: the order of files in a folder is not that of a line.

    Args:
        rule: the model's.
        promise: what it promises at the beginning.
        record: the decision in the model's card.
        path: the model file, for messages.
        header: a run's summary, whose ``promise`` is changed when the promise is suspended.

    Raises:
        UserError: the reference is damaged.
    """

    def __init__(
        self, rule: Any, promise: Promise, record: object, path: str | Path | None, header: dict[str, Any]
    ) -> None:
        self._rule, self.promise, self._header = rule, promise, header
        reference = stored_reference(record, promise, path)
        self._monitor = None if reference is None else Monitor(reference)
        self._last: tuple[str, float] | None = None

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        if self._monitor is None or record.image is None or record.time is None:
            return
        if self._last is not None and self._last[0] == record.source and record.time - self._last[1] < SPACING:
            return
        self._last = record.source, record.time
        found = self._monitor.see(
            look_at(record.image, record.detections, self._rule, self._rule.ok(record.detections))
        )
        if found is not None:
            self.promise = self.promise.suspend(found.describe(), found.moved)
            self._header["promise"] = self.promise.as_dict()
            log.warning("%s, frame %s: promise %s", record.source, record.frame, self.promise.describe())

    def close(self, summary: Mapping[str, Any]) -> None:
        """Nothing is written."""

    def word(self) -> str:
        """For a table: ``yes``, ``no``, or ``suspended: focus``."""
        return self.promise.word()

    def describe(self) -> str:
        """How many frames were compared, in words."""
        if self._monitor is None:
            return f"none ({NOT_WATCHED})"
        return f"{counted(self._monitor.compared, 'frame')} compared with {self._monitor.reference.pictures} pictures"
