"""Names of classes that differ only in how they are written: one class in two spellings, or two classes?"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from lightdet.errors import UserError

Place: TypeAlias = tuple[Path | None, int | None]
"""The file or folder that names a class, and its 1-based line if there is one."""


def spelling_key(name: str) -> str:
    """What the spellings of one name share: case, spaces, ``-`` and ``_`` do not count."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return "".join(folded.replace("-", " ").replace("_", " ").split())


def check_spellings(places: Mapping[str, Place]) -> None:
    """Refuse classes gathered from labels of which two are one name in two spellings.

    Args:
        places: where each name was found first.

    Raises:
        UserError: with both names and places.
    """
    found: dict[str, str] = {}
    for name in places:
        first = found.setdefault(spelling_key(name), name)
        if first != name:
            path, line = places[first]
            there = f" ({path}:{line})" if path is not None and line is not None else f" ({path})" if path else ""
            message = (
                f"'{name}' and '{first}'{there} differ only in how they are written; one class needs one name: "
                "rename one of them, or list both under 'classes' in a YAML if they are two classes"
            )
            raise UserError(message, path=places[name][0], line=places[name][1])
