"""A comparison's files: the page, the tables as Markdown, CSV and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.comparison.ablations import training_differences
from lightdet.comparison.page import comparison_page
from lightdet.comparison.results import Comparison
from lightdet.comparison.tables import Table, csv_text, markdown
from lightdet.files import write_json, write_text

HTML_NAME, MARKDOWN_NAME, JSON_NAME = "comparison.html", "comparison.md", "comparison.json"
TABLES = "tables"


@dataclass(frozen=True)
class Written:
    """Where the files are, and the tables for printing."""

    html: Path
    markdown: Path
    json: Path
    tables: Path
    printed: tuple[Table, ...]


def write_comparison(folder: Path, comparison: Comparison, load: Callable[[Path], Image]) -> Written:
    """Write ``comparison.html``, ``.md``, ``.json`` and ``tables/*.csv`` into `folder`, each whole or not at all.

    Args:
        folder: made where missing; files of these names are replaced, CSV files of earlier tables removed.
        comparison: the content.
        load: reads a picture (uint8 RGB ``[H, W, 3]``).

    Raises:
        UserError: something cannot be written.
    """
    tables = comparison.view.tables(comparison)
    for table in tables:
        write_text(folder / TABLES / f"{_file_name(table.key)}.csv", csv_text(table))
    known = {f"{_file_name(table.key)}.csv" for table in tables}
    for old in (folder / TABLES).glob("*.csv"):
        if old.name not in known:
            old.unlink()
    write_text(folder / MARKDOWN_NAME, comparison_markdown(comparison, tables))
    write_json(folder / JSON_NAME, comparison_as_dict(comparison, tables))
    write_text(folder / HTML_NAME, comparison_page(comparison, tables, load))
    places = (folder / HTML_NAME, folder / MARKDOWN_NAME, folder / JSON_NAME, folder / TABLES)
    return Written(*places, tuple(tables))


def comparison_as_dict(comparison: Comparison, tables: Sequence[Table]) -> dict[str, Any]:
    """Return everything as plain values ready for JSON; shares are 0 to 1, times ms."""
    return {
        **comparison.view.as_dict(),
        "title": comparison.title,
        **comparison.details,
        "classes": list(comparison.classes),
        "models": [model.as_dict(comparison.view) for model in comparison.models],
        "tables": {table.key: table.as_dict() for table in tables},
        "notes": list(comparison.notes),
        "skipped": list(comparison.skipped),
    }


def comparison_markdown(comparison: Comparison, tables: Sequence[Table]) -> str:
    """Return the tables with their notes."""
    parts = [f"# {' '.join(comparison.title.split())}\n"]
    parts += [f"{note}\n" for note in comparison.notes]
    problems = [(model.name, label, reason) for model in comparison.models for label, reason in model.problems.items()]
    if problems:
        parts.append(f"## Failed or missing ({len(problems)})\n")
        parts.append(
            "".join(f"- {name}{f', {label}' if label else ''}: {reason}\n" for name, label, reason in problems)
        )
    parts += [markdown(table) for table in tables]
    trained = [model for model in comparison.models if model.kind == "trained"]
    differences = training_differences(trained) if len(trained) > 1 else []
    if differences:
        parts.append("## The recipes differ\n")
        names = ", ".join(model.name for model in trained)
        parts.append("".join(f"- `{key}`: {', '.join(values)} ({names})\n" for key, values in differences))
    remarks = comparison.view.curve_remarks(comparison.models)
    if remarks:
        parts += ["## What the curves say\n", "".join(f"- {line}\n" for line in remarks)]
    parts.append("## How it was made\n")
    parts.append(
        "".join(f"- {k}: {' '.join(v.split())}\n" for group in comparison.facts.values() for k, v in group.items())
    )
    return "\n".join(parts)


def _file_name(key: str) -> str:
    return re.sub(r"[^\w.-]", "_", key)
