"""``lightdet.train``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lightdet.options.base import takes
from lightdet.options.train import TrainOptions
from lightdet.runs.train import QuietDisplay, TrainingDisplay
from lightdet.runs.train import train as run
from lightdet.training.result import TrainResult

if TYPE_CHECKING:
    from lightdet.tasks import Task


@takes(TrainOptions)
def train(options: TrainOptions) -> TrainResult:
    """Train a detector, or with ``task="classify"`` a classifier, as ``lightdet train`` does.

    Examples:
        >>> run = lightdet.train("mine.yaml", imgsz=64, epochs=1, batch=4, output="runs/x", progress=False)
        >>> run.best.name, 0 <= run.metrics.map50 <= 1, len(run.history)
        ('best.safetensors', True, 1)

    Returns:
        The result: ``best`` and ``last`` (model files), ``metrics``, ``history``, ``stopped``.

    Raises:
        UserError: anything wrong with data, configuration or folder; a key given twice with different values.
    """
    began = time.perf_counter()

    def show(task: Task, first: bool) -> TrainingDisplay:
        return display(task, quiet=not first) if options.progress else QuietDisplay()

    return run(options, show, began)


def display(task: Task, *, quiet: bool) -> TrainingDisplay:
    """Return what shows a training as lines and a bar, in a terminal and in a notebook."""
    from lightdet.display.progress import lines_console  # noqa: PLC0415 - torch, now that all is checked
    from lightdet.display.training import TrainDisplay  # noqa: PLC0415

    return TrainDisplay(lines_console(quiet=quiet), task)
