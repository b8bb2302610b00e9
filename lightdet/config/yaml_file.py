"""Reading YAML for people: safe types only, every key with its line, and "did you mean" for a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from lightdet.errors import UserError
from lightdet.missing import why_missing
from lightdet.other_names import KEYS, OPTIONS, normal
from lightdet.plain_yaml import RefusedYamlError, parse_yaml
from lightdet.wording import shown

MAX_YAML_BYTES = 4 << 20
TOP_KEY = "imgsz"
"""A key of every run's configuration."""
KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass
class YamlFile:
    """A mapping read from `path`, with the file and 1-based line where each key path was set."""

    values: dict[str, Any]
    path: Path | None = None
    places: dict[KeyPath, tuple[Path | None, int | None]] = field(default_factory=dict)

    def place(self, key: KeyPath) -> tuple[Path | None, int | None]:
        """Return (file, line) of `key` or of its nearest parent that has one."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.places:
                return self.places[key[:end]]
        return self.path, None

    def over(self, values: Mapping[str, Any]) -> YamlFile:
        """Return this file overridden by `values`, which come from no file."""
        nowhere: dict[KeyPath, tuple[None, None]] = dict.fromkeys(_paths(values), (None, None))
        return YamlFile(merge(self.values, values), self.path, {**self.places, **nowhere})


def _paths(values: Mapping[str, Any], above: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every key that holds no further keys."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _paths(value, (*above, key))
        else:
            yield (*above, key)


def load_yaml(path: str | Path) -> YamlFile:
    """Read a YAML mapping; a top-level ``extends: other.yaml`` (relative to the file) is merged below it.

    Raises:
        UserError: missing or unreadable file, syntax error, repeated key, a number with two meanings, aliases
            without end, not a mapping, circular ``extends``.
    """
    return _load(Path(path), ())


def _load(path: Path, above: tuple[Path, ...]) -> YamlFile:
    if path.resolve() in above:
        raise UserError("'extends' is circular", path=path)
    try:
        if path.is_dir():
            raise UserError("is a folder; give the YAML file in it", path=path)
        with path.open("rb") as stream:
            data = stream.read(MAX_YAML_BYTES + 1)
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise UserError("not UTF-8 text; is this the right file?", path=path) from None
    except (OSError, ValueError) as error:
        raise UserError(why_missing(path, error), path=path) from None
    if len(data) > MAX_YAML_BYTES:
        raise UserError(f"larger than {MAX_YAML_BYTES >> 20} MiB; is this the right file?", path=path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        places: dict[KeyPath, tuple[Path | None, int | None]] = {}
        if node is not None:
            _note_places(node, (), path, places, set())
        values = parse_yaml(text)
    except RefusedYamlError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise UserError(str(error.problem), path=path, line=line) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        hint = "; in double quotes \\ begins an escape: write / in paths" if "escape" in str(error.problem) else ""
        raise UserError(f"not valid YAML: {error.problem}{hint}", path=path, line=line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"not valid YAML: {str(error).splitlines()[0]}", path=path) from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise UserError("must hold 'key: value' lines at the top level", path=path, line=1)
    base = values.pop("extends", None)
    if base is None:
        return YamlFile(values, path, places)
    if not isinstance(base, str):
        raise UserError("'extends' must name one YAML file", path=path, line=places[("extends",)][1])
    parent = _load(path.parent / base, (*above, path.resolve()))
    return YamlFile(merge(parent.values, values), path, parent.places | places)


def _note_places(
    node: yaml.Node,
    key: KeyPath,
    path: Path,
    places: dict[KeyPath, tuple[Path | None, int | None]],
    visited: set[int],
) -> None:
    places[key] = (path, node.start_mark.line + 1)
    if id(node) in visited:  # an alias; following each would take exponential time if aliases hold aliases
        return
    visited.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):  # no key of ours, and aliases in it are not to be shown
                line = key_node.start_mark.line + 1
                raise UserError("a key should be text, not a list or a mapping", path=path, line=line)
            name = str(key_node.value)
            if name in seen:
                line = key_node.start_mark.line + 1
                raise UserError(f"the key '{name}' is given twice; remove one", path=path, line=line)
            seen.add(name)
            _note_places(value_node, (*key, name), path, places, visited)
            places[(*key, name)] = (path, key_node.start_mark.line + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_places(item, (*key, index), path, places, visited)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` overridden by `above`: mappings key by key, anything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def parse_overrides(overrides: Iterable[str]) -> dict[str, Any]:
    """Turn ``["train.epochs=3", "augment.mosaic=0"]`` into a nested mapping; values are YAML.

    Raises:
        UserError: an override that is not ``key.path=value``, a number with two meanings, or aliases without end.
    """
    values: dict[str, Any] = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise UserError(f"'{override}' is not of the form key.path=value, such as train.epochs=3")
        try:
            value = parse_yaml(text)
        except RefusedYamlError as error:
            raise UserError(f"'{override}': {error.problem}") from None
        except (yaml.YAMLError, ValueError, RecursionError):
            raise UserError(f"'{override}': the part after '=' is not valid YAML") from None
        nested: dict[str, Any] = {parts[-1]: value}
        for part in reversed(parts[:-1]):
            nested = {part: nested}
        values = merge(values, nested)
    return values


def validate(model: type[Model], file: YamlFile, overrides: Sequence[str] = ()) -> Model:
    """Check `file` (with ``key.path=value`` overrides) against `model` and return the instance.

    Raises:
        UserError: for the first problem, with its file, line, key and, for an unknown key, the likely meaning.
    """
    over = parse_overrides(overrides)
    try:
        return model.model_validate(merge(file.values, over))
    except ValidationError as error:
        unknown = next((e for e in error.errors() if e["type"] == "extra_forbidden"), None)
        first = unknown or _of_alternatives(error.errors())
        raise _explain(model, first, tuple(first["loc"]), file, over) from None


def _of_alternatives(errors: Sequence[Any]) -> Any:
    """The first error. A key with several allowed types has one error for each: they are joined into one."""
    key = _without_tags(errors[0]["loc"])
    rivals = [each for each in errors if _without_tags(each["loc"])[: len(key)] == key]
    other_kind = ("_type", "_parsing", "literal_error")  # otherwise the value is of the right kind, but wrong in detail
    ranks = [(len(each["loc"]), not each["type"].endswith(other_kind)) for each in rivals]
    best = [each for each, rank in zip(rivals, ranks, strict=True) if rank == max(ranks)]
    reasons = [str(each["msg"]).removeprefix("Input should be ").partition(", unable to")[0] for each in best]
    joined = {"msg": f"should be {', or '.join(dict.fromkeys(reasons))}"} if len(best) > 1 else {}
    return {**best[0], "loc": _without_tags(best[0]["loc"]), **joined}


def _without_tags(key: KeyPath) -> KeyPath:
    """A key's path without the parts that name the alternative that was tried: ``bool``, ``literal['none']``."""
    tags = ("bool", "int", "float", "str", "constrained-str", "constrained-int")
    return tuple(part for part in key if isinstance(part, int) or not (part in tags or "[" in part))


def _explain(model: type[BaseModel], error: Any, key: KeyPath, file: YamlFile, over: Mapping[str, Any]) -> UserError:
    dotted = ".".join(str(part) for part in key)
    if error["type"] == "extra_forbidden":
        siblings = _fields_at(model, key[:-1])
        meant = _likely_meant(model, key, siblings)
        hint = f"; did you mean '{meant}'?" if meant else f"; known here: {', '.join(siblings)}"
        message = f"unknown key '{dotted}'{hint}"
    elif error["type"] == "missing":
        choices = _choices_at(model, key)
        message = f"the key '{dotted}' is missing" + (f"; add '{key[-1]}: ' with one of {choices}" if choices else "")
    elif error["type"] in ("model_type", "dict_type", "model_attributes_type"):
        message = f"'{dotted}' should hold keys of its own, indented below it (given: {_shown(error['input'])})"
    elif error["type"] in ("too_short", "too_long"):
        bound = error["ctx"]
        limit = f"at least {bound['min_length']}" if error["type"] == "too_short" else f"at most {bound['max_length']}"
        message = f"'{dotted}' must hold {limit}, not {bound['actual_length']}"
    elif error["type"] == "string_type" and not isinstance(error["input"], list | dict | None):
        if _has(over, key):  # the shell has removed the quotes
            return UserError(f"'{dotted}' must be text: write \"{dotted}='{error['input']}'\" on the command line")
        message = f"'{dotted}' is {no_text(error['input'])}"
    else:
        reason = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
        reason = reason.replace("a valid tuple", "a list").replace("a valid list", "a list")
        reason = reason.replace("a valid boolean", "true or false").replace("a valid string", "a text")
        subject = f"'{dotted}' " if dotted else ""
        given = error.get("input")
        shown = f" (given: {_shown(given)})" if dotted and not isinstance(given, dict) else ""
        message = f"{subject}{reason}{shown}"
    if key and _has(over, key):
        return UserError(f"{message} (from the command line)")
    path, line = file.place(key) if key else (file.path, None)
    return UserError(message, path=path, line=line)


def no_text(value: Any) -> str:
    """``not text in YAML (7); put it in quotes …``: for a number, a date or a boolean where text is expected."""
    if isinstance(value, list | tuple | dict):
        return f"not text but {'keys with values' if isinstance(value, dict) else 'a list'} ({shown(value)})"
    given, meant = str(value), str(value)
    if isinstance(value, bool):
        given, meant = given.lower(), "yes" if value else "no"
    return f"not text in YAML ({given}); put it in quotes as you mean it, such as '{meant}'"


def _shown(value: Any) -> str:
    return "nothing" if value is None else shown(value)


def _has(values: Mapping[str, Any], key: KeyPath) -> bool:
    node: Any = values
    for part in key:
        if not isinstance(node, Mapping):
            return True  # the override set a parent of this key
        if part not in node:
            return False
        node = node[part]
    return True


def _fields_at(model: type[BaseModel], key: KeyPath) -> list[str]:
    current: Any = model
    for part in key:
        if get_origin(current) is dict:  # free names, each with the same fields below it
            current = get_args(current)[1]
            continue
        if get_origin(current) in (list, tuple):
            current = get_args(current)[0]
            continue
        section = _section(current)
        if section is None:
            return []
        info = section.model_fields.get(str(part))
        current = info.annotation if info else None
    section = _section(current)
    return [] if section is None else list(section.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a key of this type holds, if it does; it may also be null."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def _choices_at(model: type[BaseModel], key: KeyPath) -> str:
    """The values that a key may have if it takes one of a few names, otherwise nothing."""
    info = model.model_fields.get(str(key[-1])) if len(key) == 1 else None
    return ", ".join(map(str, get_args(info.annotation))) if info and get_origin(info.annotation) is Literal else ""


def _likely_meant(model: type[BaseModel], key: KeyPath, siblings: list[str]) -> str | None:
    """The dotted path most similar to the unknown `key`: the same name elsewhere, or a similar one, here first."""
    name, above = str(key[-1]), "".join(f"{part}." for part in key[:-1])
    everywhere: dict[str, str] = {}
    for path in all_paths(model):
        everywhere.setdefault(path.rpartition(".")[2], path)
    if name in everywhere:
        return everywhere[name]
    taught = normal(name)
    if KEYS.get(taught) in everywhere.values():
        return KEYS[taught]
    if taught in OPTIONS and TOP_KEY in everywhere:  # a data set has no options
        return OPTIONS[taught]
    if close := difflib.get_close_matches(name, siblings, n=1, cutoff=0.5):
        return above + close[0]
    close = difflib.get_close_matches(name, everywhere, n=1, cutoff=0.75)
    return everywhere[close[0]] if close else None


def all_paths(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key of a configuration, dotted."""
    for name, info in model.model_fields.items():
        yield above + name
        if get_origin(info.annotation) not in (list, tuple, dict) and (section := _section(info.annotation)):
            yield from all_paths(section, f"{above}{name}.")
