"""Numbers, times and common facts in sentences."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2  # six to the power of six values otherwise


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``: as precise as one would say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes, -1), 60)
    return f"{hours} h {rest} min" if rest and hours < 24 else f"{round(minutes / 60)} h"


def training_length(epochs: int, minutes: float | None) -> str:
    """``100 epochs``, or ``12 min`` if a time budget decides."""
    return counted(epochs, "epoch") if minutes is None else duration(60 * minutes)


def counted(number: int, what: str) -> str:
    """``1 box``, ``2 boxes``, ``1,000 pictures``: `what` is the word for one."""
    many = f"{what}es" if what.endswith(("x", "s", "sh")) else f"{what}s"
    return f"{number:,} {what if number == 1 else many}"


def shown(value: object, limit: int = 100) -> str:
    """`value` as it may stand in a message: what is in lists of lists, and text beyond `limit`, is left out."""
    text = _SHORT.repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def named(value: object) -> str:
    """A name from a file as it may stand in a message: ``'scratch'``, and what is no text or too long as in `shown`."""
    return f"'{value}'" if isinstance(value, str) and len(value) <= 60 else shown(value)


def watch_lines(reference: Mapping[str, Any] | None) -> list[str]:
    """Say what later pictures will be compared with, if anything: the reference in a calibration's record."""
    if reference is None:
        return []
    kind = "good pictures that passed" if reference["watched"] == "passed" else "pictures"
    return [f"{len(reference['edges'])} statistics of {reference['pictures']} {kind} are kept, to notice such changes"]
