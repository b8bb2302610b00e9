"""What a training shows on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lightdet.build.training import TrainingData
from lightdet.config import RunConfig
from lightdet.training.checkpoint import Progress as TrainingProgress
from lightdet.training.checkpoint import TrainingState
from lightdet.training.precision import resolve_precision
from lightdet.wording import counted

LOSSES = {"box": "box", "objectness": "obj", "classification": "cls", "proposal_box": "proposals"}
"""The terms of the networks' losses, as the line of an epoch calls them; not every network has all."""


class TrainDisplay:
    """A line an epoch and a bar for the one in hand; a `lightdet.training.reporting.Reporter`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._epochs = 0

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
        config: RunConfig,
        data: TrainingData,
        device: torch.device,
        output: Path,
        *,
        resumed: TrainingState | None,
    ) -> None:
        """Say what is about to happen."""
        val = f", {len(data.val)} to validate" if data.val else ", none to validate"
        boxes = sum(len(a) for a in data.train.annotations)
        background = sum(len(a) == 0 for a in data.train.annotations)
        empty = f" ({background} of them without any, taken as background)" if background else ""
        self._say(
            f"{counted(len(data.train), 'picture')} with {counted(boxes, 'box')}{empty} to train{val}; "
            f"{counted(len(data.names), 'class')}; "
            f"input {config.imgsz}, batch {config.train.batch}, {counted(config.train.epochs, 'epoch')}, "
            f"{resolve_precision(config.train.precision, device)} on {device}"
        )
        if not data.val:
            self.note("no split 'val': no epoch is measured, and best.safetensors is that of the last epoch")
        elif not any(len(a) for a in data.val.annotations):
            self.note("no picture of the split 'val' has a box: mAP is not measured, and every epoch counts alike")
        if data.train.cached < len(data.train):
            self._say(
                f"{data.train.cached} of {len(data.train)} pictures fit into memory; a larger train.cache_mib is faster"
            )
        if resumed is not None:
            self._say(f"going on in {output} after {counted(resumed.progress.epoch, 'epoch')}")

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
        self._epochs = epochs
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
        parts = " ".join(f"{short} {record[name]:.4f}" for name, short in LOSSES.items() if name in record)
        line = f"epoch {record['epoch']:>4}/{self._epochs}  loss {record['loss']:.4f} ({parts})"
        if record.get("map50") is not None:
            line += f"  mAP@0.5 {record['map50']:.3f}  mAP@0.5:0.95 {record['map50_95']:.3f}"
        self._say(f"{line}  {record['images_per_second']:.0f} img/s")

    def end(self, progress: TrainingProgress, data: TrainingData, output: Path) -> None:
        """Say how it ended and where things lie."""
        for error in data.skipped:
            self._say(f"skipped: {error}")
        if data.skipped:
            self._say(f"bad pictures or labels left out: {len(data.skipped)}")
        if not progress.done:
            self._say(f"stopped and saved in epoch {progress.epoch + 1}; go on with --resume --output {output}")
            return
        best = progress.best_metrics
        if best is not None:
            self._say(
                f"best epoch {progress.best_epoch}: mAP@0.5 {best['map50'] or 0:.3f}, "
                f"mAP@0.5:0.95 {best['map50_95'] or 0:.3f}; {progress.seconds / 60:.1f} minutes"
            )
        self._say(f"model: {output}/best.safetensors (best), {output}/last.safetensors (last)")
