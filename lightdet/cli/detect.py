"""``lightdet detect``: find defects on pictures, videos and cameras, mark them, save them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from lightdet.addresses import shown_address
from lightdet.cli.common import ALL, SHOWN_SKIPPED
from lightdet.options.detect import DetectOptions
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.inference.sources import Sources
    from lightdet.runs.detect import Detection, Outcome, Surest
    from lightdet.tasks import Task


def detect(options: Annotated[DetectOptions, ALL]) -> None:
    """Find defects in pictures, videos and camera streams: marked-up copies, and the findings as files.

    With a classifier, every picture gets its class and probability (--save json, csv).

    Results go to --output, or to a new folder: runs/detect, runs/detect-2, …
    """
    from rich.console import Console

    from lightdet.runs.detect import Detection

    _run(Detection(options), Console())


def _run(detection: Detection, console: Console) -> None:
    """Run it with a progress bar; the summary is shown also when it was broken off."""
    from lightdet.display.detecting import DetectBar
    from lightdet.display.terminated import terminate_as_interrupt
    from lightdet.runs.detect import check_any_read

    try:
        with terminate_as_interrupt(), DetectBar(detection.sources) as bar:
            detection.run(bar)
    finally:
        if detection.outcome is not None and (detection.outcome.totals.seen or detection.outcome.totals.skipped):
            _show(console, detection.outcome, detection.sources, detection.task)
    if detection.outcome is not None:
        check_any_read(detection.outcome.totals)


def _show(console: Console, outcome: Outcome, sources: Sources, task: Task) -> None:
    from rich.markup import escape
    from rich.table import Table

    from lightdet.fonts import has_letters

    totals = outcome.totals
    if totals.per_class:
        table = Table("class")
        table.add_column(task.results.count_heading, justify="right")
        for label, number in sorted(totals.per_class.items()):
            table.add_row(escape(outcome.names[label]), str(number))
        console.print(table)
    seen = [counted(n, what) for n, what in ((totals.pictures, "picture"), (totals.frames, "frame")) if n]
    where = f"; results in {shown_address(str(outcome.folder))}" if outcome.folder is not None else ""
    lines = [f"{' and '.join(seen) or 'no pictures'}{task.results.tell_count(totals.per_class.total())}{where}"]
    if totals.outside is not None:
        lines.append(f"outside the zones, and so left out: {counted(totals.outside, 'detection')}")
    if outcome.surest is not None:
        lines.append(_how_near(outcome.surest))
    if outcome.decisions is not None:
        lines.append(f"by the model's decision rule: {outcome.decisions['OK']} OK, {outcome.decisions['NG']} NG")
    if outcome.promise is not None:
        lines.append(f"promise: {outcome.promise.describe()}")
    if outcome.watch:
        lines.append(f"watch: {outcome.watch}")
    if totals.dropped:
        lines.append(f"{counted(totals.dropped, 'frame')} of live streams dropped: newer ones were there")
    medians = totals.medians()
    if medians:
        times = ", ".join(f"{stage} {value:.1f}" for stage, value in medians.items())
        lines.append(f"median ms: {times} ({outcome.computed})")
    drawn = [(label, outcome.names[label]) for label in totals.per_class] if outcome.folder is not None else []
    if numbers := [f"#{label} {name}" for label, name in sorted(drawn) if not has_letters(name)]:
        lines.append(f"no font here has the letters of {', '.join(numbers)}: on pictures the numbers stand for them")
    if sources.passed_over:
        lines.append(f"passed over {counted(sources.passed_over, 'file')}: neither picture nor video")
    if totals.skipped:
        lines.append(f"skipped {len(totals.skipped)} that could not be read whole:")
        lines += [f"  {source}: {reason}" for source, reason in totals.skipped[:SHOWN_SKIPPED]]
        more = len(totals.skipped) - SHOWN_SKIPPED
        lines += [f"  … and {more} more (all of them with --json or --save json)"] if more > 0 else []
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _how_near(surest: Surest) -> str:
    """What to say where nothing was found, so that nobody takes a threshold for a network that sees nothing."""
    from math import floor, log10

    where = "" if surest.pictures == 1 else f" of the first {surest.pictures} pictures"
    if surest.score is None or surest.score >= surest.confidence:
        return f"nothing{where} comes near the confidence of {surest.confidence:g}"
    digit = 10.0 ** floor(log10(surest.score))
    lower = floor(surest.score / digit) * digit
    return (
        f"nothing reached the confidence of {surest.confidence:g}; the surest candidate{where} has {surest.score:.2g}, "
        f"in {surest.source}: --confidence {lower:.1g} shows it"
    )
