"""``lightdet train``: from a data set to a trained model."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from lightdet.cli.common import ALL, Words
from lightdet.options.train import TrainOptions

if TYPE_CHECKING:
    from lightdet.runs.train import TrainingDisplay
    from lightdet.tasks import Task


def train(*overrides: Words, options: Annotated[TrainOptions, ALL]) -> int:
    """Train a detector, or a classifier where the configuration says 'task: classify'.

    Leaves best.safetensors, last.safetensors and results.csv in --output.
    """
    began = time.perf_counter()
    from lightdet.runs.train import train as run

    def show(task: Task, first: bool) -> TrainingDisplay:
        from lightdet.api.train import display

        return display(task, quiet=not first)

    return 130 if run(replace(options, overrides=overrides), show, began).stopped else 0
