"""Ctrl-C and SIGTERM ask the training to stop after the current step, so that it can save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lightdet.signals import ended_by


class StopRequest:
    """Set by the first signal; a second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM within the block; the previous handlers are restored after it."""
    stop = StopRequest()
    with ended_by(stop):
        yield stop
