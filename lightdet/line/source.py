"""A source as the line's parent sees it: its process, its credit, its health and its counts."""

from __future__ import annotations

import queue
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from lightdet.addresses import split_address
from lightdet.config.line import SourceSection
from lightdet.errors import UserError
from lightdet.line.child import Child, Event, Patience
from lightdet.line.folder_source import FolderJob, watch
from lightdet.line.messages import FAILED, STOP, Health
from lightdet.line.moving_source import MovingJob, read_frames

SILENCE = 60.0
"""Seconds without a word or a picture after which a source's process is ended, and another started."""
_REMEMBERED = 2000


class Source:
    """One source.

    Args:
        name: its name.
        section: its part of the YAML.
        models: those that judge its pictures.
        ledger: the ledger's file.
        events: get what its process says.
        once: a folder is done when what is there now is judged.
    """

    def __init__(
        self,
        name: str,
        section: SourceSection,
        models: tuple[str, ...],
        ledger: Path,
        events: queue.SimpleQueue[Event],
        once: bool,
    ) -> None:
        self.name, self.section, self.models = name, section, models
        self._ledger, self._events, self._once = ledger, events, once
        self.child: Child | None = None
        self.health = Health("starting")
        self.unfinished = 0
        self.owed = 0  # pictures that may come once all so far is written
        self._patience = Patience()
        self._start_at = 0.0
        self.counts: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.seconds: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def restarts(self) -> int:
        """How often its process ended unasked."""
        return self._patience.deaths

    @property
    def done(self) -> bool:
        """Whether nothing more will come from it."""
        return self.health.state in ("done", FAILED)

    def tend(self) -> None:
        """Start its process if it is time, or end one that is silent."""
        now = time.monotonic()
        if self.child is None:
            if not self.done and now >= self._start_at:
                target, job = self._job()
                self.child = Child(self.name, target, (job,), self._events)
                self.owed = 0
                waits = self.section.dropping == "none"
                self.child.tell(max(0, self.section.queue - self.unfinished) if waits else self.section.queue)
        elif now - self.child.heard > SILENCE:
            self.health = Health("away", f"no word from it for {SILENCE:g} s; its process is started again")
            self.child.heard = now
            self.child.kill()

    def ended(self) -> None:
        """Its process has ended."""
        if self.child is None:
            return
        code = self.child.bury()
        if not self.done:
            self._start_at = time.monotonic() + self._patience.wait(time.monotonic() - self.child.began)
            if self.health.state != "away":
                self.health = Health("away", f"its process ended (exit code {code}) and is started again")
        self.child = None

    def stop(self) -> None:
        """Take no more pictures."""
        if self.child is not None:
            self.child.tell(STOP)
        self.health = self.health if self.done else Health("done")
        self._start_at = float("inf")

    def pay(self) -> None:
        """Let as many pictures come as there is room for again."""
        if self.child is not None and self.owed:
            self.child.tell(self.owed)
        self.owed = 0

    def status(self) -> dict[str, Any]:
        """Plain values for ``status.json``."""
        times = sorted(self.seconds)
        return {
            "state": self.health.state,
            "reason": self.health.reason,
            "restarts": self.restarts,
            **{name: self.counts[name] for name in ("arrived", "OK", "NG", "none", "skipped")},
            "causes": dict(self.causes),
            "unfinished": self.unfinished,
            "seconds": {f"p{q}": round(times[min(len(times) - 1, len(times) * q // 100)], 4) for q in (50, 99)}
            if times
            else {},
        }

    def _job(self) -> tuple[Any, Any]:
        section = self.section
        if section.folder is not None:
            folder = Path(section.folder)
            job = FolderJob(self.name, folder, section.recursive, section.settle, self._once, self._ledger)
            return watch, job
        target, shown = target_of(section)
        return read_frames, MovingJob(self.name, target, shown, section.rate, self._ledger)


def target_of(section: SourceSection) -> tuple[Path | str | int, str]:
    """Return what is opened for a video, stream or camera, and what may be shown of it.

    Raises:
        UserError: an address that cannot be split, without quoting it.
    """
    if section.video is not None:
        return Path(section.video), section.video
    if section.camera is not None:
        return section.camera, f"camera {section.camera}"
    try:
        return str(section.stream), str(split_address(str(section.stream)))
    except ValueError as error:
        raise UserError(str(error)) from None
