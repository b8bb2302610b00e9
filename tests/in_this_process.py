"""Trainings in the process of the test: one of its own costs seconds to import torch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import SimpleNamespace
from typing import Any

import pytest

import lightdet
from lightdet.display.outcome import exit_code
from lightdet.runs import training_process


class Finished:
    """In place of `subprocess.Popen`: what the command does is done when this is made."""

    stdin = None

    def __init__(self, command: Sequence[str], *, stdout: Any, **_: Any) -> None:
        options = json.loads(command[-1])
        with open(stdout.name, "a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):  # noqa: PTH123
            self.returncode = exit_code(lambda: 130 if lightdet.train(**options).stopped else 0)

    def poll(self) -> int:
        return self.returncode


@contextmanager
def trained_here() -> Iterator[None]:
    """Trainings run in this process, one after another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_process, "subprocess", SimpleNamespace(Popen=Finished, PIPE=subprocess.PIPE))
        patch.setenv("COLUMNS", "200")
        yield
