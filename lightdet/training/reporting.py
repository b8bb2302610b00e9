"""Where a training tells what it does: files here, the terminal through the `Reporter` of the command."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from lightdet.arrays import Image
from lightdet.errors import UserError
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


def nothing_learned(epochs: int, lr: float) -> str:
    """What to say of a training that ran to its end and finds nothing, without any number that is not finite."""
    return (
        f"nothing was learned: the best mAP@0.5 is 0. Take more epochs (these were {epochs}), "
        f"a lower train.lr (it was {lr:g}), or a larger --imgsz if the defects are small; "
        "'lightdet data audit' shows whether labels and pictures belong together"
    )


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
    """TensorBoard scalars and pictures; silent where it is turned off.

    Args:
        folder: where to write; None turns it off.
        note: told in a line why nothing is written, where TensorBoard cannot write to `folder`.
    """

    def __init__(self, folder: Path | None, note: Callable[[str], None] = lambda _: None) -> None:
        self._writer: Any = None
        if folder is None:
            return
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            note("TensorBoard knows no folder whose name is not UTF-8: the training goes on without its curves")
            return
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import

        self._folder = folder
        self._hook = threading.excepthook
        threading.excepthook = self._hear
        with self._explained():
            self._writer = SummaryWriter(str(folder))

    @property
    def is_open(self) -> bool:
        """Whether anything is written."""
        return self._writer is not None

    def scalars(self, record: Mapping[str, Any], epoch: int) -> None:
        """Write every number of a record; a UserError where that cannot be done."""
        if self._writer is not None:
            with self._explained():
                for name, value in record.items():
                    if name != "epoch" and isinstance(value, int | float):
                        self._writer.add_scalar(name, value, epoch)
                self._writer.flush()

    def picture(self, name: str, image: Image, epoch: int) -> None:
        """Write one picture, uint8 ``[H, W, 3]``; a UserError where that cannot be done."""
        if self._writer is not None:
            with self._explained():
                self._writer.add_image(name, image, epoch, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            with self._explained():
                self._writer.close()
            threading.excepthook = self._hook  # where closing failed, the thread may still be about to tell

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", path=self._folder) from None

    def _hear(self, args: threading.ExceptHookArgs) -> None:
        """TensorBoard writes in a thread: a full disk is told by the next call, not by that thread's traceback."""
        own = type(args.thread).__module__.startswith("tensorboard")
        if not (own and issubclass(args.exc_type, OSError)):
            self._hook(args)
