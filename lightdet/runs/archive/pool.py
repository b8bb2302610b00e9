"""Batches spread over processes of this computer: one that dies costs its batch, which is done again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from lightdet.errors import UserError
from lightdet.runs.archive.batches import Batch, Batches, DeadError

Start = Callable[[], Callable[[Sequence[Any]], Any]]
"""Called once in each process: returns the function that a batch goes through. Both must be importable by name."""


@dataclass(eq=False)
class _Worker:
    process: Any
    pipe: Connection
    ready: bool = False
    batch: Batch | None = None


def spread(
    start: Start, batches: Iterable[Sequence[Any]], processes: int
) -> Iterator[tuple[Sequence[Any], Any | DeadError]]:
    """Yield (batch, result) as they are done; each job is in exactly one of them, whatever dies.

    A batch on which a process died is done again, the jobs one by one. No more than one batch per process is held.

    Args:
        start: see `Start`.
        batches: taken one at a time, when a process is free.
        processes: how many.

    Raises:
        UserError: raised by a process; or none of them ever gets ready.
    """
    pool = _Pool(start, Batches(iter(batches)), processes)
    try:
        yield from pool.run()
    finally:
        pool.stop()


class _Pool:
    def __init__(self, start: Start, batches: Batches, processes: int) -> None:
        self._start = start
        self._batches = batches
        self._context = get_context("spawn")
        self._workers = [self._worker() for _ in range(processes)]

    def _worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._start), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def run(self) -> Iterator[tuple[Sequence[Any], Any]]:
        while True:
            for worker in self._workers:
                if worker.ready and worker.batch is None and (batch := self._batches.next()) is not None:
                    worker.batch = batch
                    with suppress(OSError):  # it died; that is heard next
                        worker.pipe.send(batch.jobs)
            if self._batches.empty and not any(worker.batch for worker in self._workers):
                return
            heard = set(wait([worker.pipe for worker in self._workers]))
            for worker in [each for each in self._workers if each.pipe in heard]:
                yield from self._hear(worker)

    def _hear(self, worker: _Worker) -> Iterator[tuple[Sequence[Any], Any]]:
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._buried(worker)
            return
        if kind == "wrong":
            raise UserError(value)
        if kind == "ready":
            worker.ready = True
            self._batches.ready()
            return
        batch, worker.batch = worker.batch, None
        assert batch is not None  # noqa: S101 - only a process with a batch answers
        yield batch.jobs, value

    def _buried(self, worker: _Worker) -> Iterator[tuple[Sequence[Any], Any]]:
        """A process has died: another takes its place, and its batch is done again."""
        worker.process.join()
        worker.pipe.close()
        yield from self._batches.died(worker.batch, f"exit code {worker.process.exitcode}")
        self._workers[self._workers.index(worker)] = self._worker()

    def stop(self) -> None:
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()


def _work(pipe: Connection, start: Start) -> None:
    """A process: batches from the pipe, results into it, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver ends it
    try:
        function = start()
        pipe.send(("ready", None))
        while True:
            pipe.send(("done", function(pipe.recv())))
    except UserError as error:
        pipe.send(("wrong", str(error)))
    except (EOFError, OSError):  # the driver is gone
        return
