"""A picture on its way through the line, and the result that every sink gets of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightdet import __version__
from lightdet.line.messages import Answer, Picture
from lightdet.service.inspection import ModelIdentity, iso_time

CAUSES = {
    "unreadable": "the picture cannot be read",
    "model": "the model failed, or its process ended twice over this picture",
    "dropped": "the queue was full",
    "late": "it took longer than the source's latency",
    "gone": "its file is gone or has changed, or the line ended, before it was judged",
}
"""Why a picture has no verdict."""


@dataclass(frozen=True)
class Served:
    """A model as it answers now, plain values for results; `zones` is their digest, "" without any."""

    identity: ModelIdentity
    rule: dict[str, Any]
    promise: dict[str, Any]
    zones: str = ""


@dataclass(eq=False)
class Work:
    """A picture that has arrived and is not done.

    Attributes:
        id: its id.
        source: its source's name.
        picture: what arrived.
        answers: what each model said so far.
        served: which model said so.
        wanted: the models that are to answer.
        deaths: how many processes have ended over it, by model.
    """

    id: str
    source: str
    picture: Picture
    wanted: tuple[str, ...]
    answers: dict[str, Answer] = field(default_factory=dict)
    served: dict[str, Served | None] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all have answered."""
        return len(self.answers) == len(self.wanted)


def verdict_of(answers: Mapping[str, Answer]) -> str:
    """Return the verdict on a picture that several models judged: NG if one says so, OK only if all do."""
    verdicts = {answer.verdict for answer in answers.values()}
    if "NG" in verdicts:
        return "NG"
    return "OK" if verdicts == {"OK"} else "none"


def result_of(work: Work, seconds: float, latency: float | None) -> dict[str, Any]:
    """Return what the sinks get: plain values.

    Args:
        work: a picture with all its answers.
        seconds: since it arrived.
        latency: the most it may take; None: any time. A verdict that comes later is none.
    """
    answers = dict(work.answers)
    if latency is not None and seconds > latency:
        late = f"{seconds:.3f} s from arrival to verdict, and {latency:g} s are allowed"
        for name, answer in answers.items():
            if answer.verdict != "none":
                answers[name] = Answer("none", "late", late, answer.size, (), answer.milliseconds)
    without = next((answer for answer in answers.values() if answer.verdict == "none"), None)
    sizes = [answer.size for answer in answers.values() if answer.size != (0, 0)]
    width, height = sizes[0] if sizes else (0, 0)
    picture = work.picture
    return {
        "id": work.id,
        "time": iso_time(picture.time_ms),
        "time_ms": picture.time_ms,
        "source": work.source,
        "picture": picture.name,
        "verdict": verdict_of(answers),
        "cause": "" if without is None else without.cause,
        "reason": "" if without is None else without.reason,
        "width": width,
        "height": height,
        "bytes": len(picture.data or b""),
        "sha256": picture.sha256,
        "skipped": picture.skipped,
        "seconds": round(seconds, 4),
        "models": {name: _of_model(answer, work.served.get(name)) for name, answer in answers.items()},
        "software": __version__,
    }


def _of_model(answer: Answer, served: Served | None) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if served is not None:
        identity = served.identity
        known = {"model": identity.name, "version": identity.version, "sha256": identity.sha256}
        known |= {"rule": served.rule, "promise": served.promise, "zones": served.zones or None}
    return {
        "verdict": answer.verdict,
        "cause": answer.cause,
        "reason": answer.reason,
        "findings": list(answer.findings),
        "milliseconds": answer.milliseconds,
        **known,
    }
