"""A monitor whose state is kept: what it knows of a model's pictures, above all a suspension, survives a restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lightdet.drift.monitor import Look, Monitor, Suspension
from lightdet.drift.reference import Reference

_SAVE_EVERY = 10.0
_TELL_EVERY = 2.0


@dataclass(frozen=True)
class Watched:
    """How a watch over a promise stands.

    Attributes:
        suspension: what has changed; None: nothing that is known.
        compared: how many pictures were compared so far.
        evidence: by statistic, how near it is to a suspension by itself: 0 is nothing, 1 is there.
    """

    suspension: Suspension | None = None
    compared: int = 0
    evidence: Mapping[str, float] = field(default_factory=dict)


class StateError(Exception):
    """A state cannot be read or kept; the text says why, for the log."""


class States(Protocol):
    """Where states are kept, plain values by the SHA-256 of the model file."""

    def read(self, sha256: str) -> Any:
        """Return what was kept; None: nothing. Raises `StateError`."""

    def keep(self, sha256: str, state: dict[str, Any], *, anew: bool = False) -> None:
        """Keep this instead of what was kept. Raises `StateError`.

        Where several may keep a model's state, one without a suspension takes the place of one with it only `anew`.
        """

    def close(self) -> None:
        """Nothing more is read or kept for now."""


class KeptMonitor:
    """Compares every picture of a model with those of its calibration; what it knows survives a restart.

    Args:
        states: where it is kept.
        sha256: of the model file, to which the state belongs.
        reference: of its calibration.
        log: gets warnings.
        about: begins each of them.
    """

    def __init__(self, states: States, sha256: str, reference: Reference, log: logging.Logger, about: str = "") -> None:
        self.sha256, self._about = sha256, about
        self._states, self._reference, self._log = states, reference, log
        self._monitor = self._restored()
        self._saved = self._told = time.monotonic()
        self._unsaved = self._anew = False
        self._problem = ""
        if self._monitor.suspension is not None:
            log.warning("%sthe promise is still suspended: %s", about, self._monitor.suspension.describe())

    @property
    def suspension(self) -> Suspension | None:
        """What has changed; None: nothing that is known."""
        return self._monitor.suspension

    def look(self, look: Look) -> Suspension | None:
        """Take a judged picture; returns the suspension if it brought one, which is saved at once."""
        found = self._monitor.see(look)
        self._unsaved = True  # a suspension as well: whoever else keeps the state of this model may have ended it there
        if found is not None:
            self._save()
        return found

    def status(self) -> Watched:
        """How it stands."""
        return Watched(self._monitor.suspension, self._monitor.compared, self._monitor.evidence())

    def due(self) -> Watched | None:
        """Save the state now and then; returns the status every few seconds."""
        now = time.monotonic()
        if self._unsaved and now - self._saved >= _SAVE_EVERY:
            self._save()
        if now - self._told < _TELL_EVERY:
            return None
        self._told = now
        return self.status()

    def begin_anew(self) -> bool:
        """Forget all pictures and the suspension; returns whether that is on record."""
        self._monitor = Monitor(self._reference)
        self._anew = True
        self._save()
        return not self._unsaved

    def close(self) -> None:
        """Save the state."""
        if self._unsaved:
            self._save()
        self._states.close()

    def _restored(self) -> Monitor:
        values: Any = None
        try:
            values = self._states.read(self.sha256)
            return Monitor(self._reference) if values is None else Monitor.restore(self._reference, values)
        except (StateError, ValueError) as error:
            text = "%sthe watch over the promise begins anew: what it knew cannot be read (%s)"
            self._log.warning(text, self._about, error)
        monitor = Monitor(self._reference)
        monitor.suspension = _still_suspended(values)
        return monitor

    def _save(self) -> None:
        self._saved = time.monotonic()
        try:
            self._states.keep(self.sha256, self._monitor.as_dict(), anew=self._anew)
            self._unsaved = self._anew = False
            self._problem = ""
        except StateError as error:
            self._unsaved, told, self._problem = True, self._problem, str(error)
            if told != self._problem:
                text = "%sthe state of the watch over the promise could not be saved: %s"
                self._log.warning(text, self._about, self._problem)


def _still_suspended(values: Any) -> Suspension | None:
    """The suspension in a state that cannot be read otherwise, as that of another version."""
    try:
        return Suspension.from_dict(values["suspension"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
