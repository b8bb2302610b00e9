"""A thread that repeats a task beside the workers."""

from __future__ import annotations

import threading
from collections.abc import Callable

_LONGEST_WAIT = 10.0
"""Seconds that closing waits for a task under way."""


class Repeating:
    """Runs a task at once and then again and again, until it is closed.

    Args:
        task: what to do; what it raises ends the thread, so it handles what can happen.
        every: seconds between the end of one run and the start of the next.
        name: of the thread.
        last: run the task once more when it is closed.
    """

    def __init__(self, task: Callable[[], None], every: float, *, name: str, last: bool = False) -> None:
        self._task, self._every, self._last = task, every, last
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def ending(self) -> bool:
        """Whether it is being closed; a long task asks between its steps."""
        return self._end.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End after the run under way, but wait for at most ten seconds; nothing happens if it never began."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(_LONGEST_WAIT)

    def _run(self) -> None:
        while True:
            self._task()
            if self._end.wait(self._every):
                break
        if self._last:
            self._task()
