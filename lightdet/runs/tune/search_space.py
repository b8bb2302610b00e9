"""The YAML of a search, with every key and value checked against the configuration before anything is tried."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.config import YamlFile, load_yaml, parse_overrides
from lightdet.config.yaml_file import KeyPath, merge
from lightdet.errors import UserError
from lightdet.tasks import AnyConfig, Task, read_config, task_of_config
from lightdet.tuning.space import Choices, Domain, Params, Range, SearchSpace, nested

RANGE_KEYS = {"low", "high", "log", "step"}
EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
"""``1e-4`` is text in YAML 1.1, which needs ``1.0e-4``."""
MACHINE = tuple(f"train.{key}" for key in ("workers", "threads", "replicas", "pools", "channels_last", "probe"))
NOT_SEARCHED = ("task", "train.save_every", "train.cache", "train.cache_mib", *MACHINE)
CHECKED_COMBINATIONS = 2000


@dataclass(frozen=True)
class Base:
    """The configuration that a search starts from: the file with the command line's overrides."""

    file: YamlFile
    overrides: Sequence[str]

    @property
    def task(self) -> Task:
        """The network being trained."""
        return task_of_config(self.file, self.overrides)

    def config(self, params: Params | None = None, places: Mapping[str, tuple[Path, int]] | None = None) -> AnyConfig:
        """The configuration with `params` instead of its own values.

        Raises:
            UserError: it is not valid; with the line in `places`, if the key has one.
        """
        if params is None:
            return read_config(self.file, self.overrides)
        values = merge(merge(self.file.values, parse_overrides(self.overrides)), nested(params))
        lines: dict[KeyPath, tuple[Path, int]] = {tuple(k.split(".")): place for k, place in (places or {}).items()}
        return read_config(YamlFile(values, self.file.path, {**self.file.places, **lines}), ())


def load_space(path: Path, base: Base) -> SearchSpace:
    """Read the values to try: ``key.path: [values]`` or ``key.path: {low:, high:, log:, step:}``.

    Every key must be in the configuration, and every value valid with the others as in `base`;
    for a small grid, every combination.

    Raises:
        UserError: names the first mistake with its line.
    """
    file = load_yaml(path)
    if not file.values:
        raise UserError(
            "names nothing to try; add lines such as 'train.lr: {low: 1e-4, high: 1e-2, log: true}'", path=path
        )
    base.config()
    given = parse_overrides(base.overrides)
    places: dict[str, tuple[Path, int]] = {}
    domains: dict[str, Domain] = {}
    for key, value in file.values.items():
        where = file.place((key,))
        places[str(key)] = (where[0] or path, where[1] or 1)
        reader = _Reader(str(key), base, *places[str(key)])
        domains[str(key)] = reader.read(value)
        if _has(given, str(key).split(".")):
            raise reader.error("is set on the command line and searched here; leave one of them out")
    return SearchSpace(domains)


@dataclass(frozen=True)
class _Reader:
    """One line of the space."""

    key: str
    base: Base
    path: Path
    line: int

    def error(self, message: str) -> UserError:
        return UserError(f"'{self.key}' {message}", path=self.path, line=self.line)

    def read(self, value: Any) -> Domain:
        if self.key in NOT_SEARCHED:
            raise self.error("cannot be searched: it does not change what is learned")
        if isinstance(value, list):
            return self._choices(value)
        if isinstance(value, Mapping) and value and not set(value) & RANGE_KEYS:
            first = next(iter(value))
            raise self.error(f"holds keys of its own; write the whole path on one line: '{self.key}.{first}: …'")
        if isinstance(value, Mapping):
            return self._range(value)
        raise self.error("needs a list of values, or {low: …, high: …} with log: true or step: …")

    def _choices(self, values: list[Any]) -> Choices:
        options = [_number(each) for each in values]
        if not options:
            raise self.error("has an empty list: nothing to try")
        for number, option in enumerate(options):
            if any(option == other and type(option) is type(other) for other in options[:number]):
                raise self.error(f"holds {option!r} twice")
            self._check(option)
        return Choices(tuple(options))

    def _range(self, value: Mapping[str, Any]) -> Range:
        unknown = [str(key) for key in value if key not in RANGE_KEYS]
        if unknown:
            raise self.error(f"has an unknown key '{unknown[0]}'; known here: low, high, log, step")
        log = value.get("log", False)
        if not isinstance(log, bool):
            raise self.error(f"log should be true or false (given: {log!r})")
        low, high = (self._end(value, name) for name in ("low", "high"))
        step = self._end(value, "step") if value.get("step") is not None else None
        if low >= high:
            raise self.error(f"low must be below high (given: {low:g} and {high:g})")
        if log and low <= 0:
            raise self.error(f"low must be above 0 on a logarithmic scale (given: {low:g})")
        if log and step is not None:
            raise self.error("log and step exclude each other")
        if step is not None and not 0 < step <= high - low:
            raise self.error(f"step must lie between 0 and the range's {high - low:g} (given: {step:g})")
        return self._checked(low, high, log, step)

    def _end(self, value: Mapping[str, Any], name: str) -> float:
        number = _number(value.get(name))
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise self.error(f"needs a number for '{name}' (given: {value.get(name)!r})")
        return number

    def _checked(self, low: float, high: float, log: bool, step: float | None) -> Range:
        ends = all(float(end).is_integer() for end in (low, high, step or 0))
        for end in (low, high):
            self._check(round(end) if ends else end)
        whole = ends and not self._takes(low + (high - low) * 0.41421)
        found = Range(low, high, log, step, whole)
        # The ends and the step do not ensure that the values between are valid: 'imgsz' takes multiples of 32.
        between = [low + 1] if whole and step is None else (found.values() or [])[:1000]
        for value in between:
            self._check(round(value) if whole else value)
        return found

    def _takes(self, value: Any) -> bool:
        try:
            self.base.config({self.key: value})
        except UserError:
            return False
        return True

    def _check(self, value: Any) -> None:
        try:
            self.base.config({self.key: value}, {self.key: (self.path, self.line)})
        except UserError as error:
            if error.path == self.path:
                raise
            raise self.error(f"cannot be {value!r}: {error.message}") from None


def check_combinations(space: SearchSpace, base: Base) -> None:
    """Check that the combinations of a countable space are valid, unless there are too many.

    Raises:
        UserError: names the first that is not.
    """
    if space.uncountable() or space.grid_size() > CHECKED_COMBINATIONS:
        return
    for params in space.grid():
        try:
            base.config(params)
        except UserError as error:
            told = ", ".join(f"{key}={value!r}" for key, value in params.items())
            raise UserError(f"the space holds a combination that is not valid ({told}): {error.message}") from None


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def _has(values: Mapping[str, Any], parts: Sequence[str]) -> bool:
    """Whether an override sets this key, something above it or something below it."""
    node: Any = values
    for part in parts:
        if not isinstance(node, Mapping):
            return True
        if part not in node:
            return False
        node = node[part]
    return True
