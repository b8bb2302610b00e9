"""The promises of the models that are served: a watch is changed with its model, and all who must know are told."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lightdet.drift.kept import Watched
from lightdet.drift.monitor import Look, Suspension
from lightdet.service.alarms import Alarm
from lightdet.service.control import Loaded, LoadedModel, Standing
from lightdet.service.watch import PromiseWatch


class ServedPromises:
    """The watches over the promises of all models that are served.

    Args:
        database: as in `Settings`.
        tell: sends a status to all workers.
        ring: raises an alarm.
    """

    def __init__(self, database: str, tell: Callable[[Standing], None], ring: Callable[[Alarm], None]) -> None:
        self._database, self._tell, self._ring = database, tell, ring
        self._promises: dict[str, ServedPromise] = {}

    def serve(self, loaded: Loaded) -> None:
        """Begin for these models, or continue where it was left."""
        for model in loaded.models:
            if model.name not in self._promises:
                about = f"{model.name}: " if len(loaded.models) > 1 else ""
                self._promises[model.name] = ServedPromise(
                    self._database, partial(self._stands, model.name), partial(self._rings, model.name, about)
                )
            self._promises[model.name].serve(model)

    def standings(self) -> list[Standing]:
        """What the workers are to know of each; of one that promises nothing, that nothing has changed."""
        return [Standing(name, each.status or Watched()) for name, each in self._promises.items()]

    def look(self, sender: Loaded | None, model: str, look: Look) -> None:
        """Take a picture that a worker judged with the model of this name that it has loaded."""
        if sender is not None and model in self._promises:
            self._promises[model].look(sender.named(model), look)

    def tick(self) -> None:
        """Save the states and tell the workers, each now and then."""
        for each in self._promises.values():
            each.tick()

    def begin_anew(self, model: str, record: Callable[[], bool]) -> bool | None:
        """See `ServedPromise.begin_anew`."""
        return self._promises[model].begin_anew(record) if model in self._promises else None

    def close(self) -> None:
        """Save the states; nothing is watched from then on."""
        for each in self._promises.values():
            each.close()

    def _stands(self, model: str, status: Watched) -> None:
        self._tell(Standing(model, status))

    def _rings(self, model: str, about: str, alarm: Alarm) -> None:
        self._ring(replace(alarm, text=about + alarm.text, model=model))


class ServedPromise:
    """The watch over the promise of a model that is served, if it has one.

    Args:
        database: as in `Settings`.
        tell: sends a status to all workers.
        ring: raises an alarm.
    """

    def __init__(self, database: str, tell: Callable[[Watched], None], ring: Callable[[Alarm], None]) -> None:
        self._database, self._tell, self._ring = database, tell, ring
        self._watch: PromiseWatch | None = None
        self._sha256 = ""

    def serve(self, loaded: LoadedModel) -> None:
        """Begin for a model, or continue where it was left; the alarm follows a change of the model."""
        if self._sha256 == loaded.sha256:
            return
        first, before = not self._sha256, self._suspension
        self.close()
        self._sha256 = loaded.sha256
        if loaded.reference is not None:
            self._watch = PromiseWatch(self._database, loaded.sha256, loaded.reference)
        now = self._suspension
        if now is None and before is not None:
            self._tell_end("another model is served: no promise is suspended")
        elif now is not None and before is None and not first:  # at a start, it was told before
            self._tell_begin(now)

    @property
    def _suspension(self) -> Suspension | None:
        return None if self._watch is None else self._watch.suspension

    @property
    def status(self) -> Watched | None:
        """What the workers are to know; None: nothing is watched."""
        return None if self._watch is None else self._watch.status()

    def look(self, judge: LoadedModel, look: Look) -> None:
        """Take a picture that a worker judged with this model."""
        if self._watch is None or judge.sha256 != self._watch.sha256:
            return
        found = self._watch.look(look)
        if found is None:
            return
        self._tell(self._watch.status())
        self._tell_begin(found)

    def tick(self) -> None:
        """Save the state and tell the workers, each now and then."""
        if self._watch is not None and (status := self._watch.due()) is not None:
            self._tell(status)

    def begin_anew(self, record: Callable[[], bool]) -> bool | None:
        """Forget all pictures and the suspension; returns whether that is on record, or None: nothing is watched.

        Args:
            record: records it beside the watch's own state; returns whether that succeeded.
        """
        if self._watch is None:
            return None
        kept = self._watch.begin_anew()
        recorded = record() and kept
        self._tell(self._watch.status())
        self._tell_end("the watch over the promise was begun anew: it is not suspended")
        return recorded

    def close(self) -> None:
        """Save the state; nothing is watched from then on."""
        if self._watch is not None:
            self._watch.close()
        self._watch = None

    def _tell_begin(self, found: Suspension) -> None:
        text = f"the promise is suspended: {found.describe()}; calibrate the model with pictures as they are now"
        values = {"before": found.before, "now": found.now, "since": found.since, "noticed": found.noticed}
        self._ring(Alarm("promise_suspended", "on", time.time_ns() // 1_000_000, text, values))

    def _tell_end(self, text: str) -> None:
        self._ring(Alarm("promise_suspended", "off", time.time_ns() // 1_000_000, text))
