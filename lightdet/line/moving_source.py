"""The process of a video file, a stream or a camera: sends frames as the parent takes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from lightdet.errors import UserError
from lightdet.inference.video import Frame, LiveStream, VideoFile
from lightdet.line.child import Port, as_child
from lightdet.line.ledger import Known
from lightdet.line.messages import FAILED, Health, Picture

MISSING = "its video is gone or has changed since it arrived, before it was judged"
_ATTEMPTS = 2
"""Tries to reconnect within the process; after them it ends, and the parent starts another."""


@dataclass(frozen=True)
class MovingJob:
    """What the process is to read.

    Attributes:
        source: its name.
        target: a video file, an address, or a camera's number.
        shown: the target without what is secret.
        rate: of a live source, the most frames per second; None: any.
        ledger: the ledger's file.
    """

    source: str
    target: Path | str | int
    shown: str
    rate: float | None
    ledger: Path


def read_frames(job: MovingJob, pipe: Connection) -> None:
    """Send frames until the parent says to stop, the video ends, or the stream does not come back."""
    as_child()
    port = Port(pipe)
    try:
        pictures = _video(job) if isinstance(job.target, Path) else _live(job)
        for picture in pictures:
            if picture is not None:
                while not port.credit and not port.stopped:
                    port.listen(0.5, Health("up"))
                if not port.stopped:
                    port.credit -= 1
                    port.send(picture)
            port.listen(0.0, Health("up"))
            if port.stopped:
                return
        port.send(Health("done"))
    except UserError as error:
        port.send(Health(FAILED if isinstance(job.target, Path) else "away", str(error)))


def _video(job: MovingJob) -> Iterator[Picture | None]:
    """The frames that are not done yet, None for one that is; first those that arrived of an earlier file."""
    assert isinstance(job.target, Path)  # noqa: S101 - for the type checker
    known = Known(job.ledger, job.source)
    facts = job.target.stat() if job.target.is_file() else None
    this = None if facts is None else f"{job.target.name}|{facts.st_size}|{facts.st_mtime_ns}|"
    yield from known.missing(lambda key: this is not None and key.startswith(this), MISSING)
    for frame in VideoFile(job.target).frames():
        key = f"{this}{frame.index}"
        yield None if known.done(key) else _picture(job, frame, key, 0)


def _live(job: MovingJob) -> Iterator[Picture | None]:
    assert not isinstance(job.target, Path)  # noqa: S101 - for the type checker
    stream = LiveStream(job.target, job.shown, attempts=_ATTEMPTS)
    before, due = -1, 0.0
    for frame in stream.frames():
        now = time.monotonic()
        if job.rate is not None and now < due:
            yield None  # not asked for
            continue
        # At a rate, the frames in between are not asked for either.
        skipped = 0 if job.rate is not None else frame.index - before - 1
        before, due = frame.index, now + 1.0 / (job.rate or np.inf)
        yield _picture(job, frame, "", max(0, skipped))


def _picture(job: MovingJob, frame: Frame, key: str, skipped: int) -> Picture:
    moment, time_ms = time.monotonic(), time.time_ns() // 1_000_000
    name = f"{job.shown}#{frame.index}"
    return Picture(key, name, moment, time_ms, image=frame.image, skipped=skipped, moment=frame.time)
