"""How a training reports: files here, the terminal through the command's `Reporter`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lightdet.files import write_text
from lightdet.training.outlook import ENOUGH_STEPS
from lightdet.wording import counted


class Reporter(Protocol):
    """Receives what happens; the command line shows it, tests collect it."""

    def note(self, text: str) -> None:
        """A line for the user."""

    def epoch_begins(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """`done` of `batches` batches were done before an interruption."""

    def batch_done(self, losses: Mapping[str, float]) -> None:
        """Another batch is done; `losses` are the epoch's means so far."""

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """The row of results.csv."""


class SilentReporter:
    """Ignores everything."""

    def note(self, text: str) -> None:
        """Ignore."""

    def epoch_begins(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Ignore."""

    def batch_done(self, losses: Mapping[str, float]) -> None:
        """Ignore."""

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """Ignore."""


def nothing_learned(epochs: int, steps: int, lr: float) -> str:
    """The advice for a training that ended with finite numbers but finds nothing.

    It names only a possible reason: too few steps or, with enough steps, the learning rate.
    """
    if steps < ENOUGH_STEPS:
        wanted = math.ceil(ENOUGH_STEPS * epochs / max(1, steps))
        advice = f"These were only {counted(steps, 'step')}: about {ENOUGH_STEPS:,} are needed (--epochs {wanted})"
    else:
        advice = f"Try another train.lr (it was {lr:g})"
    return (
        f"nothing was learned: the best mAP@0.5 is 0. {advice}, or a larger --imgsz if the defects are small; "
        "'lightdet data audit' shows whether labels and pictures belong together"
    )


def diverged(epoch: int, lr: float, precision: str, kept: int) -> str:
    """The message for a training whose gradients are not finite in `epoch`; `kept` epochs have been saved.

    ``kept`` is 0 if nothing has been saved yet.
    """
    saved = f"; the models of epoch {kept} are kept" if kept else ""
    return f"the training diverged in epoch {epoch} (gradients are not finite): {how_to_converge(precision, lr)}{saved}"


def how_to_converge(precision: str, lr: float | None = None) -> str:
    """The advice for a training whose numbers are no longer finite, without what is already followed."""
    current = "" if lr is None else f" (it is {lr:g})"
    return f"lower train.lr{current}" + ("" if precision == "fp32" else ", or take train.precision=fp32")


def write_results_csv(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write one row per epoch, whole or not at all."""
    columns: list[str] = []
    for record in history:
        columns += [name for name in record if name not in columns]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())
