"""One runtime for several threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from lightdet.arrays import Image
from lightdet.structures import Preprocessing


class SharedRuntime:
    """A runtime that several threads may call: one at a time in the network, each with its own times."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._turn = threading.Lock()
        self._times = threading.local()

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        names: tuple[str, ...] = self._runtime.names
        return names

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes input."""
        preprocessing: Preprocessing = self._runtime.preprocessing
        return preprocessing

    @property
    def precision(self) -> str:
        """The number format it computes in."""
        return str(self._runtime.precision)

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self._runtime.device)

    @property
    def agnostic(self) -> bool:
        """Whether boxes of different classes suppress each other as well."""
        return bool(getattr(self._runtime, "agnostic", False))

    @property
    def milliseconds(self) -> Mapping[str, float]:
        """The times of this thread's last call, by stage."""
        times: Mapping[str, float] = getattr(self._times, "values", {})
        return times

    def __call__(self, batch: Image) -> Any:
        """Return the result for each picture; waits for its turn."""
        with self._turn:
            found = self._runtime(batch)
            self._times.values = dict(getattr(self._runtime, "milliseconds", {}))
        return found
