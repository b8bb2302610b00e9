"""One progress bar for terminals and notebooks."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from lightdet.wording import duration

if TYPE_CHECKING:
    from rich.progress import TaskID

REDRAWN_SECONDS = 0.2
"""Shortest time between two updates of a notebook's bar."""


def in_notebook() -> bool:
    """Whether this runs in a cell of a notebook."""
    return Console().is_jupyter


def lines_console(*, quiet: bool = False) -> Console:
    """The console that prints lines, as plain text in a notebook too."""
    return Console(quiet=quiet, force_jupyter=False)


class TimeLeftColumn(ProgressColumn):
    """The time left, written as everywhere else: ``12 min left``."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Return the text for one bar; empty until the speed is known."""
        left = task.time_remaining
        return Text("" if left is None else f"{duration(left)} left", style="progress.remaining")


def new_progress(console: Console, *, time_left: bool = True, transient: bool = True) -> Any:
    """Return rich's progress bars over `console`, a notebook's own in its place there, or hidden ones for a log."""
    if in_notebook() and not console.quiet:
        return NotebookProgress()
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
    return Progress(
        *columns,
        *([TimeLeftColumn()] if time_left else []),
        console=console,
        transient=transient,
        disable=not console.is_terminal,  # an empty line would be left in a log
    )


@dataclass
class _Task:
    description: str
    total: float | None
    completed: float = 0


class NotebookProgress:
    """The calls of `rich.progress.Progress` that are used here, drawn below a notebook's cell; gone at the end.

    rich's own bar would need ipywidgets there.
    """

    def __init__(self) -> None:
        self._tasks: dict[Any, _Task] = {}
        self._handle: Any = None
        self._drawn = 0.0
        self._made = 0

    def __enter__(self) -> NotebookProgress:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Take a place below the cell."""
        from IPython.display import HTML, display  # noqa: PLC0415 - there in notebooks alone

        self._handle = display(HTML(""), display_id=True)

    def stop(self) -> None:
        """Leave nothing there."""
        self._tasks.clear()
        self._draw(now=True)
        self._handle = None

    def add_task(self, description: str, total: float | None = None, completed: float = 0) -> Any:
        """Begin a bar; the total may be given later."""
        self._made += 1
        self._tasks[self._made] = _Task(description, total, completed)
        self._draw()
        return self._made

    def remove_task(self, task: TaskID) -> None:
        """End a bar."""
        self._tasks.pop(task, None)
        self._draw()

    def update(self, task: TaskID, **values: Any) -> None:
        """Change `description`, `total` or `completed`."""
        for name, value in values.items():
            setattr(self._tasks[task], name, value)
        self._draw()

    def reset(self, task: TaskID, *, total: float | None = None, **values: Any) -> None:
        """Start again."""
        self.update(task, total=total, completed=0, **values)

    def advance(self, task: TaskID, advance: float = 1) -> None:
        """Move on."""
        self._tasks[task].completed += advance
        self._draw()

    def _draw(self, *, now: bool = False) -> None:
        moment = time.monotonic()
        if self._handle is None or not (now or moment - self._drawn >= REDRAWN_SECONDS):
            return
        from IPython.display import HTML  # noqa: PLC0415

        self._drawn = moment
        self._handle.update(HTML("".join(_bar(task) for task in self._tasks.values())))


def _bar(task: _Task) -> str:
    text = html.escape(task.description)
    if task.total is None:
        return f"<div>{text} <progress></progress></div>"
    return f'<div>{text} <progress max="{task.total}" value="{task.completed}"></progress> ' + (
        f"{task.completed:g}/{task.total:g}</div>"
    )


class Bar:
    """A bar on stderr where that is a terminal, or below a notebook's cell; the watcher of several verbs.

    Args:
        text: what is done.
        total: how many there are; None: given by `begin`.
        shown: whether there is a bar at all.
    """

    def __init__(self, text: str, total: int | None = None, *, shown: bool = True) -> None:
        self.progress = new_progress(Console(stderr=True, quiet=not shown))
        self.task = self.progress.add_task(text, total=total)

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.progress.stop()

    def stage(self, text: str) -> None:
        """Something that takes a while begins."""
        self.progress.reset(self.task, total=None, description=text)

    def begin(self, pictures: int) -> None:
        """Pictures are about to go through a network."""
        self.progress.reset(self.task, total=pictures)

    def step(self, pictures: int = 1) -> None:
        """More pictures are done."""
        self.progress.advance(self.task, pictures)
