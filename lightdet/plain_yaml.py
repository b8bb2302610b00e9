"""YAML text to values: safe types only, and no number that two versions of YAML read differently."""

from __future__ import annotations

from typing import Any

import yaml


class TwoMeaningsError(yaml.MarkedYAMLError):
    """A number with two meanings, which `problem` names."""


def parse_yaml(text: str) -> Any:
    """Return what YAML `text` holds.

    Raises:
        TwoMeaningsError: a number such as 010 (8 in YAML 1.1, 10 in 1.2) or 1:30 (90 in YAML 1.1, text in 1.2).
        yaml.YAMLError: not valid YAML.
        ValueError: a date that does not exist.
        RecursionError: too deep.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """PyYAML's, which reads YAML 1.1."""


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    value: int = loader.construct_yaml_int(node)
    digits = str(node.value).replace("_", "").lstrip("+-")
    if digits.isdecimal() and int(digits) != abs(value):
        raise _two_meanings(node, f"{value} (octal) or {'-' if value < 0 else ''}{int(digits)}")
    return int(_no_base_60(node, value))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    value: float = loader.construct_yaml_float(node)
    return _no_base_60(node, value)


def _no_base_60(node: yaml.ScalarNode, value: float) -> float:
    if ":" in node.value:
        raise _two_meanings(node, f"{value} (in base 60) or the text '{node.value}'")
    return value


def _two_meanings(node: yaml.ScalarNode, both: str) -> TwoMeaningsError:
    problem = f"{node.value} can mean {both}: write the one you mean, and if it is text, put it in quotes"
    return TwoMeaningsError(problem=problem, problem_mark=node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
