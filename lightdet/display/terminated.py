"""SIGTERM as Ctrl-C: what was done is saved, and neither breaks off the saving itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightdet.signals import ended_by


class Interrupts:
    """What a signal does: it raises `KeyboardInterrupt`, at once or at the end of a block of `held`."""

    def __init__(self) -> None:
        self._held = self._waiting = False

    def __call__(self, *_: object) -> None:
        """Handle a signal."""
        if not self._held:
            raise KeyboardInterrupt
        self._waiting = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that signals do not break off."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting:
            self._waiting = False
            raise KeyboardInterrupt


@contextmanager
def terminate_as_interrupt() -> Iterator[Interrupts]:
    """Let SIGTERM and SIGINT raise `KeyboardInterrupt` within the block; before and after it nothing changes."""
    interrupts = Interrupts()
    with ended_by(interrupts):
        yield interrupts
