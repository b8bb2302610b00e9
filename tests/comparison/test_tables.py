"""The tables: right numbers in the right cells, in every form."""

import csv
import io
import json
import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from comparison_scenes import CLASSES, comparison, model, run
from hypothesis import given
from hypothesis import strategies as st

from lightdet.comparison.paper_tables import class_table, cost_table, mean_table, run_table, short_table
from lightdet.comparison.results import Spread
from lightdet.comparison.tables import Column, Row, Table, csv_text, html, markdown
from lightdet.comparison.writer import comparison_as_dict, comparison_markdown

OURS = model("ours", run(0.70, "seed 0", 0), run(0.80, "seed 1", 1), run(0.60, "seed 2", 2))
OTHER = model("other", run(0.75, ap=(0.9, None)), kind="weights", params=7_269_000)
THEIRS = model("theirs", run(0.65), kind="predictions", params=None)


def cells(text: str, row: str) -> list[str]:
    """The cells of one row of a Markdown table."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {row} "))
    return [part.strip() for part in line.replace("\\|", "¦").strip("|").split("|")][1:]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_spread_lies_between_its_ends(values: list[float]) -> None:
    spread = Spread.of([None, *values])
    assert spread is not None and spread.low <= spread.median <= spread.high
    assert spread.median == statistics.median(values) and spread.values == tuple(values)


def test_nothing_has_no_spread() -> None:
    assert Spread.of([None, None]) is None
    with pytest.raises(ValueError, match="needs a value"):
        Spread(())


def test_the_median_stands_with_its_ends_and_not_the_best() -> None:
    text = markdown(mean_table([OURS, OTHER, THEIRS]))
    assert cells(text, "ours") == ["70.0 (60.0–80.0)", "35.0 (30.0–40.0)", "17.5 (15.0–20.0)"]
    assert cells(text, "other") == ["**75.0**", "**37.5**", "**18.8**"]  # better than the median, not than the best
    assert cells(text, "theirs") == ["65.0", "32.5", "16.2"]


def test_classes_are_columns_and_what_is_unknown_is_a_dash() -> None:
    text = markdown(class_table([OURS, OTHER], CLASSES))
    assert "| model | Kratzer \\| ü | <dent> |" in text
    assert cells(text, "other") == ["**90.0**", "–"]
    assert cells(text, "ours") == ["50.0 (50.0–50.0)", "25.0 (25.0–25.0)"]


def test_cost_and_no_cost() -> None:
    text = markdown(cost_table([OURS, OTHER, THEIRS]))
    assert cells(text, "ours") == ["**1.500**", "**3.00**", "**3.50**", "**1.50**", "4.50", "608"]
    assert cells(text, "other")[:3] == ["7.269", "14.54", "9.27"]
    assert cells(text, "theirs") == ["–"] * 6


def test_csv_has_the_values_as_measured() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(short_table(comparison(OURS, THEIRS))))))
    assert [row["model"] for row in rows] == ["ours", "theirs"]
    first = {key: float(value) for key, value in rows[0].items() if key not in ("model", "start")}
    assert rows[0]["start"] == ""  # not told by these runs
    assert (first["map50"], first["map50_min"], first["map50_max"]) == (0.70, 0.60, 0.80)
    assert (first["params"], first["total_ms"]) == (1_500_000, 3.5)
    assert rows[1]["params"] == "" and float(rows[1]["map50_max"]) == 0.65


def test_where_each_training_began_is_told() -> None:
    both = model(
        "both",
        *(replace(run, start=told) for run, told in zip(OURS.runs, ("chance", "pretrained", "chance"), strict=True)),
    )
    assert cells(markdown(short_table(comparison(both, THEIRS))), "both")[-1] == "chance or pretrained"
    assert cells(markdown(run_table([both])), "both, seed 1")[-1] == "pretrained"


def test_every_run_stands_by_itself_and_failures_too() -> None:
    broken = model("broken", problems={"seed 0": "diverged"}, params=None)
    text = markdown(run_table([OURS, broken]))
    assert cells(text, "ours, seed 2") == ["60.0", "30.0", "15.0", "2", "1.00", "–"]
    assert cells(text, "broken, seed 0") == ["–", "–", "–", "failed", "–", "–"]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=6))
def test_the_best_is_never_worse_than_another(values: list[tuple[float, bool]]) -> None:
    for better, choose in (("high", max), ("low", min)):
        column = Column("x", "x", 100, 1, better)  # type: ignore[arg-type]
        rows = tuple(Row(str(i), (Spread((value,)) if known else None,)) for i, (value, known) in enumerate(values))
        table = Table("t", "t", "row", (column,), rows)
        printed = [f"{value * 100:.1f}" for value, known in values if known]
        marked = [row.name for row in rows if table.is_best(0, row.cells[0])]
        if len(set(printed)) < 2:
            assert marked == []
        else:
            best = choose(printed, key=float)
            assert marked == [str(i) for i, (v, known) in enumerate(values) if known and f"{v * 100:.1f}" == best]


def test_json_and_markdown_hold_everything() -> None:
    broken = model("broken", problems={"seed 0": "the training diverged"}, params=None)
    whole = comparison(OURS, THEIRS, broken, notes=["Read this."], facts={"Made": {"on": "a day"}})
    tables = whole.view.tables(whole)
    value = json.loads(json.dumps(comparison_as_dict(whole, tables), allow_nan=False))
    ours = value["models"][0]
    assert ours["map50"] == {"median": 0.7, "min": 0.6, "max": 0.8, "values": [0.7, 0.8, 0.6]}
    assert [each["seed"] for each in ours["runs"]] == [0, 1, 2] and ours["cost"]["params"] == 1_500_000
    assert value["models"][2]["problems"] == {"seed 0": "the training diverged"}
    assert list(value["tables"]) == ["summary", "table1", "table2", "table3", "runs"]
    text = comparison_markdown(whole, tables)
    for part in ("# A <title>", "Read this.", "- broken, seed 0: the training diverged", "- on: a day", "## Table 3."):
        assert part in text


def test_the_page_escapes_names() -> None:
    text = html(class_table([OURS], CLASSES))
    assert "&lt;dent&gt;" in text and "<dent>" not in text


def test_the_middle_run_is_shown() -> None:
    def map50(metrics: Mapping[str, Any]) -> float:
        return float(metrics["map50"])

    assert OURS.middle_run(map50).label == "seed 0"  # type: ignore[union-attr]
    assert model("two", run(0.9, "seed 0", 0), run(0.1, "seed 1", 1)).middle_run(map50).label == "seed 1"  # type: ignore[union-attr]
    assert model("none").middle_run(map50) is None
