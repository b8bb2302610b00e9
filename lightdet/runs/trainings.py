"""Each training runs in its own process: one that fails or is killed does not affect the others."""

from __future__ import annotations

import json
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from safetensors import SafetensorError, safe_open

from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.runs.resume import STATE_FILE
from lightdet.runs.training_process import LOST, Begin, TrainingProcess
from lightdet.training.checkpoint import METADATA_KEY
from lightdet.training.folder_lock import folder_lock
from lightdet.training.interrupt import stop_on_signal

LOG_NAME = "log.txt"
POLL_SECONDS = 0.1
ORPHAN_SECONDS = 180.0
"""How long to wait for the training of a killed command to save and end."""
INTERRUPTED = 130
TRIES = 3
"""How often a training is started whose computer is lost each time."""


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: of what is trained; with `label` it is unique.
        label: which of its trainings.
        folder: its output.
        wanted: its `TrainOptions` as plain values, without output, resume and overwrite.
    """

    name: str
    label: str
    folder: Path
    wanted: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def title(self) -> str:
        """Name and label."""
        return f"{self.name}, {self.label}" if self.label else self.name


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training, from its state file."""

    epoch: int
    done: bool
    history: Sequence[dict[str, float]]


class Watcher(Protocol):
    """Follows the trainings."""

    def note(self, text: str) -> None:
        """A line for the user."""

    def training_begins(self, job: Job, number: int, total: int, *, resumed: bool) -> None:
        """One of `total` trainings to do."""

    def training_says(self, job: Job, line: str) -> None:
        """The newest line of its log."""

    def training_ends(self, job: Job, failure: str | None, reached: TrainingProgress | None) -> None:
        """It ended, with what it reached or with a reason for its failure."""


def read_progress(folder: Path) -> TrainingProgress | None:
    """Read the progress of the training in `folder`; None if it has left no state.

    Raises:
        UserError: a state file that is damaged.
    """
    path = folder / STATE_FILE
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


@dataclass
class _Running:
    job: Job
    number: int
    process: TrainingProcess
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

    def end(self) -> None:
        """Kill it if it still runs, and close its files."""
        self.process.end()
        self.log.close()


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of an output folder; `what` is the word for what may run there once.

    Raises:
        UserError: another process holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(folder_lock(folder))
        except UserError as error:
            raise UserError(error.message.replace("another training", f"another {what}"), path=folder) from None
        yield


def train_all(jobs: Sequence[Job], together: int, watcher: Watcher, begin: Begin) -> dict[Job, str]:
    """Train what is not finished yet, `together` at a time; returns the reason for each failure.

    The first Ctrl-C (or SIGTERM) lets the trainings save, the second ends them at once. A training whose computer is
    lost continues on another one.

    Args:
        begin: starts a training, here or elsewhere.

    Raises:
        KeyboardInterrupt: after a signal.
        UserError: an earlier training is still running in one of the folders; or one cannot be started.
    """
    waiting = deque(enumerate(jobs, 1))
    tries = dict.fromkeys(jobs, 0)
    running: list[_Running] = []
    failed: dict[Job, str] = {}
    with stop_on_signal() as stop:
        try:
            while (waiting and not stop.requested) or running:
                while waiting and len(running) < together and not stop.requested:
                    number, job = waiting.popleft()
                    before = read_progress(job.folder)
                    watcher.training_begins(job, number, len(jobs), resumed=before is not None)
                    tries[job] += 1
                    running.append(_start(job, number, begin, resume=before is not None))
                time.sleep(POLL_SECONDS)
                for one in list(running):
                    if stop.requested:
                        one.process.ask_to_stop()
                    code = _code(one, watcher)
                    if code is not None:
                        running.remove(one)
                        one.end()
                        if code == LOST and tries[one.job] < TRIES and not stop.requested:
                            watcher.note(f"{one.job.title}: its computer is lost; it continues on another one")
                            waiting.appendleft((one.number, one.job))
                            continue
                        failure = _failure(one.job, code)
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


def _code(one: _Running, watcher: Watcher) -> int | None:
    code = one.process.poll()  # asked first: the log may grow until then
    line = one.newest_line()
    if line is not None:
        watcher.training_says(one.job, line)
    return code


def _start(job: Job, number: int, begin: Begin, *, resume: bool) -> _Running:
    make_folder(job.folder)
    _wait_for_orphan(job.folder)
    wanted = {**job.wanted, "output": str(job.folder), "resume" if resume else "overwrite": True}
    path = job.folder / LOG_NAME
    try:
        with path.open("ab") as log:
            already = log.tell()
        reader = path.open("rb")
        reader.seek(already)
    except OSError as error:
        raise UserError(f"the training cannot be started: {error.strerror}", path=job.folder) from None
    return _Running(job, number, begin(wanted, path), reader)


def _wait_for_orphan(folder: Path) -> None:
    """Wait until a training left behind by a killed command has saved and ended."""
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
    if code == LOST:
        return f"its computer was lost {TRIES} times; {where}"
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
