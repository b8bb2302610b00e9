"""``lightdet compare``: several detectors, or several classifiers, the same data and training, one page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lightdet.cli.common import ALL
from lightdet.errors import UserError
from lightdet.options.base import flag_of, parameters_of
from lightdet.options.compare import CompareOptions

MODEL_ENDINGS = (".yaml", ".yml", ".safetensors")
Models = Annotated[
    str,
    Parameter(
        name="[NAME=]MODEL|KEY.PATH=VALUE",
        help="Configurations (.yaml) to train, trained models (.safetensors), and values for all configurations.",
    ),
]


def compare(*models: Models, options: Annotated[CompareOptions, ALL]) -> int:
    """Train, score and time several detectors, or classifiers, alike: comparison.html, .md, .json and tables/*.csv.

    The same command continues an interrupted comparison, and adds new models and seeds.
    Exit code 1 if a training failed: the others are compared, and the page says why.
    """
    from lightdet.api.compare import compared
    from lightdet.display.comparing import CompareDisplay

    files, overrides, numbers = _sort(models)
    seeds = _seeds(options.seeds, numbers)
    options = replace(options, models=files, overrides=overrides, seeds=seeds or (0,))
    options = replace(options, command=_command(options, [*files, *overrides], seeds))
    return 1 if compared(options, CompareDisplay()).problems else 0


def _sort(texts: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Files, overrides and bare numbers (seeds) among the arguments."""
    files, overrides, numbers = [], [], []
    for text in texts:
        key, equals, value = text.partition("=")
        if text.isascii() and text.isdecimal() and not Path(text).exists():
            numbers.append(text)
        elif equals and not Path(text).exists() and ("." in key or not value.lower().endswith(MODEL_ENDINGS)):
            overrides.append(text)
        else:
            files.append(text)
    return files, overrides, numbers


def _seeds(given: Sequence[int | str], numbers: list[str]) -> tuple[int, ...]:
    """``--seeds 0 1 2``: the numbers after the first come as arguments."""
    from lightdet.runs.compare.request import parse_seeds

    if numbers and not given:
        raise UserError(f"'{numbers[0]}' is neither a file nor KEY.PATH=VALUE; give seeds with --seeds")
    found = parse_seeds([*map(str, given), *numbers])
    if given and not found:
        raise UserError("--seeds: give whole numbers, such as 0,1,2")
    return found


def _command(options: CompareOptions, words: list[str], seeds: tuple[int, ...]) -> str:
    """The command as one would type it: only the options that were given."""
    words, types = ["lightdet", "compare", *words], options.types()
    for field in fields(options):
        declared, flag = types[field.name], flag_of(types[field.name], field.name)
        hidden = any(parameter.parse is False for parameter in parameters_of(declared))
        if field.name == "seeds" or hidden:
            continue
        value = getattr(options, field.name)
        if value is False and field.default is True:
            words.append(f"--no-{flag.removeprefix('--')}")
        elif value is True and field.default is False:
            words.append(flag)
        elif value not in (None, (), field.default) and str(value) != str(field.default):
            for each in value if isinstance(value, tuple) else [value]:
                words += [flag, str(each)]
    return shlex.join([*words, *(["--seeds", ",".join(map(str, seeds))] if seeds else [])])
