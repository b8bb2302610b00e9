"""The numbers of a cross-validation: by fold, their spread, and of all held-out pictures together."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A number of an evaluation.

    Attributes:
        key: in JSON.
        title: in print.
        value: as measured, in [0, 1]; None: it does not exist.
    """

    key: str
    title: str
    value: float | None


@dataclass(frozen=True)
class FoldResult:
    """A fold, judged by the model that was trained on all others.

    Attributes:
        label: ``fold 1``, ``fold 2``, …
        pictures: how many it holds; `bad` of them are bad (None: nothing was calibrated).
        figures: the numbers to show, the headline first.
        by_class: the number that is shown for each class, by name.
        metrics: all of them, as plain values.
        lowest: the lowest rate that this fold alone could promise for its model; None: nothing was calibrated.
    """

    label: str
    pictures: int
    bad: int | None
    figures: tuple[Figure, ...]
    by_class: Mapping[str, float | None]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    lowest: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        kept = {"label": self.label, "pictures": self.pictures, "bad": self.bad, "lowest_rate": self.lowest}
        return {**kept, "metrics": dict(self.metrics)}


@dataclass(frozen=True)
class FoldSpread:
    """One number over the folds.

    Attributes:
        key, title: see `Figure`.
        values: one per fold; None: it does not exist there.
        together: of all held-out pictures at once.
    """

    key: str
    title: str
    values: tuple[float | None, ...]
    together: float | None

    @property
    def known(self) -> list[float]:
        """The values that exist."""
        return [value for value in self.values if value is not None]

    @property
    def mean(self) -> float | None:
        """Their mean."""
        return statistics.fmean(self.known) if self.known else None

    @property
    def deviation(self) -> float | None:
        """Their sample standard deviation; None for fewer than two."""
        return statistics.stdev(self.known) if len(self.known) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        reach = {"min": min(self.known, default=None), "max": max(self.known, default=None)}
        values = {"mean": self.mean, "deviation": self.deviation, **reach, "together": self.together}
        return {**values, "values": list(self.values)}


@dataclass(frozen=True)
class CrossCalibration:
    """The threshold that the scores of all held-out pictures choose.

    Attributes:
        record: as in the model's card, with the ROC curve.
        statement: what is estimated, in words.
        lowest: the lowest rate that these scores can give.
        curve: (threshold, share of bad pictures that pass, share of good ones rejected), for a chart; a share is None
            if there is no such picture.
    """

    record: Mapping[str, Any]
    statement: str
    lowest: float
    curve: Sequence[tuple[float, float | None, float | None]] = ()


@dataclass(frozen=True)
class CrossResult:
    """A cross-validation.

    Attributes:
        name: of the data set.
        classes: the class names.
        splits: where the pictures come from; `left_out` are the data set's others.
        folds: in order, those whose model was trained.
        together: all held-out pictures, each judged by the model that has not seen it; None if a fold is missing.
        class_title: what `by_class` of a fold is.
        asked: the rate that was to be kept, in words; None: none.
        calibration: the threshold; None: none was asked for, or `why_not`.
        why_not: why there is no threshold.
        problems: what failed, by training.
        notes, skipped, facts: for the page.
    """

    name: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    left_out: tuple[str, ...]
    folds: tuple[FoldResult, ...]
    together: FoldResult | None
    class_title: str
    asked: str | None = None
    calibration: CrossCalibration | None = None
    why_not: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    skipped: Sequence[str] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def figures(self) -> list[FoldSpread]:
        """Every number over the folds, the headline first."""
        if not self.folds:
            return []
        together = self.together.figures if self.together else (None,) * len(self.folds[0].figures)
        rows = zip(*(fold.figures for fold in self.folds), together, strict=True)
        return [
            FoldSpread(
                each[0].key, each[0].title, tuple(one.value for one in each[:-1]), each[-1].value if each[-1] else None
            )
            for each in rows
        ]

    @property
    def by_class(self) -> list[FoldSpread]:
        """The number of each class over the folds."""
        return [
            FoldSpread(
                name,
                name,
                tuple(fold.by_class.get(name) for fold in self.folds),
                self.together.by_class.get(name) if self.together else None,
            )
            for name in self.classes
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        calibration = self.calibration
        return {
            "name": self.name,
            "classes": list(self.classes),
            "splits": list(self.splits),
            "left_out": list(self.left_out),
            "figures": {each.key: each.as_dict() for each in self.figures},
            "by_class": {"figure": self.class_title, **{each.key: each.as_dict() for each in self.by_class}},
            "folds": [fold.as_dict() for fold in self.folds],
            "together": self.together.as_dict() if self.together else None,
            "asked": self.asked,
            "calibration": None
            if calibration is None
            else {"estimate": calibration.statement, "lowest_rate": calibration.lowest, **calibration.record},
            "why_no_calibration": self.why_not or None,
            "problems": dict(self.problems),
            "notes": list(self.notes),
            "skipped": list(self.skipped),
            "facts": {name: dict(group) for name, group in self.facts.items()},
        }
