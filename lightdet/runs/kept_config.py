"""What a command that continues may find changed since it was started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FREE = tuple(f"train.{key}" for key in ("workers", "threads", "pools", "channels_last", "probe", "cache", "cache_mib"))
"""Keys of a configuration that change no result."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Return (dotted key, old, new) for everything that differs; None means missing."""
    found: list[tuple[str, Any, Any]] = []
    for key in {**old, **new}:
        before, now = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            found += differences(before, now, f"{prefix}{key}.")
        elif before != now:
            found.append((f"{prefix}{key}", before, now))
    return found
