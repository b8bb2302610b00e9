"""The callbacks of a training, and what calls them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.errors import UserError
from lightdet.training.result import TrainResult


@dataclass(frozen=True)
class TrainingRun:
    """A training that is starting.

    Attributes:
        folder: where its files go.
        config: its configuration, as plain values by section.
        resumed: it continues an interrupted training.
        note: prints a line.
    """

    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    resumed: bool = False
    note: Callable[[str], None] = lambda _: None


class Callback:
    """Base class for callbacks of a training. With several processes, the first calls it.

    What it raises ends the training, whose state is saved before: it can be resumed.

    >>> class Until(lightdet.Callback):
    ...     def on_epoch_end(self, record):
    ...         return record["loss"] < 100
    >>> run = lightdet.train("mine.yaml", imgsz=64, epochs=9, batch=4, callbacks=[Until()], progress=False)
    >>> run.stopped, len(run.history)
    (True, 1)
    """

    def on_train_begin(self, run: TrainingRun) -> None:
        """The first batch is about to start."""

    def on_picture(self, name: str, image: Image, epoch: int) -> None:
        """A sheet of pictures, uint8 RGB ``[H, W, 3]``: ``training batch`` (epoch 0) and ``validation``."""

    def on_epoch_end(self, record: Mapping[str, Any]) -> bool | None:
        """An epoch is over and saved; `record` is its row of results.csv.

        Returns:
            True to stop: the training ends as if it was interrupted, and can be resumed.
        """

    def on_train_end(self, result: TrainResult) -> None:
        """The training has ended, or was stopped (``result.stopped``); its files are written."""

    def on_train_failed(self, error: BaseException, saved: bool) -> None:
        """An exception was raised; `saved`: whether there is a state to resume from."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


def check_callbacks(callbacks: object) -> None:
    """Refuse anything but a list of callbacks.

    Raises:
        UserError: it is something else, or a callback has no hook, or a method whose name is never called.
    """
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str | bytes):
        raise UserError("callbacks is a list of objects, such as [lightdet.MLflow()]")
    for each in callbacks:
        who = type(each).__name__
        if isinstance(each, type):
            raise UserError(f"callbacks holds the class {each.__name__}: make an object of it, {each.__name__}()")
        named = [name for name in dir(each) if name.startswith("on_") and callable(getattr(each, name))]
        if not named:
            raise UserError(f"{who} is not a callback: it has none of {', '.join(HOOKS)}")
        for name in named:
            if name not in HOOKS:
                close = difflib.get_close_matches(name, HOOKS, n=1)
                hint = f"did you mean {close[0]}?" if close else f"what is called: {', '.join(HOOKS)}"
                raise UserError(f"nothing calls {who}.{name}; {hint}")


class Callbacks:
    """Calls several callbacks in turn."""

    def __init__(self, callbacks: Sequence[Any] = ()) -> None:
        self._all = list(callbacks)

    @property
    def want_pictures(self) -> bool:
        """Whether any callback takes pictures, so that they are worth drawing."""
        unheard = Callback.on_picture
        return any(getattr(type(each), "on_picture", unheard) is not unheard for each in self._all)

    def begin(self, run: TrainingRun) -> None:
        """The training begins."""
        for hear in self._hooks("on_train_begin"):
            hear(run)

    def picture(self, name: str, image: Image, epoch: int) -> None:
        """Show a sheet."""
        for hear in self._hooks("on_picture"):
            hear(name, image, epoch)

    def epoch_end(self, record: Mapping[str, Any]) -> bool:
        """An epoch is over; returns whether a callback asks to stop."""
        asked = [bool(hear(dict(record))) for hear in self._hooks("on_epoch_end")]  # all of them hear it
        return any(asked)

    def end(self, result: TrainResult) -> None:
        """The training has ended; all callbacks are called, then the first error is raised."""
        errors: list[Exception] = []
        for hear in self._hooks("on_train_end"):
            try:
                hear(result)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def failed(self, error: BaseException, *, saved: bool) -> None:
        """An exception was raised; what callbacks raise now would hide it, so it only becomes a note."""
        for hear in self._hooks("on_train_failed"):
            try:
                hear(error, saved)
            except Exception as another:
                error.add_note(f"and {type(another).__name__} in on_train_failed: {another}")

    def _hooks(self, name: str) -> Iterator[Callable[..., Any]]:
        for each in self._all:
            hook = getattr(each, name, None)
            if hook is not None:
                yield hook


def numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a record except its epoch, for plotting."""
    return {
        name: float(value)
        for name, value in record.items()
        if name != "epoch" and isinstance(value, int | float) and not isinstance(value, bool)
    }


def take_up(run: TrainingRun, name: str) -> str | None:
    """The id under which a resumed training was logged before; kept in a file of this `name` in its folder."""
    path = run.folder / name
    return path.read_text(encoding="utf-8").strip() if run.resumed and path.is_file() else None
