"""Where a training tells what it does: files here, the terminal through the `Reporter` of the command."""

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
    """Hears what happens; the command line shows it, tests collect it."""

    def note(self, text: str) -> None:
        """One line worth reading."""

    def epoch_begins(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """`done` of `batches` batches were taken before an interruption."""

    def batch_done(self, losses: Mapping[str, float]) -> None:
        """One more batch; the mean losses of the epoch so far."""

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """The row of results.csv."""


class SilentReporter:
    """Hears and says nothing."""

    def note(self, text: str) -> None:
        """Ignore."""

    def epoch_begins(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Ignore."""

    def batch_done(self, losses: Mapping[str, float]) -> None:
        """Ignore."""

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """Ignore."""


def nothing_learned(epochs: int, steps: int, lr: float) -> str:
    """What to say of a training that ran to its end and finds nothing, without any number that is not finite.

    Only what can be the reason is named: few steps, or with enough of them the rate.
    """
    if steps < ENOUGH_STEPS:
        wanted = math.ceil(ENOUGH_STEPS * epochs / max(1, steps))
        advice = f"These were only {counted(steps, 'step')}: about {ENOUGH_STEPS:,} are wanted (--epochs {wanted})"
    else:
        advice = f"Take another train.lr (it was {lr:g}; the default is 0.002)"
    return (
        f"nothing was learned: the best mAP@0.5 is 0. {advice}, or a larger --imgsz if the defects are small; "
        "'lightdet data audit' shows whether labels and pictures belong together"
    )


def diverged(epoch: int, lr: float, precision: str, kept: int) -> str:
    """What to say of a training whose gradients are no numbers any more in `epoch`; models of `kept` epochs lie there.

    ``kept`` is 0 where nothing was saved yet.
    """
    saved = f"; the models of epoch {kept} are kept" if kept else ""
    return f"the training diverged in epoch {epoch} (gradients are not finite): {how_to_converge(precision, lr)}{saved}"


def how_to_converge(precision: str, lr: float | None = None) -> str:
    """The advice for a training whose numbers are not finite any more, as far as it is not followed already."""
    told = "" if lr is None else f" (it is {lr:g})"
    return f"lower train.lr{told}" + ("" if precision == "fp32" else ", or take train.precision=fp32")


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
