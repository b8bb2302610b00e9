"""What a search for settings shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lightdet.display.progress import TimeLeftColumn
from lightdet.training.outlook import TimeLeft
from lightdet.tuning.space import combined
from lightdet.wording import counted, duration

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.tune.tuning import TuneOutcome, Tuning
    from lightdet.tuning.search import Attempt, Ended


class TuneDisplay:
    """One line per trial, and on a terminal a bar of its epochs."""

    def __init__(self, console: Console, score: str, trials: int) -> None:
        self.console = console
        self.score = score
        self.trials = trials
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self.bar = Progress(*columns, TimeLeftColumn(), console=console, transient=True)
        self.bar.disable = not console.is_terminal
        self._left = TimeLeft()
        self._task: Any = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it searches."""
        with self.bar:
            yield

    def revived(self, count: int) -> None:
        """Say that trials are repeated."""
        self._say(f"{counted(count, 'trial')} of a process that died: the same values are tried again")

    def reading(self, done: int, total: int) -> None:
        """Move the bar of the reading."""
        self._advance("reading pictures", done, total)

    def begins(self, attempt: Attempt) -> None:
        """Begin a trial's bar."""
        self._end_bar()
        self._left.begins(attempt.number)

    def epoch(self, attempt: Attempt, epoch: int, epochs: int, score: float | None) -> None:
        """Move the bar of the epochs."""
        self._advance(f"trial {attempt.number}", epoch, epochs)

    def ends(self, ended: Ended) -> None:
        """Write the trial's line."""
        self._end_bar()
        attempt = ended.attempt
        what = {"pruned": "ended early", "unfit": f"cannot be trained ({ended.note})", "stopped": "stopped"}
        result = what.get(ended.state, "")
        if ended.score is not None:
            result = f"{self.score} {ended.score:.4f}{' *' if ended.best else ''}"
        left = self._left.ends(attempt.number + 1, self.trials)
        longer = "" if left is None else f"  {duration(left)} left"
        self._say(f"trial {attempt.number:>3}  {result}  {combined(attempt.params)}{longer}")

    def _advance(self, text: str, done: int, total: int) -> None:
        if self._task is None:
            self._task = self.bar.add_task(text, total=total)
        self.bar.update(self._task, description=text, completed=done, total=total)

    def _end_bar(self) -> None:
        if self._task is not None:
            self.bar.remove_task(self._task)
            self._task = None

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False, highlight=False)


def show_search(console: Console, tuning: Tuning, outcome: TuneOutcome) -> None:
    """Print the best, what mattered, and where the files are."""
    results, lines = outcome.results, []
    if results.best is not None:
        best = results.best
        lines.append(
            f"best of {results.complete} finished: {results.score_name} {best.score:.4f} with {combined(best.params)}"
        )
        if best.score == 0:
            lines.append("no trial has learned anything yet: give more --epochs")
        if best.weights is not None:
            lines.append(f"its model, as the search trained it: {best.weights}")
    elif not outcome.stopped:
        lines.append("no trial has finished with a score, so there is no best.yaml")
    if results.importance:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in results.importance.items())
        lines.append(f"importance: {shares}")
    if outcome.best is not None:
        lines.append(f"train with them: lightdet train --config {outcome.best} --data {tuning.options.data}")
    if outcome.skipped:
        lines.append(f"bad pictures or labels left out: {len(outcome.skipped)}")
        lines += [f"  {reason}" for reason in outcome.skipped]
    lines.append(f"page: {outcome.page}")
    if outcome.stopped:
        lines.append("stopped; the same command continues")
    elif results.count("waiting") or results.count("running"):
        lines.append("other processes are still working on this study; the same command again updates the page")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
