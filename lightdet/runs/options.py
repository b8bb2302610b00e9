"""The options of a verb that are not at their default."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def given(request: Any) -> dict[str, object]:
    """Return the options of `request`, a dataclass, that are not at their default, by their flags."""
    found = {}
    for option in fields(request):
        value = getattr(request, option.name)
        if value != option.default and value is not None:
            found[f"--{option.name.replace('_', '-')}"] = value
    return found
