"""A wrong command line, reported in one line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_args

from cyclopts.exceptions import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from lightdet.addresses import hide_sign_in
from lightdet.cli.unknown_options import what_it_is_here


def wrong_usage(error: CycloptsError, program: str) -> str:
    """Return what is wrong, and where the help is; `program` is the command as it was called."""
    return f"{hide_sign_in(_message(error))}; see '{program} --help'"


def _message(error: CycloptsError) -> str:
    name = _name(error)
    match error:
        case UnknownOptionError():
            return _unknown_option(error)
        case UnknownCommandError():
            return _unknown_command(error)
        case UnusedCliTokensError():
            return f"'{(error.unused_tokens or ['?'])[0]}' is one argument too many"
        case RepeatArgumentError():
            return f"{error.token.keyword or 'an option'} is given twice"
        case MissingArgumentError():
            if error.keyword is not None or (error.argument is not None and error.argument.tokens):
                return f"Option '{error.keyword or name}' requires an argument"
            return f"Missing {'option' if name.startswith('-') else 'argument'} '{name}'"
        case ValidationError():
            return f"Invalid value for '{name}': {error.exception_message}".rstrip(".")
        case CoercionError() if error.token is not None:
            return f"Invalid value for '{name}': '{error.token.value}' {_is_no(error.target_type)}"
    return " ".join(str(error).split()).rstrip(".")


def _name(error: CycloptsError) -> str:
    argument = error.argument
    token = next(iter(argument.tokens), None) if argument is not None else None
    if token is not None and token.source != "cli" and token.keyword:
        return token.keyword  # an environment variable
    if argument is None:
        return "?"
    positional = argument.index is not None and not argument.name.startswith("--data")
    return argument.name.removeprefix("--") if positional and argument.name.isupper() else argument.name


def _is_no(wanted: Any) -> str:
    choices = [str(each) for each in get_args(wanted) if isinstance(each, str)]
    if choices:
        return f"is not one of {', '.join(choices)}"
    return {int: "is no whole number", float: "is no number"}.get(wanted, "cannot be read")


def _unknown_option(error: UnknownOptionError) -> str:
    option = (error.token.keyword or error.token.value).partition("=")[0]
    known = [name for argument in error.argument_collection for name in argument.names if argument.parse]
    takes_keys = any("KEY.PATH=VALUE" in argument.name for argument in error.argument_collection)
    takes_sources = any(argument.name.endswith("SOURCE") for argument in error.argument_collection)
    ours = what_it_is_here(option, known, takes_keys=takes_keys, takes_sources=takes_sources)
    return ours or f"No such option: {option}{_meant(option, [name for name in known if name.startswith('-')])}"


def _unknown_command(error: UnknownCommandError) -> str:
    name = (error.unused_tokens or ["?"])[0]
    if name.startswith("-"):
        return f"No such option: {name}"
    commands = [each for each in error.app or () if not each.startswith("-")]
    return f"No such command '{name}'{_meant(name, commands)}"


def _meant(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.75)
    return f". Did you mean {close[0]}?" if close else ""
