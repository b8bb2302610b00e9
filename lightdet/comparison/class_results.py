"""What a comparison of classifiers is made of: as of detectors, with a run's numbers on several splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightdet.comparison.results import Model, Run, Spread

Measure = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""The metrics of a split → ``{"value", "interval"}``, or None where there is no such number."""


@dataclass(frozen=True, eq=False)
class ClassModel(Model):
    """One row of the tables.

    The `metrics` of its runs are by split as `lightdet.classification.metrics.ClassifyMetrics.as_dict` gives them.

    Attributes:
        headline: the split that stands for all in short tables and charts.
        fits: by run's label, what its curves say about over- and underfitting.
    """

    headline: str = "test"
    fits: Mapping[str, str] = field(default_factory=dict)

    def middle_run(self) -> Run | None:
        """The run whose accuracy on the headline split is the median (of an even number, the lower middle one)."""
        ranked = sorted(self.runs, key=lambda run: run.metrics[self.headline]["accuracy"]["value"] or 0.0)
        return ranked[(len(ranked) - 1) // 2] if ranked else None

    def measure(self, split: str, of: Measure) -> Spread | None:
        """Return a number on `split` over all runs, with the interval of the run where it is the median.

        Of an even number of runs, whose median lies between two of them, the interval reaches over both of theirs.
        """
        given = [of(run.metrics[split]) for run in self.runs if split in run.metrics]
        found = [each for each in given if each is not None and each["value"] is not None]
        if not found:
            return None
        ranked = sorted(found, key=lambda each: float(each["value"]))
        middle = ranked[(len(ranked) - 1) // 2 : len(ranked) // 2 + 1]
        intervals = [each["interval"] for each in middle if each["interval"] is not None]
        interval = (min(low for low, _ in intervals), max(high for _, high in intervals)) if intervals else None
        return Spread(tuple(float(each["value"]) for each in found), interval)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "source": self.source,
            "cost": self.cost.as_dict() if self.cost else None,
            "runs": [
                {
                    "label": run.label,
                    "seed": run.seed,
                    "epochs": len(run.history) or None,
                    "minutes": run.minutes,
                    "fit": self.fits.get(run.label),
                    "splits": dict(run.metrics),
                }
                for run in self.runs
            ],
            "problems": dict(self.problems),
            "settings": dict(self.settings),
        }


@dataclass(frozen=True)
class HardPicture:
    """A picture of the headline split that networks take for the wrong class.

    Attributes:
        path: of the picture.
        is_a: its class.
        taken: by network that is wrong about it, the class that it takes it for and how probable that is to it.
    """

    path: Path
    is_a: str
    taken: Mapping[str, tuple[str, float]]


@dataclass(frozen=True, eq=False)
class ClassComparison:
    """Several classifiers on the same pictures.

    Attributes:
        title: heading of the page.
        classes: class names by label.
        splits: that were scored, in the order train, val, test, others.
        headline: the one of them that stands for all in short tables and charts.
        models: in the order in which they were named.
        hard: pictures of the headline split that most networks get wrong, the hardest first.
        facts: for the page's end, by group.
        details: for the JSON; plain values.
        notes: sentences that a reader must know before comparing.
        skipped: pictures or labels left out, one line each.
    """

    title: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    headline: str
    models: Sequence[ClassModel]
    hard: Sequence[HardPicture] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    skipped: Sequence[str] = ()
