"""The tables of classifiers: over the splits, every measure with its interval, size and speed, every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from lightdet.comparison.paper_tables import cost_cells, cost_columns, cost_table, percent
from lightdet.comparison.results import Model, Run, Spread
from lightdet.comparison.tables import Column, Row, Table

Measure: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""The metrics of a split → ``{"value", "interval"}``, or None if there is no such number."""
MEASURES = (
    ("accuracy", "accuracy %"),
    ("precision", "precision %"),
    ("recall", "recall %"),
    ("f1", "F1 %"),
    ("specificity", "specificity %"),
    ("auc", "AUC %"),
)
"""Accuracy, and means over the classes of the others."""
OF_CLASS = MEASURES[1:]
_SPEED = (
    "FLOPs are two per multiply-add. Times are medians of single pictures through all stages (scaling, network), the "
    "models timed in turn, block by block, so that a busy machine slows all of them equally."
)


def class_tables(models: Sequence[Model], classes: Sequence[str], splits: Sequence[str], headline: str) -> list[Table]:
    """Return the short table, one over the splits, one for each split, one by class, size and speed, every run.

    Args:
        models: whose runs have metrics by split.
        classes: names by label.
        splits: that were scored.
        headline: the one for the short table and the table by class.
    """
    return [
        _summary(models, headline),
        _over_splits(models, splits),
        *(_of_split(models, classes, split) for split in splits),
        _by_class(models, classes, headline),
        cost_table(models, key="cost", title="Size and speed", note=_SPEED),
        _every_run(models, splits, headline),
    ]


def measure(model: Model, split: str, of: Measure) -> Spread | None:
    """Return a number on `split` over all runs, with the interval of the median run.

    For an even number of runs, whose median is between two of them, the interval covers both of theirs.
    """
    given = [of(run.metrics[split]) for run in model.runs if split in run.metrics]
    found = [each for each in given if each is not None and each["value"] is not None]
    if not found:
        return None
    ranked = sorted(found, key=lambda each: float(each["value"]))
    middle = ranked[(len(ranked) - 1) // 2 : len(ranked) // 2 + 1]
    intervals = [each["interval"] for each in middle if each["interval"] is not None]
    interval = (min(low for low, _ in intervals), max(high for _, high in intervals)) if intervals else None
    return Spread(tuple(float(each["value"]) for each in found), interval)


def measure_of(name: str) -> Measure:
    """A measure by its key: the accuracy, or a mean over the classes."""

    def of(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = metrics["accuracy"] if name == "accuracy" else metrics["macro"].get(name)
        return found

    return of


def _summary(models: Sequence[Model], split: str) -> Table:
    shown = [pair for pair in MEASURES if pair[0] in ("accuracy", "f1", "auc")]
    columns = (*(percent(key, title) for key, title in shown), *cost_columns())
    rows = tuple(
        Row(model.name, (*(measure(model, split, measure_of(key)) for key, _ in shown), *cost_cells(model.cost)))
        for model in models
    )
    return Table("summary", f"Accuracy ({split}) and cost", "network", columns, rows, _runs_note(models))


def _over_splits(models: Sequence[Model], splits: Sequence[str]) -> Table:
    columns = tuple(percent(split, f"{split} %") for split in splits)
    rows = tuple(
        Row(model.name, tuple(measure(model, split, measure_of("accuracy")) for split in splits)) for model in models
    )
    return Table("splits", f"Accuracy over {listed(splits)}", "network", columns, rows)


def _of_split(models: Sequence[Model], classes: Sequence[str], split: str) -> Table:
    columns = tuple(percent(key, title) for key, title in MEASURES)
    rows = tuple(
        Row(model.name, tuple(measure(model, split, measure_of(key)) for key, _ in MEASURES)) for model in models
    )
    note = "All but the accuracy are means over the classes that occur."
    if len(classes) == 2:
        note += " With two classes the specificity of one is the recall of the other, so those two means are equal."
    return Table(f"split_{split}", f"Every measure on {split}", "network", columns, rows, note)


def _by_class(models: Sequence[Model], classes: Sequence[str], split: str) -> Table:
    columns = tuple(percent(key, title) for key, title in OF_CLASS)

    def of(name: str, key: str) -> Measure:
        return lambda metrics: metrics["per_class"][name][key]

    rows = tuple(
        Row(f"{model.name}: {name}", tuple(measure(model, split, of(name, key)) for key, _ in OF_CLASS))
        for model in models
        for name in classes
    )
    plain = tuple(Column(c.key, c.title, c.factor, c.digits) for c in columns)  # classes do not compete
    note = "Each class against all others. Specificity: the share of the other classes' pictures not reported as it."
    return Table("classes", f"By class ({split})", "network and class", plain, rows, note)


def _every_run(models: Sequence[Model], splits: Sequence[str], headline: str) -> Table:
    columns = [Column(split, f"{split} %", 100.0, 1) for split in splits]
    columns += [Column("auc", f"AUC ({headline}) %", 100.0, 1)]
    columns += [Column("epochs", "epochs", digits=0), Column("minutes", "minutes", digits=2)]
    rows = []
    for model in models:
        for run in model.runs:
            known = [_of_run(run, split, "accuracy") for split in splits]
            known.append(_of_run(run, headline, "auc"))
            known += [Spread.of([len(run.history) or None]), Spread.of([run.minutes])]
            rows.append(Row(f"{model.name}, {run.label}" if run.label else model.name, tuple(known)))
        for label in model.problems:
            empty = (None,) * (len(columns) - 2)
            rows.append(Row(f"{model.name}, {label}" if label else model.name, (*empty, "failed", None)))
    return Table("runs", "Every run", "run", tuple(columns), tuple(rows))


def _of_run(run: Run, split: str, key: str) -> Spread | None:
    found = measure_of(key)(run.metrics[split]) if split in run.metrics else None
    if found is None or found["value"] is None:
        return None
    interval = found["interval"]
    return Spread((float(found["value"]),), None if interval is None else (interval[0], interval[1]))


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def _runs_note(models: Sequence[Model]) -> str:
    several = [f"{model.name} ({len(model.runs)})" for model in models if len(model.runs) > 1]
    note = "In square brackets the confidence interval"
    if not several:
        return f"{note}."
    return f"{note}; for several runs, the median, in round ones the smallest and the largest: {', '.join(several)}."
