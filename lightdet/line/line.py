"""The line: pictures from the sources, to the models, and their results to the sinks, until it is told to end.

One thread of this process decides everything, by what the children say. It decodes no picture and runs no network, so
whatever crashes or hangs there is in a child, which is replaced.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from lightdet.config.line import LineSection
from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.line.child import Event
from lightdet.line.folder_source import Gone
from lightdet.line.judge import JudgeJob, judge_pictures
from lightdet.line.ledger import Finished, Ledger
from lightdet.line.messages import FAILED, Answer, Ended, Health, Mistake, Picture
from lightdet.line.model import Model, threads_for
from lightdet.line.sinks.make import make_sink
from lightdet.line.sinks.sink import Feeder
from lightdet.line.source import Source, target_of
from lightdet.line.status import line_status, write_status
from lightdet.line.work import Work, result_of
from lightdet.lock_file import lock_file

log = logging.getLogger("lightdet.line")

_TICK = 0.05
_REPORT = 1.0
_ENDING = 60.0
"""Seconds for what has begun, after SIGTERM; what is left then is judged or told after the next start."""
_LAST_WORDS = 10.0
"""Seconds for the sinks to take what waits, at the end."""


class Line:
    """A line.

    Args:
        section: its YAML.
        once: end when the folders and videos are judged as they are now, and the sinks have all results.
        judge: what a model's processes run; a function of a module.

    Raises:
        UserError: a model file cannot be read, a sink cannot be used, or another line has this state folder.
    """

    def __init__(
        self,
        section: LineSection,
        *,
        once: bool = False,
        judge: Callable[[JudgeJob, Connection], None] = judge_pictures,
    ) -> None:
        if once and (live := [name for name, source in section.sources.items() if source.live]):
            raise UserError(f"--once needs an end, and {live[0]} is a stream or a camera; leave it out")
        self._section, self._once, self._judge = section, once, judge
        self._state = make_folder(section.state)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._works: dict[str, Work] = {}
        self._finished: list[Finished] = []
        self._problem = ""
        self._asked = False  # to end

    def run(self) -> dict[str, Any]:
        """Run until SIGTERM or SIGINT, or until every source has come to its end; returns the last `status`.

        Raises:
            UserError: a model cannot be loaded at the start, or see the class.
        """
        taken = "another line is running with this state folder; give each line a 'state' of its own"
        lock = self._state / "line.lock"
        with lock_file(lock, str(os.getpid()), lambda _: UserError(taken, path=self._state)), self._signals():
            self._open()
            try:
                self._start()
                self._work()
            finally:
                last = self._close()
            return last

    # --- start and end ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        section, file = self._section, self._state / "line.sqlite3"
        for source in section.sources.values():
            target_of(source) if source.folder is None else None
        self._ledger = Ledger(file, {name: sink.spool for name, sink in section.sinks.items()})
        for name, count in self._ledger.unknown_sinks().items():
            log.warning("%d results wait for the sink %s, which is not in this YAML", count, name)
        sinks = {name: make_sink(sink) for name, sink in section.sinks.items()}
        self._feeders = {n: Feeder(n, s, file, self._state / f"refused-{n}.jsonl") for n, s in sinks.items()}
        threads = threads_for(sum(model.processes for model in section.models.values()))
        copies = make_folder(self._state / "models")
        self._models = {
            name: Model(
                name,
                model,
                {n: s for n, s in section.sources.items() if name in section.models_of(n)},
                make_folder(copies / name),
                self._events,
                threads,
                self._judge,
            )
            for name, model in section.models.items()
        }
        self._sources = {
            name: Source(name, source, section.models_of(name), file, self._events, self._once)
            for name, source in section.sources.items()
        }

    def _start(self) -> None:
        """Load the models; only then do pictures come."""
        for model in self._models.values():
            model.tend()
        while not all(model.ready for model in self._models.values()) and not self._stopping.is_set():
            self._hear(starting=True)
            for model in self._models.values():
                model.tend()
        self._tell_left_behind()
        log.info("line %s is ready: %d sources, %d models, %d sinks", self._state, *self._numbers())

    def _numbers(self) -> tuple[int, int, int]:
        return len(self._sources), len(self._models), len(self._feeders)

    def _tell_left_behind(self) -> None:
        """What arrived before the last end and cannot be had again gets its result now: there is no verdict."""
        for name, source in self._sources.items():
            for _, identity, shown, time_ms in self._ledger.left_behind(name) if source.section.live else ():
                picture = Picture("", shown, time.monotonic(), time_ms)
                work = Work(identity, name, picture, source.models)
                for model in source.models:
                    work.answers[model] = Answer("none", "gone", "the line ended before it was judged")
                self._finish(work)

    def _work(self) -> None:
        report_at = 0.0
        while not self._over():
            self._hear()
            now = time.monotonic()
            for source in self._sources.values():
                if not self._asked:
                    source.tend()
            for model in self._models.values():
                self._expire(model, now)
                model.tend()
                model.feed()
            self._write()
            if now >= report_at:
                report_at = now + _REPORT
                self._report("up")

    def _over(self) -> bool:
        if self._stopping.is_set() and not self._asked:
            self._asked, self._end_by = True, time.monotonic() + _ENDING
            log.info("ending: %d pictures have begun", len(self._works))
            for source in self._sources.values():
                source.stop()
        if self._asked and time.monotonic() > self._end_by:
            return True
        if not all(source.done and source.child is None for source in self._sources.values()):
            return False
        return not self._works and not self._finished and (self._asked or self._all_delivered())

    def _all_delivered(self) -> bool:
        return not any(self._ledger.waiting(name, feeder.delivered) for name, feeder in self._feeders.items())

    def _close(self) -> dict[str, Any]:
        for source in self._sources.values():
            source.stop()
        for model in self._models.values():
            model.stop()
        end = time.monotonic() + _LAST_WORDS
        for feeder in self._feeders.values():
            feeder.close(max(0.1, end - time.monotonic()))
        children = [source.child for source in self._sources.values() if source.child is not None]
        for child in children + [each.child for model in self._models.values() for each in model.processes]:
            child.process.join(max(0.1, end - time.monotonic()))
            child.kill()
        last = self._report("ended")
        self._ledger.close()
        if self._works:
            log.warning("%d pictures had begun and are not judged; the next start takes them up", len(self._works))
        log.info("ended")
        return last

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {
            kind: signal.signal(kind, lambda *_: self._stopping.set()) for kind in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    # --- what the children say ----------------------------------------------------------------------------------

    def _hear(self, *, starting: bool = False) -> None:
        """Wait a moment for a message, and take all that are there."""
        wait = _TICK
        while True:
            try:
                child, message = self._events.get(timeout=wait)
            except queue.Empty:
                return
            wait = 0.0
            known = False
            for source in self._sources.values():
                if source.child is child:
                    known = True
                    self._of_source(source, message)
            for model in self._models.values():
                for judging in [each for each in model.all if each.child is child]:
                    known = True
                    if starting and isinstance(message, Mistake) and judging is not model.candidate:
                        raise UserError(message.message)
                    told = model.ended(judging) if isinstance(message, Ended) else model.hear(judging, message)
                    for work, answer in told:
                        self._answer(work, model.name, answer)
            if not known and isinstance(message, Ended):
                child.bury()

    def _of_source(self, source: Source, message: Any) -> None:
        if isinstance(message, Picture):
            self._arrive(source, message)
        elif isinstance(message, Health):
            if message != source.health and not self._asked:
                known = source.health.state
                source.health = message
                if message.reason or known == "away":
                    why = f": {message.reason}" if message.reason else " again"
                    level, be = (logging.ERROR, "has") if message.state == FAILED else (logging.WARNING, "is")
                    log.log(level, "source %s %s %s%s", source.name, be, message.state, why)
        elif isinstance(message, Gone):
            self._ledger.forget(source.name, message.keys)
        elif isinstance(message, Ended):
            source.ended()
            if source.health.state == "away":
                log.error("source %s: %s", source.name, source.health.reason)

    def _arrive(self, source: Source, picture: Picture) -> None:
        identity, done = self._ledger.arrive(source.name, picture.key, picture.name, picture.time_ms)
        if done or identity in self._works or any(each.id == identity for each in self._finished):
            source.owed += 1
            return
        source.counts["arrived"] += 1
        source.counts["skipped"] += picture.skipped
        source.unfinished += 1
        work = self._works[identity] = Work(identity, source.name, picture, source.models)
        for name in source.models:
            if picture.problem:
                cause = "unreadable" if picture.problem.startswith("cannot") else "gone"
                self._answer(work, name, Answer("none", cause, picture.problem))
                continue
            dropped = self._models[name].queue.add(source.name, work)
            if dropped is not None:
                places = source.section.queue
                self._answer(dropped, name, Answer("none", "dropped", f"{places} pictures were waiting already"))
        source.owed += source.section.dropping != "none"

    def _expire(self, model: Model, now: float) -> None:
        """Give up what can no longer be judged in time."""

        def left(work: Work) -> float:
            limit = self._sources[work.source].section.latency
            return float("inf") if limit is None else limit - (now - work.picture.arrived)

        for work, takes in model.hopeless(left):
            waited, limit = now - work.picture.arrived, self._sources[work.source].section.latency
            estimate = f", the model takes about {takes:.3f} s" if takes else ""
            reason = f"it had waited for {waited:.3f} s{estimate}, and {limit:g} s are allowed from arrival to verdict"
            self._answer(work, model.name, Answer("none", "late", reason))

    def _answer(self, work: Work, model: str, answer: Answer) -> None:
        if model in work.answers:
            return
        work.answers[model] = answer
        if work.complete:
            self._finish(work)

    def _finish(self, work: Work) -> None:
        source = self._sources[work.source]
        seconds = time.monotonic() - work.picture.arrived
        body = result_of(work, seconds, source.section.latency)
        picture = work.picture
        self._finished.append(Finished(work.source, picture.key, work.id, picture.name, picture.time_ms, body))
        source.counts[body["verdict"]] += 1
        if body["verdict"] == "none":
            source.causes[body["cause"]] += 1
        source.seconds.append(seconds)
        if self._works.pop(work.id, None) is not None:
            source.unfinished -= 1
            source.owed += source.section.dropping == "none"

    # --- what lasts -----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Make it last, and only then let more pictures come: a full disk stops the line, and costs nothing."""
        try:
            self._ledger.write(self._finished, {name: feeder.delivered for name, feeder in self._feeders.items()})
        except sqlite3.Error as error:
            if not self._problem:
                log.error("%s cannot be written (%s); tried again until it can", self._state, error)
            self._problem = f"{self._state} cannot be written: {error}"
            time.sleep(1.0)
            return
        self._problem = ""
        for source in self._sources.values():
            source.pay()
        if self._finished:
            self._finished = []
            for feeder in self._feeders.values():
                feeder.wake()

    def _report(self, state: str) -> dict[str, Any]:
        values = self.status(state)
        try:
            write_status(self._state, values)
        except UserError as error:
            if not self._problem:  # a full disk is told already
                log.warning("%s", error)
        return values

    def status(self, state: str) -> dict[str, Any]:
        """Return how everything is, plain values."""
        return line_status(state, self._problem, self._sources, self._models, self._feeders, self._ledger)
