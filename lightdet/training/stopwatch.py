"""How the time of a training is spent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from torch import nn

PARTS = ("network", "loss", "pictures", "validation", "writing")
IN_WORDS = {"pictures": "waiting for pictures"}


class Stopwatch:
    """Seconds by name. Time measured inside another measurement counts only once, for the inner one."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds: dict[str, float] = dict(seconds or {})
        self._inner: list[float] = []

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the body to `name`, minus what is measured within it."""
        began = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + whole - self._inner.pop()
            if self._inner:
                self._inner[-1] += whole

    def timed(self, forward: nn.Module, name: str) -> nn.Module:
        """Wrap `forward` so that its calls are measured."""

        def call(*args: Any, **options: Any) -> Any:
            with self.measure(name):
                return forward(*args, **options)

        return cast(nn.Module, call)

    def waiting(self, items: Iterator[Any], name: str) -> Iterator[Any]:
        """Yield `items`, measuring the wait for each."""
        while True:
            with self.measure(name):
                item = next(items, _END)
            if item is _END:
                return
            yield item


_END = object()


def describe_time(seconds: Mapping[str, float], whole: float) -> str:
    """``time: network 81 %, loss 5 %, …, the rest 4 %``: shares of `whole` seconds.

    Network and loss include forward and backward; the rest is the optimizer's step, averaging and anything else.
    """
    parts = [(IN_WORDS.get(name, name), seconds.get(name, 0.0)) for name in PARTS]
    parts.append(("the rest", max(0.0, whole - sum(value for _, value in parts))))
    return "time: " + ", ".join(f"{name} {100 * value / max(whole, 1e-9):.0f} %" for name, value in parts)
