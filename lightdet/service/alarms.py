"""When to raise an alarm: too many bad parts, bad parts in a row, no verdicts at all, or a suspended promise."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from lightdet.addresses import ascii_url
from lightdet.errors import UserError
from lightdet.service.inspection import iso_time

_QUIET_MS = 60_000

Kind = Literal["bad_share", "bad_in_a_row", "no_verdicts", "not_ready", "promise_suspended"]


@dataclass(frozen=True)
class AlarmRules:
    """What an alarm is, and where it goes besides the log and the page.

    Attributes:
        share: the share of bad parts among the last `parts` that is still none; None: no alarm by share.
        parts: how many parts that share is taken of; until so many were inspected there is none.
        row: so many bad parts one after the other are one; None: no alarm by that.
        url: where alarms are sent (HTTP POST); empty: nowhere.
        secret: signs what is sent there.

    Raises:
        UserError: a value out of range, or an address without a secret.
    """

    share: float | None = None
    parts: int = 50
    row: int | None = None
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.share is not None and not (math.isfinite(self.share) and 0.0 <= self.share < 1.0):
            raise UserError(f"the share of bad parts for an alarm must be 0 or more and below 1, got {self.share}")
        for name, value in (("parts", self.parts), ("parts in a row", self.row)):
            if value is not None and value < 1:
                raise UserError(f"the number of {name} for an alarm must be 1 or more, got {value}")
        if self.url:
            self._check_address()

    def _check_address(self) -> None:
        cannot = UserError("the address for alarms cannot be used; write http://host/path or https://host/path")
        if any(c.isspace() or not c.isprintable() for c in self.url):
            raise cannot
        try:
            parts = urlsplit(ascii_url(self.url))
        except ValueError:
            raise cannot from None
        if parts.username or parts.password:
            raise UserError("the address for alarms holds a user or password; leave it out, as a secret signs each")
        if not self.secret:
            raise UserError(
                "alarms that are sent need a secret that signs them: --alarm-secret-file FILE or LIGHTDET_ALARM_SECRET"
            )

    @property
    def any(self) -> bool:
        """Whether there is anything to watch for."""
        return self.share is not None or self.row is not None or bool(self.url)


@dataclass(frozen=True)
class Alarm:
    """That something is wrong (``on``), or no longer (``off``); with `model`, for this one alone."""

    kind: Kind
    state: Literal["on", "off"]
    time_ms: int
    text: str
    values: Mapping[str, float] = field(default_factory=dict)
    model: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as programs and the page get it."""
        return {
            "alarm": self.kind,
            "state": self.state,
            "time": iso_time(self.time_ms),
            "text": self.text,
            "values": dict(self.values),
            "model": self.model or None,
        }


@dataclass
class _Counts:
    """What one model has said of the last parts, and how many it found bad in a row."""

    last: deque[bool]
    row: int = 0

    def add(self, bad: bool) -> None:
        self.last.append(bad)
        self.row = self.row + 1 if bad else 0


class Alarms:
    """Remembers what was inspected, and tells when an alarm begins and when it ends, once each.

    Each model's parts are counted by themselves.

    Args:
        rules: what an alarm is.
        several: the service has several models, so the texts name the one that is meant.
    """

    def __init__(self, rules: AlarmRules, *, several: bool = False) -> None:
        self._rules, self._several = rules, several
        self._counts: dict[str, _Counts] = {}
        self._on: set[tuple[Kind, str]] = set()
        self._failures = self._failed_at = 0

    def inspected(self, records: Iterable[Mapping[str, Any]]) -> list[Alarm]:
        """Return what records, the oldest first, give rise to. Those by a caller's own rule say nothing."""
        found: list[Alarm | None] = []
        for record in records:
            if record["overridden"]:
                continue
            model, at = record["model"]["name"], record["time_ms"]
            counts = self._counts.setdefault(model, _Counts(deque(maxlen=self._rules.parts)))
            counts.add(record["decision"] == "NG")
            found += [self._by_row(model, counts, at), self._by_share(model, counts, at)]
        return [each for each in found if each is not None]

    def _by_row(self, model: str, counts: _Counts, at: int) -> Alarm | None:
        limit = self._rules.row
        if limit is None:
            return None
        text = f"{counts.row} bad parts in a row" if counts.row else "a good part has come"
        values = {"row": counts.row, "limit": limit}
        return self._turn("bad_in_a_row", counts.row >= limit, at, text, values, model)

    def _by_share(self, model: str, counts: _Counts, at: int) -> Alarm | None:
        limit, parts = self._rules.share, self._rules.parts
        if limit is None or len(counts.last) < parts:
            return None
        bad = sum(counts.last)
        text = f"{bad} of the last {parts} parts are bad ({bad / parts:.1%}; the bound is {limit:.1%})"
        values = {"bad": bad, "parts": parts, "share": bad / parts, "limit": limit}
        return self._turn("bad_share", bad > limit * parts + 1e-9, at, text, values, model)

    def ready(self, is_ready: bool, at: int) -> list[Alarm]:
        """Return what follows from whether pictures are taken."""
        text = "pictures are taken again" if is_ready else "the service is not ready: it accepts no pictures"
        found = self._turn("not_ready", not is_ready, at, text, {})
        return [found] if found else []

    def failures(self, count: int, at: int) -> list[Alarm]:
        """Return what follows from how often the network has given no verdict so far; a quiet minute ends it."""
        more, self._failures = max(0, count - self._failures), count
        if more:
            self._failed_at = at
        on = more > 0 or (("no_verdicts", "") in self._on and at - self._failed_at < _QUIET_MS)
        text = (
            f"{more} pictures without a verdict: the network's output was not finite"
            if more
            else "no more such pictures"
        )
        found = self._turn("no_verdicts", on, at, text, {"pictures": more})
        return [found] if found else []

    def _turn(
        self, kind: Kind, on: bool, at: int, text: str, values: Mapping[str, float], model: str = ""
    ) -> Alarm | None:
        if on == ((kind, model) in self._on):
            return None
        (self._on.add if on else self._on.discard)((kind, model))
        about = f"{model}: " if model and self._several else ""
        return Alarm(kind, "on" if on else "off", at, about + text, values, model)
