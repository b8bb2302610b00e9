"""A training in a process of its own, on this computer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from lightdet.errors import UserError

SOURCES = Path(__file__).resolve().parents[2]
"""The folder that holds the package: child processes must find it even if it is not installed."""
LOST = 1 << 16
"""In place of an exit code: the computer that trained is gone, or the process that watched the training there."""


class TrainingProcess(Protocol):
    """A training that was started somewhere."""

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; `LOST`; None while it runs."""

    def ask_to_stop(self) -> None:
        """Let it save and end."""

    def end(self) -> None:
        """Kill it if it still runs."""


Begin: TypeAlias = Callable[[Mapping[str, Any], Path], TrainingProcess]
"""Starts a training: its `TrainOptions` as plain values and the file its output is appended to.

Raises:
    UserError: it cannot be started.
"""


class LocalTraining:
    """One process.

    Args:
        launcher: the module that trains (``python -m``); it gets `TrainOptions` as JSON, and saves and ends when its
            standard input is closed.
        threads: for computing, unless ``OMP_NUM_THREADS`` says; None: its own choice.
        wanted, log: see `Begin`.
        folder: where relative paths begin; None: this process's.

    Raises:
        UserError: it cannot be started.
    """

    def __init__(
        self, launcher: str, threads: int | None, wanted: Mapping[str, Any], log: Path, folder: Path | None = None
    ) -> None:
        try:
            with log.open("ab") as file:
                # A new session: Ctrl-C at the terminal reaches only us, and we pass it on.
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-m", launcher, json.dumps(dict(wanted))],
                    stdin=subprocess.PIPE,
                    stdout=file,
                    stderr=file,
                    env=_environment(threads),
                    cwd=folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise UserError(f"the training cannot be started: {error.strerror}", path=log.parent) from None

    def poll(self) -> int | None:
        """See `TrainingProcess.poll`."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Close the pipe that the training watches: it saves and ends."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """Kill it if it still runs."""
        self.ask_to_stop()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _environment(threads: int | None) -> dict[str, str]:
    found = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    found["PYTHONPATH"] = os.pathsep.join(part for part in (str(SOURCES), os.environ.get("PYTHONPATH")) if part)
    if threads is not None and "OMP_NUM_THREADS" not in os.environ:
        found["OMP_NUM_THREADS"] = str(threads)
    return found
