"""An option that there is not, but that other tools have: what it is called here."""

from __future__ import annotations

from typing import Any


def what_it_is_here(error: Any) -> str | None:
    """Answer a "no such option" with ours: another option of the command, or a key of the configuration; else None."""
    option, command = getattr(error, "option_name", None), getattr(getattr(error, "ctx", None), "command", None)
    if option is None or command is None:
        return None
    from lightdet.config import Config
    from lightdet.config.other_names import ARGUMENTS, KEYS, OPTIONS, normal
    from lightdet.config.yaml_file import all_paths

    name = normal(option)
    known = {text for parameter in command.params for text in parameter.opts}
    takes_keys = any(parameter.name == "overrides" for parameter in command.params)
    paths = list(all_paths(Config))
    key = KEYS.get(name) or next((path for path in paths if name in (path, path.rpartition(".")[2])), None)
    if OPTIONS.get(name) in known:
        return f"{option} is called {OPTIONS[name]} here"
    if takes_keys and key is not None:
        return f"{option} is a key of the configuration here: write {key}=VALUE, without dashes"
    if name in ARGUMENTS and any(parameter.name == "sources" for parameter in command.params):
        return f"{option} is not needed here: give {ARGUMENTS[name]}"
    return None
