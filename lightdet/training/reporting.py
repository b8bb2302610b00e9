"""Where a training tells what it does: files here, the terminal through the `Reporter` of the command."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lightdet.arrays import Image
from lightdet.files import write_text


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


def write_results_csv(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write one row an epoch, whole or not at all."""
    columns: list[str] = []
    for record in history:
        columns += [name for name in record if name not in columns]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())


class Board:
    """TensorBoard scalars and pictures; silent where it is turned off."""

    def __init__(self, folder: Path | None) -> None:
        self._writer: Any = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import

            self._writer = SummaryWriter(str(folder))

    @property
    def is_open(self) -> bool:
        """Whether anything is written."""
        return self._writer is not None

    def scalars(self, record: Mapping[str, Any], epoch: int) -> None:
        """Write every number of a record."""
        if self._writer is not None:
            for name, value in record.items():
                if name != "epoch" and isinstance(value, int | float):
                    self._writer.add_scalar(name, value, epoch)
            self._writer.flush()

    def picture(self, name: str, image: Image, epoch: int) -> None:
        """Write one picture, uint8 ``[H, W, 3]``."""
        if self._writer is not None:
            self._writer.add_image(name, image, epoch, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
