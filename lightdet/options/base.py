"""How options are declared and checked.

A verb's options are a frozen dataclass below `Options`. Each field is an annotated type of `lightdet.options.shared`
(or a similar class), which gives the help text and the allowed values; `cyclopts` makes the command line from
it. `takes` makes the Python function from the same class.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.options.outputs import Replaces, refuse_inputs

AnyPath: TypeAlias = Path | str
"""A path as given; in the fields of an `Options` it is a `Path`, or None."""
_LONGEST = 4096
"""Characters of a path; longer text names no file."""
P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class _Needed(str):
    """The default of a required field that follows one with a default."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "..."


NEEDED = _Needed()


@dataclass(frozen=True)
class Then:
    """In an annotated type: a function applied to the value once it is checked."""

    make: Callable[[Any], Any]


@dataclass(frozen=True)
class Options:
    """The options of a verb; values from Python are converted to the declared types and checked.

    Raises:
        UserError: a value of another type, out of range or none of the choices.
    """

    _types: ClassVar[dict[str, Any]]

    def __post_init__(self) -> None:
        for name, declared in self.types().items():
            value = getattr(self, name)
            if value is NEEDED:
                raise UserError(f"{name} is missing")
            object.__setattr__(self, name, _as_declared(value, declared, name))
        self._check_outputs()

    def _check_outputs(self) -> None:
        """Refuse an output that is an input."""
        outputs, inputs = {}, []
        for name, declared in self.types().items():
            value = getattr(self, name)
            validators: list[Any] = [one.validator or () for one in parameters_of(declared)]
            checks = [check for each in validators for check in each]
            if any(isinstance(check, Replaces) for check in checks):
                outputs[flag_of(declared, name)] = value
            else:
                several = value if isinstance(value, tuple) else (value,)
                inputs += [each for each in several if isinstance(each, Path | str) and len(str(each)) < _LONGEST]
        refuse_inputs(outputs, inputs)

    def given(self) -> dict[str, object]:
        """Return the options that are not at their default, by their flags."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value is not False and value != _default(field):
                found[flag_of(self.types()[field.name], field.name)] = value
        return found

    @classmethod
    def types(cls) -> dict[str, Any]:
        """Return the annotated type of each field."""
        if "_types" not in cls.__dict__:
            hints = get_type_hints(cls, include_extras=True)
            cls._types = {field.name: hints[field.name] for field in fields(cls)}
        return cls._types


def _default(field: Field[Any]) -> object:
    value = None if field.default is MISSING else field.default
    return Path(value) if isinstance(value, str) and field.name == "output" else value


def parameters_of(declared: Any) -> list[Parameter]:
    """Return what an option's annotation says beside its type."""
    return [each for each in getattr(declared, "__metadata__", ()) if isinstance(each, Parameter)]


def flag_of(declared: Any, name: str) -> str:
    """Return the flag of the option `name` on the command line: ``--data-root``."""
    named = [one.name for one in parameters_of(declared) if one.name]
    return next(iter(named[-1])) if named else f"--{name.replace('_', '-')}"


def takes(options: Callable[P, T]) -> Callable[[Callable[[T], R]], Callable[P, R]]:
    """Turn a function that takes `options` into one that takes their fields: ``detect("part.png", model, imgsz=320)``.

    If the options have `changes`, other keywords change the configuration: ``train(data, loss={"box": 0.1})``.
    """

    def decorated(verb: Callable[[T], R]) -> Callable[P, R]:
        signature = inspect.signature(options)
        changes = "changes" in signature.parameters

        @wraps(verb)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            given: Any = dict(kwargs)
            if changes:
                keys = {name: given.pop(name) for name in kwargs if name not in signature.parameters}
                given["changes"] = {**given.get("changes", {}), **keys}
            try:
                return verb(options(*args, **given))
            except UserError as error:
                raise _in_python(error, options) from None

        called.__signature__ = _plain_signature(signature, options, verb)  # type: ignore[attr-defined]
        called.__doc__ = _with_arguments(verb.__doc__ or "", options)
        return called

    return decorated


def _plain_signature(signature: inspect.Signature, options: Any, verb: Callable[[Any], Any]) -> inspect.Signature:
    """The types as a Python reader wants them: ``int | None``."""
    types = get_type_hints(options)
    shown = [each.replace(annotation=types[name]) for name, each in signature.parameters.items()]
    return signature.replace(parameters=shown, return_annotation=inspect.signature(verb).return_annotation)


def _in_python(error: UserError, options: Any) -> UserError:
    """Name options as Python does: ``tile``, not ``--tile``."""
    message = _as_python_names(error.message, options)
    return type(error)(message, path=error.path, line=error.line) if message != error.message else error


def _as_python_names(text: str, options: Any) -> str:
    names = {flag_of(declared, name): name for name, declared in options.types().items()}
    return re.sub(r"--[a-z][a-z-]*", lambda flag: names.get(flag[0], flag[0]), text)


def _with_arguments(text: str, options: Any) -> str:
    """Put each option's help into the docstring `text`, before ``Returns:``."""
    lines = ["    Args:"]
    for name, declared in options.types().items():
        helps = [each.help for each in parameters_of(declared) if each.help]
        lines.append(f"        {name}: {_as_python_names(helps[-1], options) if helps else ''}".rstrip())
    before, returns, after = text.partition("    Returns:")
    return "\n".join([before.rstrip(), "", *lines, "", f"{returns}{after}"])


def _as_declared(value: Any, declared: Any, name: str) -> Any:
    """Return `value` converted to the type `declared`.

    Raises:
        UserError: it cannot be that.
    """
    origin, inner = get_origin(declared), get_args(declared)
    if origin is Annotated:
        value = _as_declared(value, inner[0], name)
        if value is not None:
            _validate(value, declared, name)
            for then in [each for each in inner[1:] if isinstance(each, Then)]:
                value = then.make(value)
        return value
    if origin in (Union, UnionType):
        return _one_of(value, inner, name)
    if origin is Literal:
        if value not in inner:
            raise UserError(f"{name} is {' or '.join(repr(each) for each in inner)}, got {value!r}")
        return value
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _several(value, inner[0], name)
    return _plain(value, declared, name)


def _validate(value: Any, declared: Any, name: str) -> None:
    for parameter in parameters_of(declared):
        checks: Any = parameter.validator or ()
        for check in checks:
            try:
                check(declared, value)
            except ValueError as error:
                raise UserError(f"{name}: {error}") from None


def _one_of(value: Any, types: Sequence[Any], name: str) -> Any:
    if value is None and NoneType in types:
        return None
    if Path in types:
        if not isinstance(value, str | os.PathLike):
            raise UserError(f"{name} is the path of a file, got {type(value).__name__}")
        return Path(value)
    *others, last = [each for each in types if each is not NoneType]
    for each in others:
        try:
            return _as_declared(value, each, name)
        except UserError:
            continue
    return _as_declared(value, last, name)


def _several(value: Any, each: Any, name: str) -> tuple[Any, ...]:
    if isinstance(value, str | os.PathLike):
        value = (value,)
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise UserError(f"{name} is one value or a list of them, got {type(value).__name__}")
    return tuple(_as_declared(one, each, name) for one in value)


def _plain(value: Any, declared: Any, name: str) -> Any:
    if declared is bool and not isinstance(value, bool):
        raise UserError(f"{name} is True or False, got {value!r}")
    if declared is int:
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise UserError(f"{name} is a whole number, got {value!r}")
        return int(value)
    if declared is float:
        if not isinstance(value, Real) or isinstance(value, bool):
            raise UserError(f"{name} is a number, got {value!r}")
        return float(value)
    if declared is str:
        if not isinstance(value, str | os.PathLike):
            raise UserError(f"{name} is text, got {value!r}")
        return os.fspath(value)
    return value
