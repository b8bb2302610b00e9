"""The charts of a search: its course, and the score against each key. Drawn by matplotlib, as SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lightdet.tuning.results import Results, Row
from lightdet.tuning.space import Choices, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#8a8a8a"
COLUMNS = 3


def as_image(figure: Figure) -> str:
    """Return a figure as a ``data:`` URL that a page can show without loading anything."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def history(results: Results) -> Figure:
    """The score of each trial in turn, with the best so far as a line."""
    figure = _figure(8.4, 3.2)
    axes = figure.subplots()
    finished = sorted(results.finished, key=lambda row: row.number)
    axes.scatter(
        [r.number for r in finished], [r.score or 0.0 for r in finished], color=BLUE, s=22, label="finished", zorder=3
    )
    pruned = [row for row in results.rows if row.state == "pruned" and row.scores]
    if pruned:
        ends = [list(row.scores.values())[-1] for row in pruned]
        axes.scatter([r.number for r in pruned], ends, color=GRAY, marker="x", s=22, label="ended early", zorder=3)
    best, line = -float("inf"), []
    for row in finished:
        best = max(best, row.score or 0.0)
        line.append(best)
    axes.step([row.number for row in finished], line, where="post", color=ORANGE, label="best so far")
    axes.set(xlabel="trial", ylabel=results.score_name)
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.legend(frameon=False, fontsize=8)
    return figure


def learning(results: Results) -> Figure:
    """The score by epoch of every trial; the best bold."""
    figure = _figure(8.4, 3.2)
    axes = figure.subplots()
    best = results.best
    for row in results.rows:
        if row.scores and (best is None or row.number != best.number):
            color = GRAY if row.score is None else BLUE
            axes.plot(list(row.scores), list(row.scores.values()), color=color, alpha=0.45, linewidth=1, marker=".")
    if best is not None and best.scores:
        axes.plot(list(best.scores), list(best.scores.values()), color=ORANGE, linewidth=2, marker=".", label="best")
        axes.legend(frameon=False, fontsize=8)
    axes.set(xlabel="epoch", ylabel=f"best {results.score_name} so far")
    axes.xaxis.set_major_locator(_whole_numbers())
    return figure


def slices(results: Results) -> Figure:
    """The score of the finished trials against each key, the most important first; later trials are darker."""
    keys = [*results.importance, *(key for key in results.space.domains if key not in results.importance)]
    columns = min(COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    figure = _figure(2.8 * columns, 2.5 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    finished = sorted(results.finished, key=lambda row: row.number)
    for place, axes in enumerate(grid.flat):
        if place >= len(keys):
            axes.set_visible(False)
            continue
        _slice(axes, keys[place], results, [row for row in finished if keys[place] in row.params])
        if place % columns == 0:
            axes.set_ylabel(results.score_name, fontsize=8)
    return figure


def _slice(axes: Axes, key: str, results: Results, finished: Sequence[Row]) -> None:
    domain = results.space.domains[key]
    scores = [row.score or 0.0 for row in finished]
    values: list[Any]
    if isinstance(domain, Choices):
        options = list(domain.options)
        values = [_place(options, row.params[key]) for row in finished]
        axes.set_xticks(range(len(options)), [_short(shown(option)) for option in options], fontsize=7)
        axes.set_xlim(-0.5, len(options) - 0.5)
    else:
        values = [row.params[key] for row in finished]
        if domain.log:
            axes.set_xscale("log")
        axes.tick_params(axis="x", labelsize=7)
    axes.tick_params(axis="y", labelsize=7)
    last = max(1, len(finished) - 1)
    shades = [0.25 + 0.75 * number / last for number in range(len(finished))]
    axes.scatter(values, scores, c=shades, cmap="Blues", vmin=0, vmax=1.1, s=22, edgecolors=BLUE, linewidths=0.5)
    best = results.best
    if best is not None and key in best.params:
        at = _place(list(domain.options), best.params[key]) if isinstance(domain, Choices) else best.params[key]
        axes.scatter([at], [best.score or 0.0], color=ORANGE, s=34, zorder=3)
    axes.set_xlabel(key, fontsize=8)


def _place(options: Sequence[Any], value: Any) -> int:
    return next(n for n, option in enumerate(options) if option == value and type(option) is type(value))


def _short(text: str) -> str:
    return text if len(text) <= 14 else f"{text[:13]}…"


def _whole_numbers() -> Locator:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - slow to import

    return MaxNLocator(integer=True)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    return Figure(figsize=(width, height), facecolor="white", layout="constrained")
