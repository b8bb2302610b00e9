"""Each training runs in its own process: one that fails or is killed does not affect the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from safetensors import SafetensorError, safe_open

from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.options.compare import CompareOptions
from lightdet.runs.compare.plan import CONFIG_NAME, MODELS, STATE_NAME
from lightdet.runs.compare.request import Entry
from lightdet.training.checkpoint import METADATA_KEY
from lightdet.training.folder_lock import folder_lock
from lightdet.training.interrupt import stop_on_signal

LOG_NAME = "log.txt"
POLL_SECONDS = 0.1
ORPHAN_SECONDS = 180.0
"""How long to wait for the training of a killed comparison to save and end."""
INTERRUPTED = 130
SOURCES = Path(__file__).resolve().parents[3]
"""The folder that holds the package: child processes must find it even if it is not installed."""


@dataclass(frozen=True)
class Job:
    """One training: a row's configuration with one seed; `folder` is its output."""

    name: str
    seed: int
    folder: Path

    @property
    def label(self) -> str:
        """Its name among the row's runs."""
        return f"seed {self.seed}"


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training, from its state file."""

    epoch: int
    done: bool
    history: Sequence[dict[str, float]]


class Watcher(Protocol):
    """Follows the comparison."""

    def note(self, text: str) -> None:
        """A line for the user."""

    def training_begins(self, job: Job, number: int, total: int, *, resumed: bool) -> None:
        """One of `total` trainings to do."""

    def training_says(self, job: Job, line: str) -> None:
        """The newest line of its log."""

    def training_ends(self, job: Job, failure: str | None, reached: TrainingProgress | None) -> None:
        """It ended, with what it reached or with a reason for its failure."""

    def scoring(self, name: str, label: str) -> None:
        """A run is about to be evaluated."""

    def profiling(self, models: int) -> None:
        """`models` models are about to be timed in turn."""


def read_progress(folder: Path) -> TrainingProgress | None:
    """Read the progress of the training in `folder`; None if it has left no state.

    Raises:
        UserError: a state file that is damaged.
    """
    path = folder / STATE_NAME
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            progress = json.loads((file.metadata() or {})[METADATA_KEY])["progress"]
        return TrainingProgress(progress["epoch"], progress["done"], progress["history"])
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise UserError("is damaged; remove its folder to train again", path=path) from None


def jobs_of(options: CompareOptions, entries: Sequence[Entry]) -> list[Job]:
    """All trainings of the comparison, ordered by seed: if it ends early, every model has a run."""
    trained = [entry for entry in entries if entry.kind == "trained"]
    most = max((len(entry.seeds) for entry in trained), default=0)
    return [
        Job(entry.name, entry.seeds[turn], Path(options.output) / MODELS / entry.name / f"seed{entry.seeds[turn]}")
        for turn in range(most)
        for entry in trained
        if turn < len(entry.seeds)
    ]


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    tail: bytearray = field(default_factory=bytearray)

    def newest_line(self) -> str | None:
        """The last whole line written since the last call."""
        self.tail += self.log.read()
        end = self.tail.rfind(b"\n")
        if end < 0:
            return None
        lines = self.tail[:end].decode("utf-8", "replace").splitlines()
        del self.tail[: end + 1]
        return next((line.strip() for line in reversed(lines) if line.strip()), None)

    def ask_to_stop(self) -> None:
        """Close the pipe that the training watches: it saves and ends."""
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()

    def end(self) -> None:
        """Kill it if it still runs, and close its files."""
        self.ask_to_stop()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def train_all(options: CompareOptions, jobs: Sequence[Job], watcher: Watcher, launcher: str) -> dict[Job, str]:
    """Train what is not finished yet, `options.together` at a time; returns the reason for each failure.

    The first Ctrl-C (or SIGTERM) lets the trainings save, the second ends them at once.

    Args:
        launcher: the module that trains in its own process (``python -m``); it gets `TrainOptions` as JSON,
            and saves and ends when its standard input is closed.

    Raises:
        KeyboardInterrupt: after a signal.
        UserError: a training of an earlier comparison is still running in this folder.
    """
    waiting = deque(enumerate(jobs, 1))
    running: list[_Running] = []
    failed: dict[Job, str] = {}
    with stop_on_signal() as stop:
        try:
            while (waiting and not stop.requested) or running:
                while waiting and len(running) < options.together and not stop.requested:
                    number, job = waiting.popleft()
                    before = read_progress(job.folder)
                    watcher.training_begins(job, number, len(jobs), resumed=before is not None)
                    running.append(_start(options, job, launcher, resume=before is not None))
                time.sleep(POLL_SECONDS)
                for one in list(running):
                    if stop.requested:
                        one.ask_to_stop()
                    if not _still_running(one, watcher):
                        running.remove(one)
                        failure = _failure(one.job, one.process.returncode)
                        one.end()
                        if failure is not None and not stop.requested:
                            failed[one.job] = failure
                        if not stop.requested:
                            reached = read_progress(one.job.folder) if failure is None else None
                            watcher.training_ends(one.job, failure, reached)
        finally:
            for one in running:
                one.end()
    if stop.requested:
        raise KeyboardInterrupt
    return failed


def _still_running(one: _Running, watcher: Watcher) -> bool:
    ended = one.process.poll() is not None  # asked first: the log may grow until then
    line = one.newest_line()
    if line is not None:
        watcher.training_says(one.job, line)
    return not ended


def _start(options: CompareOptions, job: Job, launcher: str, *, resume: bool) -> _Running:
    make_folder(job.folder)
    _wait_for_orphan(job.folder)
    wanted = {
        "data": str(options.data),
        "config": str(job.folder.parent / CONFIG_NAME),
        "data_root": None if options.data_root is None else str(options.data_root),
        "seed": job.seed,
        "device": options.device,
        "output": str(job.folder),
        "on_error": options.on_error,
        "resume" if resume else "overwrite": True,
    }
    command = [sys.executable, "-m", launcher, json.dumps(wanted)]
    path = job.folder / LOG_NAME
    try:
        with path.open("ab") as log:
            begin = log.tell()
            # A new session: Ctrl-C at the terminal reaches only us, and we pass it on.
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(options),
                start_new_session=True,
            )
        reader = path.open("rb")
        reader.seek(begin)
    except OSError as error:
        raise UserError(f"the training cannot be started: {error.strerror}", path=job.folder) from None
    return _Running(job, process, reader)


def _environment(options: CompareOptions) -> dict[str, str]:
    found = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    found["PYTHONPATH"] = os.pathsep.join(part for part in (str(SOURCES), os.environ.get("PYTHONPATH")) if part)
    if options.together > 1 and "OMP_NUM_THREADS" not in os.environ:
        found["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // options.together))
    return found


def _wait_for_orphan(folder: Path) -> None:
    """Wait until a training left behind by a killed comparison has saved and ended."""
    until = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            with folder_lock(folder):
                return
        except UserError:
            if time.monotonic() > until:
                raise
        time.sleep(POLL_SECONDS)


def _failure(job: Job, code: int) -> str | None:
    """Why a training ended before its last epoch, in one line; None if it did not."""
    try:
        ended = read_progress(job.folder)
    except UserError as error:
        return str(error)
    if code == 0 and ended is not None and ended.done:
        return None
    where = f"see {job.folder / LOG_NAME}"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        why = "; perhaps memory ran out" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{why}; {where}"
    if code == INTERRUPTED:
        return f"it was interrupted from outside; {where}"
    return f"{_last_words(job.folder / LOG_NAME) or f'it ended with exit code {code}'}; {where}"


def _last_words(path: Path) -> str | None:
    with suppress(OSError), path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 20_000))
        lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].removeprefix("error: ")[:500] if lines else None
    return None
