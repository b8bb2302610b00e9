"""``lightdet explain``: where in a picture the evidence for a box or a class is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from lightdet.cli.common import ALL
from lightdet.options.explain import ExplainOptions
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.explain import Explained

SHOWN = 20


def explain(options: Annotated[ExplainOptions, ALL]) -> None:
    """Show where in a picture the evidence is for what a detector or classifier reports: a heat map over the picture.

    Overlays go to --output, or to a new folder: runs/explain, runs/explain-2, …
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.runs.explain import ExplainRun

    run = ExplainRun(options)
    try:
        with Bar("explain", run.sources.total) as bar:
            run.run(lambda _source: bar.step())
    finally:
        _show(Console(), run.outcome)


def _show(console: Console, outcome: Explained) -> None:
    lines = []
    for entry in outcome.entries[:SHOWN]:
        what = f"box {entry['number']}, '{entry['name']}'" if entry["kind"] == "box" else f"'{entry['name']}'"
        line = f"{entry['source']}: {what} {entry['score']:.2f}"
        if entry["peak"] is None:
            line += ", no evidence for it in the picture"
        else:
            line += f", hottest at {entry['peak'][0]}, {entry['peak'][1]}"
        if entry.get("heat_in_box") is not None:
            line += f"; {entry['heat_in_box']:.0%} of the heat is in the box, {entry['area_of_box']:.1%} of the area"
        lines.append(f"{line}; {entry['note']}" if "note" in entry else line)
    more = len(outcome.entries) - SHOWN
    lines += [f"… and {more} more (all of them with --json)"] if more > 0 else []
    if outcome.empty:
        lines.append(
            f"nothing was found in {counted(len(outcome.empty), 'picture')}, such as {outcome.empty[0]}: "
            "lower --confidence, or ask for the best candidate with --class"
        )
    if outcome.skipped:
        lines.append(f"skipped {len(outcome.skipped)}:")
        lines += [f"  {source}: {reason}" for source, reason in outcome.skipped[:SHOWN]]
    if outcome.pictures:
        where = f"; overlays in {outcome.folder}" if outcome.folder is not None else ""
        lines.append(f"{counted(outcome.pictures, 'picture')}: {counted(len(outcome.entries), 'explanation')}{where}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
