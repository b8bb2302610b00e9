"""Where a training tells what it does: files here, the terminal through the `Reporter` of the command."""

from __future__ import annotations

import csv
import io
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from lightdet.arrays import Image
from lightdet.errors import UserError
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
        self._before = set(folder.iterdir()) if folder.is_dir() else set()
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

    def discard(self) -> None:
        """Close, and delete what was written: the training came to nothing."""
        if self._writer is not None:
            with suppress(UserError):
                self.close()
            for path in set(self._folder.iterdir()) - self._before:
                path.unlink(missing_ok=True)
            with suppress(OSError):
                self._folder.rmdir()

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
