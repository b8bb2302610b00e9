"""YAML text to values: safe types only, no aliases that stand for millions of values, and no number that two versions
of YAML read differently."""

from __future__ import annotations

from typing import Any

import yaml

MAX_ALIASED = 100_000
"""Values that a text may stand for if it has aliases; without any, its own length is the limit."""


class RefusedYamlError(yaml.MarkedYAMLError):
    """Valid YAML that is not taken; `problem` says why."""


class TwoMeaningsError(RefusedYamlError):
    """A number with two meanings, which `problem` names."""


def parse_yaml(text: str) -> Any:
    """Return what YAML `text` holds.

    Raises:
        TwoMeaningsError: a number such as 010 (8 in YAML 1.1, 10 in 1.2) or 1:30 (90 in YAML 1.1, text in 1.2).
        RefusedYamlError: aliases of aliases that stand for more than `MAX_ALIASED` values.
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

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node


def _count(node: yaml.Node, counts: dict[int, float]) -> float:
    """The values of `node` with all aliases written out, as whoever shows or copies them meets them.

    `counts` has those of the nodes that were seen, so the work grows with the text and not with the result.

    Raises:
        RefusedYamlError: more than `MAX_ALIASED`, and more than the text has.
    """
    if id(node) in counts:
        return counts[id(node)]
    counts[id(node)] = float("inf")  # until it is known: an alias inside its own list has no end
    below = node.value if isinstance(node, yaml.CollectionNode) else ()
    pairs = isinstance(node, yaml.MappingNode)
    total = 1 + sum(_count(each, counts) for entry in below for each in (entry if pairs else (entry,)))
    counts[id(node)] = total
    if total > MAX_ALIASED and total > len(counts):
        problem = f"aliases (*name) stand for more than {MAX_ALIASED:,} values here: write the values that you need"
        raise RefusedYamlError(problem=problem, problem_mark=node.start_mark)
    return total


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
