"""The summary page of an archive's results: bad share over time, classes, pictures without a result, the worst."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.comparison.tables import Column, Row, Table, html
from lightdet.evaluation.report.charts import Line, chart, ticks_for
from lightdet.evaluation.report.markup import Content, Markup, tag
from lightdet.evaluation.report.page import page
from lightdet.files import make_folder, write_json, write_text
from lightdet.runs.archive.answers import Answers
from lightdet.runs.archive.query import COLUMNS
from lightdet.runs.archive.sheet import Hit, cards
from lightdet.wording import counted, duration

NAME = "_summary.html"
"""Readers of Parquet folders pass over names that begin so."""
RUNS = "_runs"
WORST = 24
"""Pictures on the page."""
DAYS, CLASSES, REASONS, SHOWN_RUNS = 62, 100, 30, 10
"""Most lines of each table: the last days, the most frequent classes and reasons, the last runs."""
NG, FOUND = "NG", "with a detection"
_STYLE = ".charts.one { max-width: 46rem; }\n"
_TOTALS = """
SELECT model, left(model_sha256, 8), count(*), count(*) FILTER (decision = 'NG'), count(decision),
       count(*) FILTER (reason IS NOT NULL), count(*) FILTER (len(detections) > 0),
       count(*) FILTER (promise <> 'yes'), '', count(DISTINCT day)
FROM archive GROUP BY model, model_sha256 ORDER BY model, model_sha256
"""
_BY_DAY = """
SELECT model, left(model_sha256, 8), count(*), count(*) FILTER (decision = 'NG'), count(decision),
       count(*) FILTER (reason IS NOT NULL), count(*) FILTER (len(detections) > 0),
       count(*) FILTER (promise <> 'yes'), day
FROM archive GROUP BY day, model, model_sha256 ORDER BY day, model, model_sha256
"""
_CLASSES = """
WITH named AS (
  SELECT model, model_sha256, score, class, 1 AS picture FROM archive WHERE class IS NOT NULL
  UNION ALL
  SELECT model, model_sha256, box.score, box.class, (box_number = list_position(classes, box.class))::INT
  FROM (SELECT model, model_sha256, unnest(detections) AS box, generate_subscripts(detections, 1) AS box_number,
               [each.class FOR each IN detections] AS classes FROM archive)
)
SELECT class, model, left(model_sha256, 8), sum(picture)::BIGINT, count(*), max(score), avg(score)
FROM named GROUP BY class, model, model_sha256 ORDER BY 4 DESC, class, model, model_sha256
"""
"""A picture is counted at its first box of the class: no names are held."""
_REASONS = (
    "SELECT reason, count(*), min(source) FROM archive WHERE reason IS NOT NULL GROUP BY reason ORDER BY 2 DESC, 1"
)
_WORST = f"""
SELECT {COLUMNS} FROM archive WHERE score IS NOT NULL AND (decision = 'NG' OR NOT $1)
ORDER BY score DESC, source, page, model LIMIT {WORST}
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class _Count:
    """Rows of a model, of one day or of all; `day` is empty for all. `ruled`: on any day it judged by a rule."""

    model: str
    rows: int
    bad: int
    judged: int
    failed: int
    found: int
    unpromised: int
    day: str = ""
    days: int = 0
    ruled: bool = False

    @property
    def what(self) -> str:
        """What is counted of its results."""
        return NG if self.ruled else FOUND

    @property
    def counted(self) -> int:
        """How many are NG by a rule; without a rule, with a detection."""
        return self.bad if self.ruled else self.found

    @property
    def whole(self) -> int:
        """Of how many."""
        return self.judged if self.ruled else self.rows - self.failed

    @property
    def share(self) -> float | None:
        """The share of `counted`; None: of none."""
        return self.counted / self.whole if self.whole else None


def write_summary(folder: Path, target: Path | None = None) -> Path:
    """Write the page of an output, by default into it, and return its path.

    Raises:
        UserError: nothing is there, DuckDB is missing, or the page cannot be written.
    """
    path = target or folder / NAME
    with Answers(folder) as answers:
        write_text(path, _page(folder, answers))
    return path


def keep_run(folder: Path, facts: dict[str, Any]) -> None:
    """Leave a note of a run beside its rows: `started` (ISO 8601), `pictures`, `seconds`, and what else is known."""
    write_json(make_folder(folder / RUNS) / f"{uuid.uuid4().hex}.json", facts)


def _page(folder: Path, answers: Answers) -> str:
    totals = [_Count(_named(row[0], row[1]), *row[2:]) for row in answers.select(_TOTALS).rows]
    totals = [replace(each, ruled=each.judged > 0) for each in totals]
    by_rule = {each.model for each in totals if each.ruled}
    days = [_Count(_named(row[0], row[1]), *row[2:]) for row in answers.select(_BY_DAY).rows]
    days = [replace(each, ruled=each.model in by_rule) for each in days]
    ruled = bool(by_rule)
    worst = answers.select(_WORST, [ruled])
    hits: list[Hit] = [dict(zip(worst.columns, row, strict=True)) for row in worst.rows]
    words = {each.what for each in totals}
    what = f"{NG}, or {FOUND} where there is no rule" if len(words) > 1 else words.pop()
    content: list[Content] = [
        tag("header", tag("h1", f"Archive {folder.absolute().name}"), tag("p", _subject(totals), class_="soft")),
        _promise(totals),
        _tiles(totals),
        _over_time(days, what),
        html(_day_table(days, what)),
        html(_class_table(answers, several=len(totals) > 1)),
        _failed(answers),
        _runs(folder),
        tag("h2", "The worst"),
        tag("p", f"The {len(hits)} with the highest score{' of those that are NG' if ruled else ''}.", class_="soft"),
        cards(hits) if hits else tag("p", "None."),
    ]
    style = files("lightdet.comparison").joinpath("comparison.css").read_text(encoding="utf-8") + _STYLE
    return page(f"Archive {folder.absolute().name}", *content, style=style)


def _named(model: str | None, digest: str | None) -> str:
    return f"{model or '?'} ({digest or '?'})"


def _subject(totals: Sequence[_Count]) -> str:
    return f"Judged by {', '.join(each.model for each in totals)}."


def _promise(totals: Sequence[_Count]) -> Content:
    number = sum(each.unpromised for each in totals)
    told = "they were not judged under the conditions of the calibration"
    return tag("p", f"{counted(number, 'result')} without a promise: {told}.") if number else None


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _tiles(totals: Sequence[_Count]) -> Markup:
    entries = []
    for each in totals:
        named = each.model if len(totals) > 1 else ""
        entries += [
            ("Pictures", f"{each.rows:,}", named or counted(each.days, "day")),
            (each.what, _percent(each.share), f"{each.counted:,} of {each.whole:,}"),
            ("Without a result", f"{each.failed:,}", "their reasons are below" if each.failed else "all could be read"),
        ]
    tiles = [
        tag("div", tag("span", name), tag("b", value), tag("small", note), class_="tile")
        for name, value, note in entries
    ]
    return tag("div", tiles, class_="tiles")


def _over_time(days: Sequence[_Count], what: str) -> Content:
    """The share by day, a line for each model; nothing if there are fewer than two days."""
    known = [(date.fromisoformat(each.day).toordinal(), each) for each in days if _is_day(each.day)]
    if len({day for day, _ in known}) < 2:
        return None
    first = min(day for day, _ in known)
    lines = []
    models = sorted({each.model for _, each in known})
    for kind, model in enumerate(models):
        points = [(day - first, each.share) for day, each in known if each.model == model and each.share is not None]
        if points:
            x, y = np.array(points, np.float64).T
            lines.append(Line(model, x, y, None if len(models) == 1 else kind))
    if not lines:
        return None
    top = max(float(line.y.max()) for line in lines)
    drawing = chart(
        lines,
        x_title=f"days since {date.fromordinal(first).isoformat()}",
        y_title=f"share {what}",
        legend=len(lines) > 1,
        x_ticks=ticks_for(0, max(day for day, _ in known) - first),
        y_ticks=ticks_for(0, max(top, 0.01)),
    )
    return [tag("h2", f"Share {what} over time"), tag("div", tag("div", drawing), class_="charts one")]


def _is_day(text: str) -> bool:
    with suppress(ValueError):
        date.fromisoformat(text)
        return True
    return False


def _columns(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, title) for title in titles)


def _day_table(days: Sequence[_Count], what: str) -> Table:
    several = len({each.model for each in days}) > 1
    rows = []
    for each in days[-DAYS:]:
        cells = (f"{each.rows:,}", f"{each.counted:,}", _percent(each.share), f"{each.failed:,}")
        rows.append(Row(each.day, ((each.model, *cells) if several else cells)))
    columns = _columns(*(["model"] if several else []), "pictures", what, "share", "without a result")
    note = f"The last {DAYS} of {len(days)} lines." if len(days) > DAYS else ""
    return Table("days", "By day", "day", columns, tuple(rows), note)


def _class_table(answers: Answers, *, several: bool) -> Table:
    found = list(answers.select(_CLASSES).rows)
    rows = []
    for name, model, digest, pictures, boxes, best, mean in found[:CLASSES]:
        best_and_mean = ("–", "–") if best is None else (f"{best:.3f}", f"{mean:.3f}")
        cells = (f"{pictures:,}", f"{boxes:,}", *best_and_mean)
        rows.append(Row(name or "?", ((_named(model, digest), *cells) if several else cells)))
    columns = _columns(*(["model"] if several else []), "pictures", "times", "highest score", "mean score")
    note = "Everything that was reported is counted, also what the decision rule does not reject."
    return Table("classes", "By class", "class", columns, tuple(rows), note if rows else "Nothing was found.")


def _failed(answers: Answers) -> Content:
    found = list(answers.select(_REASONS).rows)
    if not found:
        return None
    number = sum(count for _, count, _ in found)
    rows = [Row(reason, (f"{count:,}", example)) for reason, count, example in found[:REASONS]]
    more = f"The {REASONS} most frequent of {len(found)} reasons." if len(found) > REASONS else ""
    title = f"Without a result ({number:,})"
    return html(Table("reasons", title, "reason", _columns("rows", "for example"), tuple(rows), more))


def _runs(folder: Path) -> Content:
    """The last runs with their rates, if notes of them are there."""
    notes = []
    for path in (folder / RUNS).glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            facts = json.loads(path.read_bytes())
            rate = f"{facts['pictures'] / facts['seconds']:,.1f}" if facts["seconds"] else "–"
            cells = (f"{facts['pictures']:,}", duration(facts["seconds"]), rate, str(facts.get("processes", "–")))
            notes.append((str(facts["started"]), cells))
    if not notes:
        return None
    rows = tuple(Row(started, cells) for started, cells in sorted(notes)[-SHOWN_RUNS:])
    columns = _columns("rows", "time", "per second", "processes")
    note = f"The last {SHOWN_RUNS} of {len(notes)}." if len(notes) > SHOWN_RUNS else ""
    return html(Table("runs", "Runs", "started (UTC)", columns, rows, note))
