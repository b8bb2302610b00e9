"""Work for the pool's tests, importable by name from its processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lightdet.errors import UserError


def doubling() -> Callable[[Sequence[int]], list[int]]:
    return _double


def _double(batch: Sequence[int]) -> list[int]:
    return [2 * each for each in batch]


def dying(folder: Path, always: int) -> Callable[[Sequence[int]], list[int]]:
    return partial(_die, folder, always)


def _die(folder: Path, always: int, batch: Sequence[int]) -> list[int]:
    """Die once on every third number, and each time on `always`."""
    for number in batch:
        mark = folder / str(number)
        if number == always or (number % 3 == 0 and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return _double(batch)


def refusing() -> Callable[[Sequence[int]], list[int]]:
    raise UserError("no such model")


def stillborn() -> Callable[[Sequence[int]], list[int]]:
    os._exit(3)
