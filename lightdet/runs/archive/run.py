"""``lightdet archive run``: what is not in the output yet is judged and written, until all is there."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from lightdet.data.images import MAX_BYTES
from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.inference.source import Source
from lightdet.inference.sources import Sources, expand_sources
from lightdet.options.archive import ArchiveOptions
from lightdet.processors import available_processors
from lightdet.runs.archive.batches import DeadError
from lightdet.runs.archive.begun import Begun
from lightdet.runs.archive.judging import Job, judging, judging_copies
from lightdet.runs.archive.model_content import kept, read_model
from lightdet.runs.archive.pool import spread
from lightdet.runs.archive.ray_pool import on_ray
from lightdet.runs.archive.summary import keep_run, write_summary
from lightdet.runs.archive.table import Finished, partition_of, schema, write_rows
from lightdet.runs.trainings import locked
from lightdet.storage.stored_file import StoredFile

ROWS = 5000
"""Rows that are held until they are written, and lost if this process is killed: they are computed again."""
SECONDS = 60.0
"""The same in time."""
READ_AHEAD = 16
"""Stored pictures that are fetched at the same time."""

Held = Callable[[], AbstractContextManager[Any]]


@dataclass
class Done:
    """What a run did.

    Attributes:
        folder: the output.
        pictures: rows written by this run, one per picture and model.
        earlier: pictures that were in the output already, for all models.
        decisions: rows by OK and NG.
        failed: rows with a reason.
        seconds: of the work.
        passed_over: files that are no pictures, or videos.
        summary: the summary page.
    """

    folder: Path
    pictures: int = 0
    earlier: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    seconds: float = 0.0
    passed_over: int = 0
    summary: Path | None = None

    def count(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows."""
        self.pictures += len(rows)
        self.failed += sum(1 for row in rows if row.get("reason"))
        self.decisions.update(row["decision"] for row in rows if row.get("decision"))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "output": str(self.folder),
            "pictures": self.pictures,
            "earlier": self.earlier,
            "decisions": dict(self.decisions),
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "passed_over": self.passed_over,
            "summary": None if self.summary is None else str(self.summary),
        }


class ArchiveRun:
    """One request: creation checks sources, output and model; `run` does the work.

    Raises:
        UserError: pyarrow is missing, a source or the model is not there.
    """

    def __init__(self, options: ArchiveOptions) -> None:
        self.options = options
        schema()
        self.folder = make_folder(Path(options.output))
        weights = [Path(each) for each in options.weights]
        contents = [read_model(each) for each in weights]
        self._contents = {each.sha256: each for each in contents}
        self.models = {digest: each.path for digest, each in self._contents.items()}
        """By SHA-256: the same file twice is one model."""
        self.sources: Sources = expand_sources(options.sources, recursive=options.recursive, stored=True, held=False)
        self.done = Done(self.folder)

    def run(self, step: Callable[[int], None], held: Held = nullcontext) -> Done:
        """Judge what is left. After Ctrl-C, what was judged until then is written.

        Args:
            step: hears of pictures that are done.
            held: a block in which nothing is interrupted: there files are written.

        Raises:
            KeyboardInterrupt: it was broken off.
            UserError: another run writes there, what is there cannot be read, a picture's name may be another one's in
                this output, the model cannot be loaded, a listing breaks off, nothing can be written.
        """
        with locked(self.folder, "run"):
            self.finished, self.begun = Finished(self.folder), Begun(self.folder)
            for text in self.options.sources:
                self.begun.check_address(str(text))
            return self._run(step, held)

    def _run(self, step: Callable[[int], None], held: Held) -> Done:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        begun, written = time.monotonic(), time.monotonic()
        rows: list[dict[str, Any]] = []
        try:
            batches = self._batches(step)
            first = list(islice(batches, 1))  # no process loads the model for nothing
            for jobs, result in self._spread(chain(first, batches)) if first else ():
                rows += self._lost(jobs, result) if isinstance(result, DeadError) else self._whole(jobs, result)
                step(len(jobs))
                if len(rows) >= ROWS or time.monotonic() - written > SECONDS:
                    with held():
                        self._write(rows)
                    written = time.monotonic()
        finally:
            with held():
                self._write(rows)
                self.done.seconds = time.monotonic() - begun
                self.done.passed_over += self.sources.passed_over
                if self.done.pictures:
                    facts = {"started": started, "engine": self.options.engine, "processes": self._processes() or "all"}
                    keep_run(self.folder, {**facts, **self.done.as_dict()})
        if self.options.summary and (self.done.pictures or self.done.earlier):
            self.done.summary = write_summary(self.folder)
        return self.done

    def _write(self, rows: list[dict[str, Any]]) -> None:
        taken, rows[:] = list(rows), []
        if taken:
            self.begun.save()
            write_rows(self.folder, taken)
            self.done.count(taken)

    def _lost(self, jobs: Sequence[Job], error: DeadError) -> list[dict[str, Any]]:
        """The rows of pictures on which processes died."""
        names = [(job, digest) for job in jobs for digest in job.models]
        return [
            {
                "source": job.source,
                "partition": job.partition,
                "model": self.models[digest].name,
                "model_sha256": digest,
                "reason": str(error),
            }
            for job, digest in names
        ]

    def _whole(self, jobs: Sequence[Job], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows, if there is one for each picture file and each model that was to judge it."""
        there = {(row["source"], row["model_sha256"]) for row in rows}
        for job in jobs:
            for digest in job.models:
                if (job.source, digest) not in there:
                    name = self.models[digest].name
                    raise UserError(f"has no result of {name}, and no reason; start the run again", path=job.source)
        return rows

    def _processes(self) -> int | None:
        """How many; None: as many as the cluster has processors."""
        here = available_processors() if self.options.engine == "processes" else None
        return self.options.processes or here

    def _spread(self, batches: Iterator[list[Job]]) -> Iterator[tuple[Sequence[Job], Any]]:
        """What the engine does: batches in, batches with their rows out."""
        options = self.options
        values = {"device": options.device, "confidence": options.confidence, "no_promise": options.no_promise}
        models = list(self._contents.values())
        if options.engine == "ray":
            start = partial(judging_copies, models, {**values, "threads": options.threads or 1})
            yield from on_ray(start, batches, options.processes, options.address, gpu=options.device.startswith("cuda"))
            return
        processes = self._processes() or 1
        threads = options.threads or max(1, available_processors() // processes)
        with kept(models) as copies:
            yield from spread(partial(judging, copies, {**values, "threads": threads}), batches, processes)

    def _batches(self, step: Callable[[int], None]) -> Iterator[list[Job]]:
        batch: list[Job] = []
        for job in self._jobs(step):
            batch.append(job)
            if len(batch) >= self.options.batch:
                yield batch
                batch = []
        if batch:
            yield batch

    def _jobs(self, step: Callable[[int], None]) -> Iterator[Job]:
        """Yield what is left to do; stored pictures are fetched ahead."""
        waiting: deque[Future[Job]] = deque()
        pool = ThreadPoolExecutor(READ_AHEAD)
        try:
            for source in self.sources:
                if source.kind != "picture":
                    self.done.passed_over += 1
                    continue
                self.begun.check(source)
                if left := tuple(each for each in self.models if not self.finished.has(source.name, each)):
                    waiting.append(pool.submit(self._job, source, left))
                else:
                    self.done.earlier += 1
                    step(1)
                if len(waiting) >= READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C, nobody waits for what is being fetched

    def _job(self, source: Source, models: tuple[str, ...]) -> Job:
        local = source.target if isinstance(source.target, Path) else None
        place = source.stem.as_posix()
        partition = partition_of(source.name, place, self.options.partition, local)
        if not isinstance(source.target, StoredFile):
            path = Path(str(source.target)).absolute()  # another process may be in another folder
            return Job(source.name, path, partition, models=models)
        if self.options.engine == "ray" and source.target.url is not None:
            return Job(source.name, source.target.url, partition, models=models)
        try:
            return Job(source.name, source.target.read(MAX_BYTES), partition, models=models)
        except UserError as error:
            return Job(source.name, b"", partition, error.message, models)
