"""The tables of the paper (Huang 2024, Tables 1 to 3) and two of our own, for the compared models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightdet.comparison.results import Comparison, Cost, Model, Run, Spread
from lightdet.comparison.tables import Column, Row, Table

MEANS = (("map50", "mAP@0.5"), ("map75", "mAP@0.75"), ("map50_95", "mAP@0.5:0.95"))


def percent(key: str, title: str) -> Column:
    """A share, shown in percent as in the paper."""
    return Column(key, title, 100.0, 1, "high")


def paper_tables(comparison: Comparison) -> list[Table]:
    """Return the short table, the paper's Tables 1 to 3, and every run by itself (Table 4: `ablations`)."""
    return [
        short_table(comparison),
        class_table(comparison.models, comparison.classes),
        mean_table(comparison.models),
        cost_table(comparison.models),
        run_table(comparison.models),
    ]


def short_table(comparison: Comparison) -> Table:
    """The first table: accuracy and cost side by side."""
    columns = (
        percent("map50", "mAP@0.5 %"),
        percent("map50_95", "mAP@0.5:0.95 %"),
        *cost_columns()[:3],
        Column("start", "begun with"),
    )
    rows = [
        Row(model.name, (mean(model, "map50"), mean(model, "map50_95"), *cost_cells(model.cost)[:3], start(model.runs)))
        for model in comparison.models
    ]
    return Table("summary", "Accuracy and cost", "model", columns, tuple(rows), _runs_note(comparison.models))


def class_table(models: Sequence[Model], classes: Sequence[str]) -> Table:
    """Table 1: average precision by class, overlap 0.5."""
    columns = tuple(percent(name, name) for name in classes)
    rows = tuple(Row(model.name, class_cells(model, classes)) for model in models)
    return Table("table1", "Table 1. Average precision by class, overlap 0.5, %", "model", columns, rows)


def mean_table(models: Sequence[Model]) -> Table:
    """Table 2: means over the classes."""
    columns = tuple(percent(key, f"{title} %") for key, title in MEANS)
    rows = tuple(Row(model.name, tuple(mean(model, key) for key, _ in MEANS)) for model in models)
    return Table("table2", "Table 2. Mean average precision, %", "model", columns, rows)


def cost_table(
    models: Sequence[Model], *, key: str = "table3", title: str = "Table 3. Size and speed", note: str = ""
) -> Table:
    """Table 3: parameters, operations and time, for models that have them."""
    columns = (
        *cost_columns(),
        Column("network_ms", "network ms", digits=2, better="low"),
        Column("p95_ms", "95 % below ms", digits=2),
        Column("imgsz", "input side", digits=0),
    )
    rows = []
    for model in models:
        cost = model.cost
        if cost is None:
            rows.append(Row(model.name, (None,) * len(columns)))
            continue
        network = _one(cost.latency_ms["network"]) if cost.latency_ms else None
        p95 = _one(cost.latency_p95_ms["total"]) if cost.latency_p95_ms else None
        rows.append(Row(model.name, (*cost_cells(cost), network, p95, _one(cost.imgsz))))
    note = note or (
        "FLOPs are two per multiply-add. Times are medians of single pictures through all stages (letterbox, network, "
        "NMS), the models timed in turn, block by block, so that a busy machine slows all of them equally."
    )
    return Table(key, title, "model", columns, tuple(rows), note)


def run_table(models: Sequence[Model]) -> Table:
    """Each run by itself, so that no median hides one."""
    columns = (
        *(percent(key, f"{title} %") for key, title in MEANS),
        Column("epochs", "epochs", digits=0),
        Column("minutes", "minutes", digits=2),
        Column("start", "begun with"),
    )
    rows = []
    for model in models:
        for run in model.runs:
            known = [_one(run.metrics[key]) for key, _ in MEANS]
            epochs = _one(len(run.history) or None)
            name = f"{model.name}, {run.label}" if run.label else model.name
            rows.append(Row(name, (*known, epochs, _one(run.minutes), run.start)))
        rows += [
            Row(f"{model.name}, {label}" if label else model.name, (*(None,) * 3, "failed", None, None))
            for label in model.problems
        ]
    plain = tuple(Column(c.key, c.title, c.factor, c.digits) for c in columns)
    return Table("runs", "Every run", "run", plain, tuple(rows))


def start(runs: Sequence[Run]) -> str | None:
    """The starting weights of trainings: pretrained, chance, or a file."""
    return " or ".join(sorted({run.start for run in runs if run.start is not None})) or None


def mean(model: Model, key: str) -> Spread | None:
    """A model's mean average precision over its runs."""
    return model.spread(lambda metrics: metrics[key])


def class_cells(model: Model, classes: Sequence[str]) -> tuple[Spread | None, ...]:
    """A model's AP@0.5 of each class over its runs."""
    return tuple(model.spread(_ap50(name)) for name in classes)


def _ap50(name: str) -> Callable[[Mapping[str, Any]], float | None]:
    def of(metrics: Mapping[str, Any]) -> float | None:
        value: float | None = metrics["per_class"][name]["ap50"]
        return value

    return of


def cost_columns() -> tuple[Column, ...]:
    """Parameters, operations and time."""
    return (
        Column("params", "parameters M", 1e-6, 3, "low"),
        Column("flops", "GFLOPs", 1e-9, 2, "low"),
        Column("total_ms", "ms per picture", 1.0, 2, "low"),
    )


def cost_cells(cost: Cost | None) -> tuple[Spread | None, ...]:
    """A model's cells for `cost_columns`."""
    if cost is None:
        return (None, None, None)
    time = cost.latency_ms["total"] if cost.latency_ms else None
    return _one(cost.params), _one(cost.flops), _one(time)


def _one(value: float | None) -> Spread | None:
    return None if value is None else Spread((float(value),))


def _runs_note(models: Sequence[Model]) -> str:
    several = [f"{model.name} ({len(model.runs)})" for model in models if len(model.runs) > 1]
    if not several:
        return ""
    return f"For several runs, the median and in brackets the smallest and the largest: {', '.join(several)}."
