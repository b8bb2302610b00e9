"""What the verbs take, made sure of before the work begins: each mistake is one line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lightdet.config.yaml_file import merge
from lightdet.errors import UserError

AnyPath: TypeAlias = "str | os.PathLike[str]"
OnError: TypeAlias = Literal["fail", "skip"]


def as_path(value: Any, name: str) -> Path:
    """Return a path.

    Raises:
        UserError: something else was given for the argument `name`.
    """
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"{name} is the path of a file, got {type(value).__name__}")
    return Path(value)


def maybe_path(value: Any, name: str) -> Path | None:
    """As `as_path`; None stays None."""
    return None if value is None else as_path(value, name)


def several(value: Any, name: str) -> list[Any]:
    """Return a list: of what was given, or of the one thing that was given.

    Raises:
        UserError: neither a path nor a list.
    """
    if isinstance(value, str | os.PathLike):
        return [value]
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise UserError(f"{name} is one path or a list of them, got {type(value).__name__}")
    return list(value)


def skips(on_error: str) -> bool:
    """Whether a bad picture or label is left out.

    Raises:
        UserError: neither ``fail`` nor ``skip``.
    """
    if on_error not in ("fail", "skip"):
        raise UserError(f"on_error is 'fail' or 'skip', got {on_error!r}")
    return on_error == "skip"


def one_of(value: str, choices: Sequence[str], name: str) -> None:
    """Refuse a word that is none of `choices`.

    Raises:
        UserError: it is not.
    """
    if value not in choices:
        raise UserError(f"{name} is {' or '.join(repr(each) for each in choices)}, got {value!r}")


def at_least(low: float, **values: float | None) -> None:
    """Refuse numbers below `low`, by the names of their arguments; None passes.

    Raises:
        UserError: one is, or is no number.
    """
    for name, value in values.items():
        if value is not None and (not isinstance(value, int | float) or isinstance(value, bool) or not value >= low):
            raise UserError(f"{name} is a number from {low:g} on, got {value!r}")


def changed(changes: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is changed in a configuration, as nested mappings.

    Args:
        changes: sections (``augment={"flip_ud": 0.5}``) or dotted keys (``{"train.lr": 0.005}``).
        named: dotted keys that have arguments of their own; None where these were not given.

    Raises:
        UserError: a key is given twice, with different values.
    """
    given = {key: value for key, value in named.items() if value is not None}
    values: dict[str, Any] = {}
    for key, value in [*_flat(changes), *given.items()]:
        if key in given and value != given[key]:
            name = key.rpartition(".")[2]
            raise UserError(f"{name}={given[key]!r} and {key}={value!r} name the same key twice; leave one out")
        nested: Any = _plain(value)
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = merge(values, nested)
    return values


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += _flat(value, f"{above}{key}.")
        else:
            found.append((f"{above}{key}", value))
    return found


def _plain(value: Any) -> Any:
    """As YAML would have it."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
