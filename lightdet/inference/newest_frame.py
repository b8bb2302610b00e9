"""The newest item of a stream: a consumer slower than the camera skips frames instead of falling behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_WAIT_SECONDS = 0.5
"""Waits have a limit: on Windows, Ctrl-C does not end one without."""
_CLOSE_SECONDS = 2.0


class NewestFrame(Generic[T]):
    """Reads in its own thread, as fast as items arrive, and hands out the newest.

    Args:
        read: waits for the next item; None at the end. Called only in the thread.
        release: called in the thread, once, when nothing more is read.
    """

    def __init__(self, read: Callable[[], T | None], release: Callable[[], None]) -> None:
        self._read, self._release = read, release
        self._changed = threading.Condition()
        self._item: T | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="newest frame", daemon=True)
        self._thread.start()

    def take(self) -> T | None:
        """Wait for an item that was not taken yet, and return the newest; None at the end.

        Raises:
            BaseException: what `read` raised, after its last item was taken.
        """
        with self._changed:
            while self._item is None and not self._ended:
                self._changed.wait(_WAIT_SECONDS)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                raise self._error
            return item

    def close(self) -> None:
        """End the reading; a camera that hangs is left to its thread, which releases it when it answers."""
        self._closed.set()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while not self._closed.is_set() and (item := self._read()) is not None:
                with self._changed:
                    self._item = item
                    self._changed.notify_all()
        except BaseException as caught:
            error = caught
        finally:
            self._release()
            with self._changed:
                self._error, self._ended = error, True
                self._changed.notify_all()
