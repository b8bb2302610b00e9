"""A child process as its parent sees it: two threads pass messages, so that a child that hangs holds nobody up."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from lightdet.line.messages import Ended

_LONGEST_WAIT = 30.0
_WELL = 60.0
"""Seconds of life after which a death is no longer one of a row."""

Event = tuple["Child", Any]


class Child:
    """A process that ends with its parent, however that ends.

    Args:
        name: for lists of processes.
        target: a function of a module; its last argument is its end of a pipe.
        args: the others.
        events: gets ``(child, message)``, and ``(child, Ended())`` at last.
    """

    def __init__(
        self, name: str, target: Callable[..., None], args: tuple[Any, ...], events: queue.SimpleQueue[Event]
    ) -> None:
        self._events = events
        self._pipe, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=target, args=(*args, there), name=f"lightdet-line-{name}", daemon=True)
        self.process.start()
        there.close()
        self.began = self.heard = time.monotonic()
        self._outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for work in (self._listen, self._speak):
            threading.Thread(target=work, name=f"{name} {work.__name__}", daemon=True).start()

    def tell(self, message: Any) -> None:
        """Send it soon; to a child that has ended it is lost."""
        self._outgoing.put(message)

    def kill(self) -> None:
        """End it now; its `Ended` follows."""
        self.process.kill()

    def bury(self) -> int | None:
        """After its `Ended`: return its exit code."""
        self._outgoing.put(None)
        self.process.join(5.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._pipe.close()
        return self.process.exitcode

    def _listen(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                self._events.put((self, Ended()))
                return
            self.heard = time.monotonic()
            self._events.put((self, message))

    def _speak(self) -> None:
        while (message := self._outgoing.get()) is not None:
            try:
                self._pipe.send(message)
            except (OSError, ValueError):  # it has ended, which the other thread tells
                return


class Patience:
    """How long to wait before the next try: twice as long each time, until it has been well for a minute."""

    def __init__(self, first: float = 1.0) -> None:
        self._first = self._next = first
        self.deaths = 0

    def wait(self, lived: float) -> float:
        """Return the seconds to wait, after a life of so many seconds."""
        if lived >= _WELL:
            self._next = self._first
        self.deaths += 1
        seconds, self._next = self._next, min(2 * self._next, _LONGEST_WAIT)
        return seconds


def as_child() -> None:
    """In a child: leave Ctrl-C and SIGTERM to the parent, which says when to end."""
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)


class Port:
    """A source's end of its pipe: it may send as many pictures as it was told."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.credit = 0
        self.stopped = False
        self._spoken = 0.0

    def send(self, message: Any) -> None:
        """Tell the parent; without one, end."""
        try:
            self._pipe.send(message)
        except OSError:
            self.stopped = True
        self._spoken = time.monotonic()

    def listen(self, seconds: float, alive: Any = None) -> None:
        """Take what the parent says within this time; now and then send `alive`, so that silence means a hang."""
        try:
            while not self.stopped and self._pipe.poll(seconds):
                message = self._pipe.recv()
                if isinstance(message, int):
                    self.credit += message
                else:
                    self.stopped = True
                seconds = 0.0
        except (EOFError, OSError):
            self.stopped = True
        if alive is not None and time.monotonic() - self._spoken > 2.0:
            self.send(alive)
