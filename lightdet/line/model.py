"""A model as the line's parent sees it: its processes, what each has in its hands, and what waits for it."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lightdet.config.line import ModelSection, SourceSection
from lightdet.drift.kept import KeptMonitor
from lightdet.errors import UserError
from lightdet.inference.watching import NOT_WATCHED
from lightdet.line.child import Child, Event, Patience
from lightdet.line.fair_queue import FairQueue
from lightdet.line.judge import JudgeJob, judge_pictures
from lightdet.line.messages import STOP, Answer, Item, Loaded, Mistake
from lightdet.line.model_file import ModelFile
from lightdet.line.watch import FileStates, Spacing
from lightdet.line.work import Served, Work
from lightdet.processors import available_processors
from lightdet.service.model_copy import ModelCopy

log = logging.getLogger("lightdet.line")

LOADING = 300.0
"""Seconds in which a model must be loaded."""
_PATIENT = 2
"""A picture over which so many processes have ended is not tried again."""


class Judging:
    """One process of a model."""

    def __init__(self, child: Child, copy: ModelCopy) -> None:
        self.child, self.copy = child, copy
        self.loaded: Loaded | None = None
        self.watch: KeptMonitor | None = None
        self.hands: list[Work] = []
        self.since = time.monotonic()

    @property
    def idle(self) -> bool:
        """Whether it can take pictures."""
        return self.loaded is not None and not self.hands

    def served(self) -> Served | None:
        """What it is as it answers now; None: it is not loaded."""
        if self.loaded is None:
            return None
        promise, found = self.loaded.promise, None if self.watch is None else self.watch.suspension
        if found is not None:
            promise = promise.suspend(found.describe(), found.moved)
        return Served(self.copy.model, self.loaded.rule, promise.as_dict(), self.loaded.zones)


class Model:
    """One model.

    Args:
        name: its name in the YAML.
        section: its part of the YAML.
        sources: those whose pictures it judges.
        folder: where copies of model files are kept.
        events: get what its processes say.
        threads: of each process, if the YAML says nothing.
        judge: what they run; a function of a module.
    """

    def __init__(
        self,
        name: str,
        section: ModelSection,
        sources: dict[str, SourceSection],
        folder: Path,
        events: queue.SimpleQueue[Event],
        threads: int,
        judge: Callable[[JudgeJob, Connection], None] = judge_pictures,
    ) -> None:
        self.name, self.section, self._judge = name, section, judge
        self._folder, self._events = folder, events
        self._threads = section.threads or threads
        self._states = FileStates(folder)
        self.queue: FairQueue[Work] = FairQueue({n: (s.share, s.queue, s.dropping) for n, s in sources.items()})
        self.file = ModelFile(name, Path(section.file), folder, verified=section.proof is not None)
        self.processes: list[Judging] = []
        self.candidate: Judging | None = None
        self.change = ""
        self._patience, self._start_at = Patience(), 0.0
        self.judged = 0
        self.batch_seconds = 0.0
        self.problem = ""
        self._singly = 0  # pictures that go alone, since a process has ended over one of them
        self._watch: KeptMonitor | None = None  # over the promise of what answers, for all its processes
        self._spacing = Spacing()

    @property
    def ready(self) -> bool:
        """Whether one of its processes can judge."""
        return any(each.loaded for each in self.processes)

    @property
    def busy(self) -> bool:
        """Whether pictures are in its hands or wait for it."""
        return bool(len(self.queue)) or any(each.hands for each in self.processes)

    @property
    def all(self) -> list[Judging]:
        """Its processes, and that of a model that may take over."""
        return [*self.processes, *([] if self.candidate is None else [self.candidate])]

    @property
    def idle(self) -> bool:
        """Whether one of its processes can take pictures."""
        return any(each.idle and each.copy is self.file.copy for each in self.processes)

    def tend(self) -> None:
        """Start the processes that are missing, and end those that take too long."""
        now = time.monotonic()
        if self._watch is not None:
            self._watch.due()
        if len(self.processes) < self.section.processes and now >= self._start_at:
            self.processes.append(self._start(self.file.copy, prove=not self.ready and not self.file.verified_before))
        if self.ready and self.candidate is None:
            self._look_for_another()
        for each in self.processes:
            if each.copy is not self.file.copy and not each.hands:
                each.child.kill()  # its successor answers
        for each in self.all:
            limit = LOADING if each.loaded is None else self.section.timeout if each.hands else float("inf")
            if now - each.since > limit:
                log.error("model %s: its process has worked for %g s and is ended", self.name, limit)
                each.since = now
                each.child.kill()

    def _start(self, copy: ModelCopy, *, prove: bool) -> Judging:
        section = self.section
        kept = section.proof if prove else None
        proof = None if kept is None else (Path(kept.folder), kept.wrong)
        job = JudgeJob(
            self.name, copy.file, section.device, self._threads, section.zones, section.no_promise, section.batch, proof
        )
        return Judging(Child(self.name, self._judge, (job,), self._events), copy)

    def feed(self) -> None:
        """Give every idle process its next pictures."""
        for each in self.processes:
            if each.idle and each.copy is self.file.copy and len(self.queue):
                assert each.loaded is not None  # noqa: S101 - for the type checker
                most = 1 if self._singly else each.loaded.batch
                self._singly = max(0, self._singly - 1)
                each.hands, each.since = self.queue.take(most), time.monotonic()
                each.child.tell([self._item(work, each) for work in each.hands])

    def hopeless(self, left: Callable[[Work], float]) -> list[tuple[Work, float]]:
        """Take out what can no longer be judged in time; returns it with the seconds that a batch takes.

        An estimate by which nothing at all could be judged is forgotten once a process is idle, and the next batch
        measures it anew: otherwise a single slow one would make every later picture late.

        Args:
            left: the seconds within which there must be a verdict.
        """
        most = max(map(left, self.queue), default=-1.0)
        if self.idle and 0.0 <= most < self.batch_seconds:
            self.batch_seconds = 0.0
        takes = self.batch_seconds
        return [(work, takes) for work in list(self.queue.remove(lambda work: left(work) < takes))]

    def _item(self, work: Work, judging: Judging) -> Item:
        picture = work.picture
        watched = judging.watch is not None and self._spacing.takes(work.source, picture.moment)
        return Item(picture.name, picture.data, picture.image, watched)

    def hear(self, judging: Judging, message: Any) -> list[tuple[Work, Answer]]:
        """Take what a process says; returns the pictures that are answered."""
        if isinstance(message, Loaded):
            judging.loaded, self.problem = message, ""
            if judging is self.candidate or judging.copy is self.file.copy:
                judging.watch = self._watch = self._watch_over(judging, message)
            if judging is self.candidate:
                self._take_over(judging)
            elif self.file.copy is judging.copy:
                self.file.accept(judging.copy)
            log.info(
                "model %s: version %s, %s, batches of %d, NG from: %s; promise: %s",
                self.name, judging.copy.model.version, ", ".join(message.names), message.batch, message.shown,
                message.promise.describe(),
            )  # fmt: skip
            if message.promise.stated and message.reference is None:
                log.warning("model %s: its promise is not watched: %s", self.name, NOT_WATCHED)
        elif isinstance(message, Mistake) and judging is self.candidate:
            self._refuse(message.message)
        elif isinstance(message, Mistake):
            self.problem = message.message
            log.error("model %s: %s", self.name, message.message)
        else:
            answered = list(zip(judging.hands, message, strict=True))
            seconds = time.monotonic() - judging.since
            self.batch_seconds = seconds if not self.batch_seconds else 0.8 * self.batch_seconds + 0.2 * seconds
            self.judged += len(answered)
            judging.hands = []
            for work, answer in answered:
                self._compare(judging, answer)
                work.served[self.name] = judging.served()
            return answered
        return []

    def _watch_over(self, judging: Judging, loaded: Loaded) -> KeptMonitor | None:
        """The watch over the promise of a model that answers from now on, or continues to."""
        sha256 = judging.copy.model.sha256
        if self._watch is not None and self._watch.sha256 == sha256:
            return self._watch
        if self._watch is not None:
            self._watch.close()
        if loaded.reference is None:
            return None
        return KeptMonitor(self._states, sha256, loaded.reference, log, f"model {self.name}: ")

    def _compare(self, judging: Judging, answer: Answer) -> None:
        """Take a judged picture into the watch; from the one on that changes its mind, results say so."""
        if answer.look is None or judging.watch is None:
            return
        found = judging.watch.look(answer.look)
        if found is not None:
            text = "calibrate the model with pictures as they are now"
            log.warning("model %s: the promise is suspended: %s; %s", self.name, found.describe(), text)

    def ended(self, judging: Judging) -> list[tuple[Work, Answer]]:
        """A process has ended: what was in its hands is tried again, one by one; returns what is given up."""
        code = judging.child.bury()
        if judging is self.candidate:
            self._refuse(f"its process ended (exit code {code})")
            return []
        if judging not in self.processes:
            return []
        self.processes.remove(judging)
        if judging.copy is not self.file.copy and not judging.hands:  # its successor answers
            return []
        self._start_at = time.monotonic() + self._patience.wait(time.monotonic() - judging.child.began)
        self.problem = self.problem or f"its process ended (exit code {code}) and is started again"
        given_up = []
        for work in reversed(judging.hands):
            work.deaths[self.name] = work.deaths.get(self.name, 0) + 1
            if work.deaths[self.name] >= _PATIENT and len(judging.hands) == 1:
                reason = f"the process that judged it ended {work.deaths[self.name]} times (exit code {code})"
                given_up.append((work, Answer("none", "model", reason)))
            else:
                self.queue.put_back(work.source, work)
                self._singly += 1
        return given_up

    # --- another content of the model file ------------------------------------------------------------------------

    def _look_for_another(self) -> None:
        try:
            copy = self.file.other()
        except UserError as error:
            self._refuse(str(error))
            return
        if copy is not None:
            log.info("model %s: version %s is tried", self.name, copy.model.version)
            self.change = f"version {copy.model.version} is tried"
            self.candidate = self._start(copy, prove=True)

    def _take_over(self, new: Judging) -> None:
        """Give the old ones nothing more; they end when their hands are empty."""
        log.info("model %s: version %s takes over from %s", self.name, new.copy.model.version, self.version)
        self.change, self.candidate = f"version {new.copy.model.version} has taken over from {self.version}", None
        self.processes.append(new)
        self.file.accept(new.copy)

    def _refuse(self, why: str) -> None:
        candidate, self.candidate = self.candidate, None
        if candidate is not None:
            candidate.child.kill()
        change = f"the new file is not taken, version {self.version} continues: {why}"
        if change != self.change:  # what cannot be copied is tried again and again
            log.error("model %s: %s", self.name, change)
        self.change = change

    @property
    def version(self) -> str:
        """The first digits of the SHA-256 of what answers."""
        return self.file.copy.model.version

    def stop(self) -> None:
        """End the processes: one that has nothing in its hands at once, which some runtimes take seconds for."""
        for each in self.all:
            if each.hands:
                each.child.tell(STOP)
            else:
                each.child.kill()
        if self._watch is not None:
            self._watch.close()

    def status(self) -> dict[str, Any]:
        """Plain values for ``status.json``."""
        judging = next((each for each in reversed(self.processes) if each.loaded), None)
        loaded, served = (None, None) if judging is None else (judging.loaded, judging.served())
        watched = None if self._watch is None else self._watch.status()
        return {
            "state": "up" if self.ready else "away" if self.problem else "starting",
            "reason": self.problem if not self.ready else "",
            "version": self.version,
            "sha256": self.file.copy.model.sha256,
            "change": self.change,
            "restarts": self._patience.deaths,
            "batch": None if loaded is None else loaded.batch,
            "judged": self.judged,
            "waiting": len(self.queue),
            "batch_seconds": round(self.batch_seconds, 4),
            "promise": None if served is None else served.promise,
            "watch": None if watched is None else {"compared": watched.compared, "evidence": dict(watched.evidence)},
        }


def threads_for(processes: int) -> int:
    """Return how many threads each of so many processes gets of this computer's processors."""
    return max(1, available_processors() // processes)
