"""What a process does when it is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ended_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Call `handler` for SIGINT and SIGTERM within the block; what was done before is done again after it.

    In another thread than the main one nothing changes: only that may set handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
