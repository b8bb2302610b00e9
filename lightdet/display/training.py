"""What a training shows on the terminal, and in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lightdet.display.progress import new_progress
from lightdet.tasks import AnyConfig, Task
from lightdet.training.checkpoint import Progress as TrainingProgress
from lightdet.training.checkpoint import TrainingState
from lightdet.training.outlook import FIRST_STEPS, Outlook, TimeLeft, too_early
from lightdet.training.page import PAGE_FILE
from lightdet.wording import counted, duration, training_length


class TrainDisplay:
    """One line per epoch and a bar for the current one; a `lightdet.training.reporting.Reporter`."""

    def __init__(self, console: Console, task: Task) -> None:
        self.console = console
        self.task, self.messages = task, task.training.messages()
        self._bar = new_progress(console)
        self._task: Any = None
        self._epochs = 0
        self._steps = 0
        self._left = TimeLeft()
        self._judged = False

    def _say(self, text: str) -> None:
        """One line, as it is: no markup, not broken at the terminal's width."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def loading(self) -> Iterator[Callable[[int, int], None]]:
        """A bar while pictures are read."""
        with self._bar:
            task = self._bar.add_task("reading pictures", total=None)
            yield lambda done, total: self._bar.update(task, completed=done, total=total)
            self._bar.remove_task(task)

    def begin(
        self,
        config: AnyConfig,
        data: Any,
        device: torch.device,
        output: Path,
        *,
        resumed: TrainingState | None,
    ) -> None:
        """Say what is about to happen."""
        val = f", {len(data.val)} to validate" if data.val else ", none to validate"
        length = training_length(config.train.epochs, config.train.minutes)
        self._say(
            f"{self.messages.opening(data)} to train{val}; "
            f"{counted(len(data.names), 'class')}; "
            f"input {config.imgsz}, batch {config.train.batch}, {length}, on {device}"
        )
        for note in self.messages.notes(data):
            self.note(note)
        if data.train.cached < len(data.train):
            self._say(
                f"{data.train.cached} of {len(data.train)} pictures fit into memory; a larger train.cache_mib is faster"
            )
        if resumed is not None:
            self._say(f"continuing in {output} after {counted(resumed.progress.epoch, 'epoch')}")

    def expect(
        self, config: AnyConfig, data: Any, per_epoch: int, output: Path, speed: float | None, from_scratch: bool
    ) -> None:
        """Say how many steps and how long it will be; see `lightdet.runs.train.TrainingDisplay`."""
        train = config.train
        outlook = Outlook(
            per_epoch,
            train.batch * train.accumulate,
            train.epochs if train.minutes is None else None,
            train.minutes,
            speed,
            self.task.training.enough_steps if from_scratch else None,
            "picture" if data.train.per_epoch == len(data.train) else "crop",
        )
        for line in outlook.lines():
            self.note(line)
        self.note(f"watch it: {output}/{PAGE_FILE}, written about every minute; tensorboard --logdir {output}")

    @contextmanager
    def training(self) -> Iterator[None]:
        """The bar of the epochs."""
        with self._bar:
            yield

    def note(self, text: str) -> None:
        """One line."""
        self._say(text)

    def epoch_begins(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Start the epoch's bar."""
        self._epochs, self._steps = epochs, batches
        self._left.begins(epoch + done / batches)
        self._task = self._bar.add_task(f"epoch {epoch + 1}/{epochs}", total=batches, completed=done)

    def batch_done(self, losses: Mapping[str, float]) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.advance(self._task)

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """Replace the bar by a line."""
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        epoch = int(record["epoch"])
        line = f"epoch {epoch:>4}/{self._epochs}  {self.messages.epoch_line(record)}"
        left = self._left.ends(epoch, self._epochs)
        ending = "" if left is None else f"  {duration(left)} left"
        self._say(f"{line}  {record['images_per_second']:.0f} img/s{ending}")
        found = record.get("map50")
        if found is not None and not self._judged:
            if f"{found:.3f}" == "0.000" and epoch * self._steps < FIRST_STEPS:
                self.note(too_early(epoch * self._steps, self._epochs * self._steps))
            self._judged = True

    def end(self, progress: TrainingProgress, data: Any, output: Path) -> None:
        """Say how it ended and where the files are."""
        for error in data.skipped:
            self._say(f"skipped: {error}")
        if data.skipped:
            self._say(f"bad pictures or labels left out: {len(data.skipped)}")
        if not progress.done:
            self._say(
                f"stopped and saved in epoch {progress.epoch + 1} ({output}); the same command with --resume continues"
            )
            return
        for line in self.messages.closing(progress):
            self._say(line)
        self._say(f"model: {output}/best.safetensors (best), {output}/last.safetensors (last)")
        self._say(f"page: {output}/{PAGE_FILE}; curves of several trainings: tensorboard --logdir {output.parent}")
