"""What ``lightdet data`` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from lightdet.data.audit import KINDS, AuditReport
from lightdet.data.audit.label_doubts import DoubtedLabels
from lightdet.data.audit.tables import Table as Facts
from lightdet.data.convert import Conversion
from lightdet.data.draw_splits import DrawnSplits
from lightdet.data.faults import shown_below
from lightdet.data.scanning import list_text
from lightdet.files import write_text
from lightdet.wording import counted

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


@contextmanager
def counting(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar to be called with (done, total); it disappears at the end."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_conversion(console: Console, done: Conversion) -> None:
    """Print what was written, what the format could not hold and what was left out."""
    table = Table("split")
    for column in ("pictures", "boxes"):
        table.add_column(column, justify="right")
    for split, pictures in done.pictures.items():
        table.add_row(escape(split), f"{pictures:,}", f"{done.boxes[split]:,}")
    console.print(table)
    for note in done.notes:
        _line(console, f"[yellow]note[/] {escape(note)}")
    if done.skipped:
        _line(console, f"[yellow]left out[/] {len(done.skipped)} with faults:")
        for error in done.skipped:
            _line(console, f"  {escape(str(error))}")
    _line(console, f"data set: {escape(str(done.yaml))}")


def show_drawn_splits(console: Console, done: DrawnSplits) -> None:
    """Print how many pictures of each class are in each split, and what was left out."""
    table = Table("split")
    for column in ("pictures", *map(escape, done.classes)):
        table.add_column(column, justify="right")
    for split, counts in done.counts.items():
        table.add_row(escape(split), f"{int(counts.sum()):,}", *(f"{count:,}" for count in counts.tolist()))
    console.print(table)
    for note in done.notes:
        _line(console, f"[yellow]note[/] {escape(note)}")
    _line(console, f"{done.groups:,} groups of similar pictures, the largest with {done.largest:,}")
    if done.skipped:
        _line(console, f"[yellow]left out[/] {len(done.skipped)} with faults:")
        for error in done.skipped:
            _line(console, f"  {escape(str(error))}")
    _line(console, f"data set: {escape(str(done.yaml))}")


def show_audit(console: Console, report: AuditReport, root: Path, examples: int) -> None:
    """Print tables of what is in the set, then findings by kind, up to `examples` of each (0: all)."""
    _line(console, f"[bold]{escape(report.name)}[/] in {escape(str(root))}")
    for table in report.tables:
        console.print(_drawn(table))
    for kind, severity, findings in report.by_kind():
        count = f" ({len(findings)})" if len(findings) > 1 else ""
        title = f"[{_COLOURS[severity]}]{severity}[/] [bold]{escape(KINDS[kind].title)}[/]{count}"
        _line(console, f"{title}: {escape(KINDS[kind].advice)}")
        shown = findings[:examples] if examples else findings
        for finding in shown:
            _line(console, f"    {escape(shown_below(finding.place(), root))}: {escape(finding.message)}")
        if len(shown) < len(findings):
            _line(console, f"    ... and {len(findings) - len(shown)} more (--examples 0, or --json FILE)")
    counts = [counted(report.count(severity), severity) for severity in ("error", "warning", "note")]
    _line(console, ", ".join(counts))


def show_doubts(console: Console, found: DoubtedLabels, root: Path, examples: int) -> None:
    """Print the labels that are probably wrong, the most doubtful first, up to `examples` (0: all)."""
    _line(console, f"[bold]labels that are probably wrong[/] ({len(found.first)} of {found.total} listed)")
    for note in found.notes:
        _line(console, f"    [cyan]note[/] {escape(note)}")
    shown = found.first[:examples] if examples else found.first
    for doubt in shown:
        place = str(doubt.source or doubt.image) + (f":{doubt.line}" if doubt.line else "")
        _line(console, f"    {doubt.doubt:.2f} {escape(shown_below(place, root))}: {escape(doubt.message)}")
    if len(shown) < len(found.first):
        _line(
            console, f"    ... and {len(found.first) - len(shown)} more (--examples 0, --output PAGE, or --json FILE)"
        )


def write_order(console: Console, found: DoubtedLabels, data: str | Path, order: Path) -> None:
    """Write the list of the pictures of these labels, and say how to correct them."""
    write_text(order, list_text(found.pictures()))
    _line(console, escape(f"correct them: lightdet label {data} --order {order}"))


def _line(console: Console, text: str) -> None:
    """Unwrapped, so that places can be copied and searched."""
    console.print(text, soft_wrap=True, highlight=False)


def _drawn(table: Facts) -> Table:
    drawn = Table(title=escape(table.title), title_justify="left")
    for index, column in enumerate(table.head):
        drawn.add_column(escape(column), justify="left" if index in table.words else "right")
    for row in table.rows:
        drawn.add_row(*map(escape, row))
    return drawn
