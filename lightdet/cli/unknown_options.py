"""Options of other tools: what they are called here."""

from __future__ import annotations

from collections.abc import Collection

from lightdet.other_names import ARGUMENTS, CONFIG_KEYS, KEYS, OPTIONS, normal


def what_it_is_here(option: str, known: Collection[str], *, takes_keys: bool, takes_sources: bool) -> str | None:
    """Answer with ours: another option of the command, or a key of the configuration; else None.

    Args:
        option: as it was given.
        known: the command's options.
        takes_keys: the command takes ``KEY.PATH=VALUE``.
        takes_sources: the command takes pictures as arguments.
    """
    if not option.startswith("--"):
        return None
    name = normal(option)
    key = KEYS.get(name) or next((path for path in CONFIG_KEYS if name in (path, path.rpartition(".")[2])), None)
    if OPTIONS.get(name) in known:
        return f"{option} is called {OPTIONS[name]} here"
    if takes_keys and key is not None:
        return f"{option} is a key of the configuration here: write {key}=VALUE, without dashes"
    if name in ARGUMENTS and takes_sources:
        return f"{option} does not exist here: give {ARGUMENTS[name]}"
    return None
