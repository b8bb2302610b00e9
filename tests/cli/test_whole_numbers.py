"""A whole number is digits alone: no option of any command rounds a fraction to something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_args

import pytest
from cyclopts import Token
from cyclopts.exceptions import CoercionError

from lightdet.cli.app import COMMANDS, GROUPS, app, main


def commands() -> Iterator[tuple[str, ...]]:
    for name in COMMANDS:
        yield (name,)
    for group, (_app, names) in GROUPS.items():
        for name in names:
            yield group, name


Convert = Callable[[str], Any]


def whole_numbers(command: tuple[str, ...]) -> list[Convert]:
    """For each option of the command that takes a whole number and nothing else: what is made of a given text."""
    below = app
    for name in command:
        below = below[name]
    everything = below.assemble_argument_collection(default_parameter=app.default_parameter)
    above = {id(child): each for each in everything for child in each.children_recursive}
    found: list[Convert] = []
    for argument in everything:
        kinds = {argument.hint, *get_args(argument.hint)}
        if argument.parse and int in kinds and str not in kinds:
            # the fields of a command's options are converted as the options are
            converter = above.get(id(argument), argument).parameter.converter
            found.append(partial(converted, argument, converter))
    return found


def converted(argument: Any, converter: Any, text: str) -> Any:
    argument.append(Token(keyword=argument.name, value=text, source="cli"))
    return argument.convert(converter)


def test_there_are_such_options() -> None:
    assert sum(len(whole_numbers(command)) for command in commands()) > 80


@pytest.mark.parametrize("command", [*commands()], ids=" ".join)
@pytest.mark.parametrize("text", ["1.5", "0.4", "320.0", "1e3", "0x20", "1_000", "٣", ""])
def test_no_whole_number_option_takes_anything_else(command: tuple[str, ...], text: str) -> None:
    for convert in whole_numbers(command):
        with pytest.raises(CoercionError):
            convert(text)


@pytest.mark.parametrize("command", [*commands()], ids=" ".join)
@pytest.mark.parametrize(("text", "number"), [("0", 0), ("64", 64), ("+32", 32), ("-3", -3), ("007", 7)])
def test_digits_are_taken(command: tuple[str, ...], text: str, number: int) -> None:
    for convert in whole_numbers(command):
        assert convert(text) == number


def test_a_fraction_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "part.png", "-w", "model.onnx", "--tile", "0.4"]) == 2
    told = "error: Invalid value for '--tile': '0.4' is no whole number; see 'lightdet detect --help'\n"
    assert capsys.readouterr().err == told


def test_a_variable_is_read_alike(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTDET_PORT", "80.4")
    assert main(["serve", "model.onnx"]) == 2
    assert "LIGHTDET_PORT': '80.4' is no whole number" in capsys.readouterr().err
