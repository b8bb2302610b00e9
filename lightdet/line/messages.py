"""What the processes of a line say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lightdet.arrays import Image
from lightdet.decisions.promise import Promise
from lightdet.drift.monitor import Look
from lightdet.drift.reference import Reference

STOP = "stop"
"""To a child: finish what has begun, and end."""
FAILED = "failed"
"""The state of a source of which nothing more will come, although not all of it came."""


@dataclass(frozen=True)
class Ended:
    """That a child's end of the pipe is closed."""


@dataclass(frozen=True, eq=False)
class Picture:
    """From a source: a picture.

    Attributes:
        key: names it among the pictures of its source, the same after a restart; "": it cannot be had again.
        name: for people.
        arrived: when, in seconds of `time.monotonic`.
        time_ms: when, in milliseconds since 1970 UTC.
        data: the bytes of its file; None for a frame, or if there is a problem.
        image: a frame, uint8 RGB ``[H, W, 3]``.
        sha256: of `data`.
        skipped: frames that the source passed over since the last one it gave.
        problem: why it cannot be judged; "": it can.
        moment: of a frame, seconds since the video's or stream's beginning; None: it is a picture of its own.
    """

    key: str
    name: str
    arrived: float
    time_ms: int
    data: bytes | None = field(default=None, repr=False)
    image: Image | None = field(default=None, repr=False)
    sha256: str = ""
    skipped: int = 0
    problem: str = ""
    moment: float | None = None


@dataclass(frozen=True)
class Health:
    """From a source: whether it can be read (``up``, ``away``, ``done``, or `FAILED`), and why not."""

    state: str
    reason: str = ""


@dataclass(frozen=True)
class Loaded:
    """From a judge: the model is loaded and has looked at a picture.

    Attributes:
        batch: pictures that it wants at a time.
        names: the class names.
        rule: plain values.
        promise: what its verdicts promise while the pictures are those of the calibration.
        shown: the rule, in words.
        reference: what the promise is watched with; None: it is not.
        zones: digest of the zones in which it looks; "": there are none.
    """

    batch: int
    names: tuple[str, ...]
    rule: dict[str, Any]
    promise: Promise
    shown: str
    reference: Reference | None = None
    zones: str = ""


@dataclass(frozen=True)
class Mistake:
    """From a judge: why the model cannot be used, in one line."""

    message: str


@dataclass(frozen=True, eq=False)
class Item:
    """To a judge, in a list: a picture; `watched`: it is to be compared with those of the calibration."""

    name: str
    data: bytes | None = field(default=None, repr=False)
    image: Image | None = field(default=None, repr=False)
    watched: bool = False


@dataclass(frozen=True)
class Answer:
    """From a judge, in a list: what it says of a picture.

    Attributes:
        verdict: ``OK``, ``NG``, or ``none``: there is none.
        cause, reason: why there is none: a word (`lightdet.line.work.CAUSES`), and in words.
        size: ``(width, height)``; (0, 0) if it is not known.
        findings: as in `lightdet.service.inspection.Inspection`.
        milliseconds: by stage.
        look: for the watch over the promise, if it was asked for.
    """

    verdict: str
    cause: str = ""
    reason: str = ""
    size: tuple[int, int] = (0, 0)
    findings: tuple[dict[str, Any], ...] = ()
    milliseconds: dict[str, float] = field(default_factory=dict)
    look: Look | None = field(default=None, repr=False)
