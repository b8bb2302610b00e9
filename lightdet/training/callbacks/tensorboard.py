"""TensorBoard: the curves and sheets of a training, in its folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.errors import UserError
from lightdet.training.callbacks.base import Callback, TrainingRun, numbers
from lightdet.training.result import TrainResult


class TensorBoard(Callback):
    """Writes to ``tensorboard`` in the training's folder; if TensorBoard cannot write, a note says so."""

    def __init__(self) -> None:
        self._writer: Any = None

    def on_train_begin(self, run: TrainingRun) -> None:
        """Open the file."""
        try:
            str(run.folder).encode()
        except UnicodeEncodeError:
            run.note(
                "TensorBoard cannot use a folder whose name is not UTF-8: the training continues without its curves"
            )
            return
        self.open(run.folder / "tensorboard")

    def open(self, folder: Path) -> None:
        """Start writing in `folder`."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import

        self._folder = folder
        self._before = set(folder.iterdir()) if folder.is_dir() else set()
        self._hook = threading.excepthook
        threading.excepthook = self._hear
        with self._explained():
            self._writer = SummaryWriter(str(folder))

    def on_picture(self, name: str, image: Image, epoch: int) -> None:
        """Write a sheet; a UserError if that fails."""
        if self._writer is not None:
            with self._explained():
                self._writer.add_image(name, image, epoch, dataformats="HWC")

    def on_epoch_end(self, record: Mapping[str, Any]) -> None:
        """Write every number; a UserError if that fails."""
        if self._writer is not None:
            with self._explained():
                for name, value in numbers(record).items():
                    self._writer.add_scalar(name, value, record["epoch"])
                self._writer.flush()

    def on_train_end(self, result: TrainResult) -> None:
        """Flush what is left."""
        self.close()

    def on_train_failed(self, error: BaseException, saved: bool) -> None:
        """Close; if the training failed without a result, delete what was written."""
        if self._writer is None:
            return
        with suppress(UserError):
            self.close()
        if not saved:
            for path in set(self._folder.iterdir()) - self._before:
                path.unlink(missing_ok=True)
            with suppress(OSError):
                self._folder.rmdir()

    def close(self) -> None:
        """Flush what is left."""
        if self._writer is not None:
            with self._explained():
                self._writer.close()
            threading.excepthook = self._hook  # if closing failed, the thread may still be about to report it

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", path=self._folder) from None

    def _hear(self, args: threading.ExceptHookArgs) -> None:
        """TensorBoard writes in a thread: a full disk is reported by the next call, not by that thread's traceback."""
        own = type(args.thread).__module__.startswith("tensorboard")
        if not (own and issubclass(args.exc_type, OSError)):
            self._hook(args)
