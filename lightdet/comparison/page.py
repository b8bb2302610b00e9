"""The page: tables, charts, pictures, and what a reader must know about how they were made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from lightdet.arrays import Image
from lightdet.comparison.ablations import training_differences
from lightdet.comparison.results import Comparison, Model
from lightdet.comparison.scatter import cost_charts
from lightdet.comparison.tables import Table, html
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.evaluation.report.page import page
from lightdet.evaluation.report.tables import fact_lists


def comparison_page(comparison: Comparison, tables: Sequence[Table], load: Callable[[Path], Image]) -> str:
    """Return the whole page, one self-contained file.

    Args:
        comparison: the results.
        tables: in their order on the page; the first is alone at the top.
        load: reads a picture (uint8 RGB ``[H, W, 3]``).
    """
    style = files(__package__).joinpath("comparison.css").read_text(encoding="utf-8")
    view, models = comparison.view, comparison.models
    remarks = view.curve_remarks(models)
    content = [
        tag("header", tag("h1", comparison.title), [tag("p", note, class_="soft") for note in comparison.notes]),
        [html(table) for table in tables[:1]],
        _problems(models),
        view.overview(comparison),
        _charts(
            "Accuracy against cost",
            cost_charts(models, view.accuracy, view.accuracy_title),
            "Costs on logarithmic axes; up and left is better.",
        ),
        [html(table) for table in tables[1:]],
        _charts("How the trainings went", view.training_charts(models), view.curve_note),
        [tag("ul", [tag("li", line) for line in remarks])] if remarks else [],
        view.pictures(comparison, load),
        _differences(models),
        _left_out(comparison.skipped),
        tag("h2", "About this comparison"),
        fact_lists(comparison.facts),
        tag("p", view.note, class_="soft"),
    ]
    return page(comparison.title, *content, style=style)


def _problems(models: Sequence[Model]) -> list[Content]:
    """What failed or is missing, if anything."""
    lines = [
        tag("li", tag("strong", f"{model.name}{f', {label}' if label else ''}: "), reason)
        for model in models
        for label, reason in model.problems.items()
    ]
    return [tag("h2", f"Failed or missing ({len(lines)})"), tag("ul", lines)] if lines else []


def _charts(title: str, charts: Sequence[tuple[str, Markup]], note: str) -> list[Content]:
    """Charts with their headings, if there are any."""
    if not charts:
        return []
    boxes = [tag("div", tag("h3", heading), drawing) for heading, drawing in charts]
    return [tag("h2", title), tag("div", boxes, class_="charts"), tag("p", note, class_="soft")]


def _differences(models: Sequence[Model]) -> list[Content]:
    """The differences between the recipes of the trained models."""
    trained = [model for model in models if model.kind == "trained"]
    found = training_differences(trained) if len(trained) > 1 else []
    if len(trained) < 2:
        return []
    if not found:
        text = "All models trained here had the same recipe: input, augmentation, optimizer, schedule, evaluation."
        return [tag("h2", "Recipe"), tag("p", text)]
    head = tag("tr", [tag("th", text, scope="col") for text in ("key", *(model.name for model in trained))])
    rows = [tag("tr", tag("th", key, scope="row"), [tag("td", value) for value in values]) for key, values in found]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="classes")
    text = "The models trained here do not have the same recipe; they differ in this:"
    return [tag("h2", "Recipe"), tag("p", text), tag("div", table, class_="scroll")]


def _left_out(skipped: Sequence[str]) -> Markup | None:
    """What was left out, if anything."""
    if not skipped:
        return None
    return join([tag("h2", f"Left out ({len(skipped)})"), tag("ul", [tag("li", line) for line in skipped])])
