"""The page of a search: the best settings, its course, which keys matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightdet.evaluation.report.markup import Content, Markup, tag
from lightdet.evaluation.report.page import page
from lightdet.evaluation.report.tables import fact_lists
from lightdet.tuning.plots import as_image, history, learning, slices
from lightdet.tuning.results import FEWEST, Results, Row
from lightdet.tuning.space import shown
from lightdet.wording import counted

SHOWN = 25
STYLE = """
.plot { width: 100%; height: auto; border-radius: 6px; }
"""


def search_page(results: Results, facts: Mapping[str, Mapping[str, str]]) -> str:
    """Return the whole page, one self-contained file."""
    best = results.best
    content: list[Content] = [
        tag("header", tag("h1", "Search for better settings"), tag("p", _summary(results), class_="soft"))
    ]
    if best is None:
        content.append(tag("p", "No trial has finished yet, so there is nothing to choose from."))
    else:
        content += [_tiles(results, best), tag("h2", "Best trials"), _table(results)]
        content += [tag("h2", "How the search went"), _plot(as_image(history(results)), "score of each trial")]
        if any(row.scores for row in results.rows):
            content += [
                tag("h2", "How the trials went"),
                _plot(as_image(learning(results)), "score by epoch"),
                tag("p", "Gray: ended early. A search with fewer epochs favours fast learners.", class_="soft"),
            ]
        content += [tag("h2", "Which keys matter"), _importance(results)]
        content += [tag("h2", "Score against each key"), _plot(as_image(slices(results)), "score against each key")]
        content.append(tag("p", _SLICES, class_="soft"))
    content += [*_problems(results), tag("h2", "About this search"), fact_lists(facts), tag("p", _NOTE, class_="soft")]
    return page("Search for better settings", *content, style=STYLE)


_SLICES = "Finished trials; later ones are darker, the best is orange. The other keys vary as well."
_NOTE = (
    "The score is the best of a trial's epochs on the validation split. The best of many trials is partly luck: train "
    "the best settings with other seeds, and judge them on pictures that no trial was scored on."
)
_IMPORTANCE = (
    "Share of the score's variance that each key explains alone or together with others, from a random forest over "
    "the finished trials (fANOVA, Hutter et al. 2014). With few trials this is a rough guess."
)


_NO_IMPORTANCE = f"At least {FEWEST} finished trials with different scores and values are needed for this."


def _summary(results: Results) -> str:
    words = {
        "complete": "finished",
        "pruned": "ended early",
        "unfit": "could not be trained",
        "failed": "broken off",
        "running": "running",
        "waiting": "waiting",
    }
    counts = [f"{results.count(state)} {word}" for state, word in words.items() if results.count(state)]
    return f"{counted(len(results.rows), 'trial')}: {', '.join(counts) or 'none'}."


def _tiles(results: Results, best: Row) -> Markup:
    entries = [(results.score_name, f"{best.score:.4f}", f"trial {best.number}")]
    entries += [(key, shown(value), "in the best trial") for key, value in best.params.items()]
    cells = [
        tag("div", tag("span", name), tag("b", value), tag("small", note), class_="tile")
        for name, value, note in entries
    ]
    return tag("div", cells, class_="tiles")


def _table(results: Results) -> Markup:
    keys = list(results.space.domains)
    head = tag("tr", [tag("th", text, scope="col") for text in ("trial", results.score_name, *keys, "minutes")])
    rows = []
    for row in results.finished[:SHOWN]:
        values = [shown(row.params[key]) if key in row.params else "–" for key in keys]
        minutes = "–" if row.minutes is None else f"{row.minutes:.1f}"
        cells = [tag("td", text) for text in (f"{row.score:.4f}", *values, minutes)]
        rows.append(tag("tr", tag("th", str(row.number), scope="row"), cells))
    more = results.complete - SHOWN
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="classes")
    rest = tag("p", f"{more} more in tune.json.", class_="soft") if more > 0 else None
    return tag("div", table, rest, class_="scroll")


def _importance(results: Results) -> Markup:
    if not results.importance:
        return tag("p", _NO_IMPORTANCE, class_="soft")
    rows = [
        tag("tr", tag("th", key, scope="row"), tag("td", f"{share:.0%}", class_="bar", style=f"--v:{100 * share:.1f}%"))
        for key, share in results.importance.items()
    ]
    head = tag("tr", tag("th", "key", scope="col"), tag("th", "importance", scope="col"))
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="classes small")
    return tag("div", tag("div", table, class_="scroll"), tag("p", _IMPORTANCE, class_="soft"))


def _plot(source: str, text: str) -> Markup:
    return tag("figure", tag("img", src=source, alt=text, class_="plot"))


def _problems(results: Results) -> Sequence[Content]:
    lines = [tag("li", f"trial {row.number}: {row.problem}") for row in results.rows if row.problem]
    return [tag("h2", f"Trials that failed ({len(lines)})"), tag("ul", lines)] if lines else []
