"""The search space: for each key of the configuration, a range or a list of values."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from optuna.trial import Trial

Params: TypeAlias = dict[str, Any]
"""Values by key path, as in the configuration."""
MAX_STEPS = 10_000


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        low, high: the ends; with steps, `high` is a whole number of steps above `low`.
        log: even on a logarithmic scale.
        step: distance between neighbouring values; None: any number (for whole numbers: 1).
        whole: whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def values(self) -> list[float] | None:
        """Every value, if they can be counted: whole numbers, or steps."""
        if self.step is None and not self.whole:
            return None
        step = self.step or 1
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        if count > MAX_STEPS:
            return None
        found = [self.low + number * step for number in range(count)]
        return [round(value) for value in found] if self.whole else [round(value, 12) for value in found]

    def suggest(self, trial: Trial, key: str) -> Any:
        """Let the sampler choose."""
        if self.whole:
            step = 1 if self.log else round(self.step or 1)
            return trial.suggest_int(key, round(self.low), round(self.high), step=step, log=self.log)
        return trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True)
class Choices:
    """One of a few values of any kind."""

    options: tuple[Any, ...]

    def values(self) -> list[Any]:
        """Every value."""
        return list(self.options)

    def suggest(self, trial: Trial, key: str) -> Any:
        """Let the sampler choose."""
        texts = [as_choice(option) for option in self.options]
        return self.options[texts.index(trial.suggest_categorical(key, texts))]


Domain: TypeAlias = "Range | Choices"


@dataclass(frozen=True)
class SearchSpace:
    """A domain for each key path, in the order of the file."""

    domains: Mapping[str, Domain]

    def suggest(self, trial: Trial) -> Params:
        """Return a value for each key, chosen by the study's sampler."""
        return {key: domain.suggest(trial, key) for key, domain in self.domains.items()}

    def uncountable(self) -> list[str]:
        """Keys whose values cannot be listed, so that they fit in no grid."""
        return [key for key, domain in self.domains.items() if domain.values() is None]

    def grid_size(self) -> int:
        """How many combinations there are; every key must be countable."""
        return math.prod(len(domain.values() or ()) for domain in self.domains.values())

    def grid(self) -> Iterator[Params]:
        """Every combination; the last key changes fastest."""
        lists = [domain.values() or [] for domain in self.domains.values()]
        for combination in itertools.product(*lists):
            yield dict(zip(self.domains, combination, strict=True))

    def stored(self, params: Params) -> Params:
        """Values as the study stores them: choices as text or number."""
        return {
            key: as_choice(value) if isinstance(self.domains[key], Choices) else value for key, value in params.items()
        }

    def restored(self, stored: Mapping[str, Any]) -> Params:
        """The reverse of `stored`; keys of another space are left out."""
        found: Params = {}
        for key, domain in self.domains.items():
            if key not in stored:
                continue
            if isinstance(domain, Choices):
                texts = [as_choice(option) for option in domain.options]
                if stored[key] in texts:
                    found[key] = domain.options[texts.index(stored[key])]
            else:
                found[key] = stored[key]
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values, to compare with what a study was made for."""
        return {
            key: {"choices": list(domain.options)}
            if isinstance(domain, Choices)
            else {"low": domain.low, "high": domain.high, "log": domain.log, "step": domain.step, "whole": domain.whole}
            for key, domain in self.domains.items()
        }


def as_choice(value: Any) -> str:
    """A choice as the study stores it, whatever its type: JSON, so that ``1``, ``1.0``, ``true`` and "1" differ."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def shown(value: Any) -> str:
    """A value for display: fractions with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def combined(params: Mapping[str, Any]) -> str:
    """``train.lr=0.002 augment.mosaic=0.5``."""
    return " ".join(f"{key}={shown(value)}" for key, value in params.items())


def nested(params: Mapping[str, Any]) -> dict[str, Any]:
    """``{"train.lr": 1}`` → ``{"train": {"lr": 1}}``."""
    values: dict[str, Any] = {}
    for key, value in params.items():
        *above, last = key.split(".")
        place = values
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return values
