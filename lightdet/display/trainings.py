"""What several trainings in processes of their own show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from lightdet.wording import counted, duration

if TYPE_CHECKING:
    from lightdet.runs.trainings import Job, TrainingProgress


class TrainingsDisplay:
    """One line per step, and on a terminal the latest line of each training below it."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self.console = Console(file=file)
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = 120  # a log has room for whole names
        self._status: Status = self.console.status("")
        self._newest: dict[Job, str] = {}

    @contextmanager
    def working(self) -> Iterator[None]:
        """The lines that change, on a terminal alone."""
        if not self.console.is_terminal:
            yield
            return
        with self._status:
            yield

    def note(self, text: str) -> None:
        """One line, as it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def training_begins(self, job: Job, number: int, total: int, *, resumed: bool) -> None:
        """Say which one, and where its log is."""
        how = "continuing" if resumed else "training"
        self.note(f"[{number}/{total}] {how} {job.title} ({job.folder}/log.txt)")
        self._newest[job] = "starting"
        self._show()

    def training_says(self, job: Job, line: str) -> None:
        """Show the newest line of its log."""
        self._newest[job] = line
        self._show()

    def training_ends(self, job: Job, failure: str | None, reached: TrainingProgress | None) -> None:
        """Say how, and what was reached."""
        self._newest.pop(job, None)
        outcome = f"failed: {failure}" if failure else "done"
        if reached is not None and reached.history:
            last = reached.history[-1]
            outcome = f"{counted(reached.epoch, 'epoch')} in {duration(60 * last['minutes'])}"
            outcome += f", mAP@0.5 {last['map50']:.3f}" if last.get("map50") is not None else ""
            outcome += f", accuracy {last['val_accuracy']:.3f}" if last.get("val_accuracy") is not None else ""
        self.note(f"  {job.title}: {outcome}")
        self._show()

    def say(self, text: str) -> None:
        """One line, which also stands on a terminal while its step lasts."""
        self.note(text)
        self._status.update(escape(text))

    def _show(self) -> None:
        lines = [f"{job.title}: {line}" for job, line in self._newest.items()]
        self._status.update(escape("\n".join(lines)) or "…")
