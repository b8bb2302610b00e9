"""A switch is no number, and a number with two meanings is none: both are refused wherever YAML is read."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import lightdet.config
from lightdet.assembly.dataset import load_dataset
from lightdet.config.section import Section
from lightdet.config.yaml_file import load_yaml, parse_overrides
from lightdet.errors import UserError
from lightdet.plain_yaml import TwoMeaningsError, parse_yaml


def sections(above: type[Section] = Section) -> Iterator[type[Section]]:
    """Every kind of section of every file that lightdet reads."""
    for each in pkgutil.iter_modules(lightdet.config.__path__):
        importlib.import_module(f"lightdet.config.{each.name}")
    for section in above.__subclasses__():
        yield section
        yield from sections(section)


def keys() -> Iterator[tuple[type[Section], str, dict[str, Any]]]:
    for section in dict.fromkeys(sections()):
        if section.__module__.startswith("lightdet."):
            for name, schema in section.model_json_schema()["properties"].items():
                yield section, name, schema


def types_of(schema: Any) -> set[str]:
    """The types that a schema names, at any depth but in the sections that it refers to."""
    text = json.dumps(schema)
    return {kind for kind in ("boolean", "integer", "number", "string") if f'"type": "{kind}"' in text}


NUMBERS = [
    pytest.param(section, name, schema, id=f"{section.__name__}.{name}")
    for section, name, schema in keys()
    if types_of(schema) & {"integer", "number"} and "boolean" not in types_of(schema)
]


def test_the_sections_are_found() -> None:
    assert len(NUMBERS) > 80


@pytest.mark.parametrize(("section", "name", "schema"), NUMBERS)
@pytest.mark.parametrize("switch", [True, False])
def test_a_switch_is_no_number(section: type[Section], name: str, schema: Any, switch: bool) -> None:
    values: list[Any] = [switch]
    if '"array"' in json.dumps(schema):
        values += [[switch], [[switch, switch]], [0.5, switch], [8, 16, switch], [0.1, 0.1, switch, 0.1]]
    if "additionalProperties" in json.dumps(schema):
        values += [{"scratch": switch}]
    for value in values:
        with pytest.raises(ValidationError) as caught:
            section.model_validate({name: value})
        faults = [each for each in caught.value.errors() if each["loc"] and each["loc"][0] == name]
        assert faults, (name, value)


def readings(text: str) -> list[str]:
    """Places where a person writes a value."""
    return [f"key: {text}", f"key: [1, {text}]", f"key: {{a: {text}}}", f"key:\n- {text}", f"key: {{{text}: a}}"]


two_meanings = (
    st.integers(8, 10**6).map(lambda value: f"0{value:o}")
    | st.integers(8, 10**6).map(lambda value: f"-00{value:o}")
    | st.tuples(st.integers(1, 500), st.integers(0, 59)).map(lambda pair: f"{pair[0]}:{pair[1]:02}")
    | st.tuples(st.integers(1, 99), st.integers(0, 59), st.integers(0, 99)).map(lambda at: "{}:{:02}.{}".format(*at))
)


@given(text=two_meanings, where=st.integers(0, 4))
def test_a_number_with_two_meanings_is_refused(text: str, where: int) -> None:
    with pytest.raises(TwoMeaningsError, match=r"can mean .* or .*: write the one you mean"):
        parse_yaml(readings(text)[where])
    quoted = readings(f"'{text}'")[where]
    assert parse_yaml(quoted) == yaml.safe_load(quoted)


@given(
    st.one_of(
        st.integers(-(10**9), 10**9).map(str), st.floats(allow_nan=False).map(repr),
        st.integers(0, 7).map("0{}".format),
        st.sampled_from(["0x1f", "0b101", "1_000", "08", "0.5", "00.5", "1e-3", "2024-01-31", "12:75", "a:1", "1.2.3"]),
        st.text("0123456789abcxo:._-+ ", max_size=9).filter(lambda text: "0" not in text and ":" not in text),
    ),
    st.integers(0, 4),
)  # fmt: skip
def test_all_else_is_read_as_before(text: str, where: int) -> None:
    written = readings(text)[where]
    try:
        wanted = yaml.safe_load(written)
    except yaml.YAMLError:
        return
    assert parse_yaml(written) == wanted


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("010", "8 (octal) or 10"),
        ("-0010", "-8 (octal) or -10"),
        ("1:30", "90 (in base 60) or the text '1:30'"),
        ("1:30.5", "90.5 (in base 60) or the text '1:30.5'"),
    ],
)
def test_both_meanings_are_named_with_the_place(text: str, both: str, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"imgsz: 64\ntrain:\n  epochs: {text}\n")
    hint = ": write the one you mean, and if it is text, put it in quotes"
    with pytest.raises(UserError) as caught:
        load_yaml(file)
    assert str(caught.value) == f"{file}:3: {text} can mean {both}{hint}"
    with pytest.raises(UserError) as caught:
        parse_overrides([f"train.epochs={text}"])
    assert str(caught.value) == f"'train.epochs={text}': {text} can mean {both}{hint}"
    data = tmp_path / "data.yaml"
    data.write_text(f"path: .\ntrain: train/images\nnames:\n  0: a\n  {text}: b\n")
    with pytest.raises(UserError, match="can mean"):
        load_dataset(data)
