"""The plan in the output folder of a command that runs several trainings: what it was started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lightdet.errors import UserError

PLAN_NAME = "plan.json"
FORMAT = 1


def kept_plan(folder: Path, key: str, noun: str, sections: tuple[str, ...]) -> dict[str, Any] | None:
    """Read the plan in a folder; None if the folder is empty.

    Args:
        folder: an existing folder.
        key: of the plan that holds its format.
        noun: what the command makes, for messages.
        sections: keys that hold mappings.

    Raises:
        UserError: the folder holds something else, or the plan is damaged or of a newer version.
    """
    path = folder / PLAN_NAME
    if not path.exists():
        # a lock is not the user's; any other file is
        others = [entry for entry in folder.iterdir() if not entry.name.startswith(".lightdet")]
        if others:
            raise UserError(f"holds something other than a {noun} ('{others[0].name}'); use a new folder", path=folder)
        return None
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if value[key] > FORMAT:
            raise UserError("was written by a newer lightdet; upgrade to continue it", path=path)
        if not all(isinstance(value[section], dict) for section in sections):
            raise TypeError
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=path) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"is not the plan of a {noun}; use a new --output", path=path) from None
    return value
