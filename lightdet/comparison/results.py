"""The content of a comparison: models, each with its runs, its cost and what went wrong."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lightdet.comparison.view import View

Kind = Literal["trained", "weights", "predictions"]
"""Trained here, a finished model, or another program's detections."""


@dataclass(frozen=True)
class Spread:
    """One number of several runs, in their order.

    Attributes:
        values: one per run.
        interval: the confidence interval of the median run (or the two in the middle); None if unknown.
    """

    values: tuple[float, ...]
    interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a spread needs a value")

    @staticmethod
    def of(values: Iterable[float | None]) -> Spread | None:
        """Return the spread of the values that exist; None if there are none."""
        known = tuple(float(value) for value in values if value is not None)
        return Spread(known) if known else None

    @property
    def median(self) -> float:
        """The median: the middle value, or the mean of the two in the middle."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)

    def as_dict(self) -> dict[str, Any]:
        """Return ``{"median", "min", "max", "values"}``, and ``"interval"`` where there is one."""
        known = {"median": self.median, "min": self.low, "max": self.high, "values": list(self.values)}
        return known if self.interval is None else {**known, "interval": list(self.interval)}


@dataclass(frozen=True, eq=False)
class Run:
    """One training, one file of weights or one file of detections, evaluated.

    Attributes:
        label: ``seed 0``, ``run 1``, …; empty if a model has only one and no seed is known.
        seed: of the training, if it was trained here.
        metrics: as from `lightdet.evaluation.metrics.Metrics.as_dict`, 0 to 1; a classifier's by split, as
            `lightdet.classification.metrics.ClassifyMetrics.as_dict` does.
        history: one record per epoch (the rows of results.csv), empty where unknown.
        shown: what the page shows: a detector's detections in the pictures of the sheet, at or above the run's own
            best threshold; a classifier's mistakes.
        start: the starting weights of its training: ``pretrained``, ``chance`` or a file; None if unknown.
        fit: what its curves say about over- and underfitting, if anything.
    """

    label: str
    seed: int | None
    metrics: Mapping[str, Any]
    history: Sequence[Mapping[str, float]] = ()
    shown: Sequence[Any] = ()
    start: str | None = None
    fit: str | None = None

    @property
    def minutes(self) -> float | None:
        """How long it was trained, over all sessions."""
        return self.history[-1].get("minutes") if self.history else None


@dataclass(frozen=True)
class Cost:
    """The cost of one picture.

    Attributes:
        params: learned values.
        flops: two per multiply-add, for one picture of `imgsz`.
        imgsz: side of the network's input.
        latency_ms, latency_p95_ms: by stage, including ``total``; None if it was not timed.
    """

    params: int
    flops: int
    imgsz: int
    latency_ms: Mapping[str, float] | None = None
    latency_p95_ms: Mapping[str, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON."""
        return {
            "params": self.params,
            "flops": self.flops,
            "imgsz": self.imgsz,
            "latency_ms": dict(self.latency_ms) if self.latency_ms else None,
            "latency_p95_ms": dict(self.latency_p95_ms) if self.latency_p95_ms else None,
        }


@dataclass(frozen=True, eq=False)
class Model:
    """One row of the tables.

    Attributes:
        name: unique in the comparison.
        kind: where its numbers come from.
        source: the file or files it was given by.
        runs: the successful ones.
        problems: by run's label, one line each: what failed or is missing.
        cost: None for another program's detections.
        settings: its configuration as plain values (for weights only ``model`` and ``imgsz``); empty if unknown.
    """

    name: str
    kind: Kind
    source: str
    runs: tuple[Run, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    cost: Cost | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def spread(self, of: Callable[[Mapping[str, Any]], float | None]) -> Spread | None:
        """Return a number of the metrics over all runs."""
        return Spread.of(of(run.metrics) for run in self.runs)

    def middle_run(self, of: Callable[[Mapping[str, Any]], float | None]) -> Run | None:
        """The run whose number is the median (of an even number of runs, the lower middle one): the one to show."""
        ranked = sorted(self.runs, key=lambda run: of(run.metrics) or 0.0)
        return ranked[(len(ranked) - 1) // 2] if ranked else None

    def as_dict(self, view: View) -> dict[str, Any]:
        """Return plain values ready for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "source": self.source,
            **view.model_as_dict(self),
            "cost": self.cost.as_dict() if self.cost else None,
            "runs": [
                {
                    "label": run.label,
                    "seed": run.seed,
                    "epochs": len(run.history) or None,
                    "minutes": run.minutes,
                    **view.run_as_dict(run),
                }
                for run in self.runs
            ],
            "problems": dict(self.problems),
            "settings": dict(self.settings),
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results of several models on the same pictures.

    Attributes:
        title: heading of the page.
        classes: class names by label.
        models: in the order given.
        view: everything that depends on the models' task.
        facts: for the end of the page, by group: data, training, machine, versions.
        details: for the JSON; plain values.
        notes: sentences to read before comparing.
        skipped: pictures or labels left out, one line each.
    """

    title: str
    classes: tuple[str, ...]
    models: Sequence[Model]
    view: View
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    skipped: Sequence[str] = ()
