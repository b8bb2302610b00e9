"""The configuration of each network: ``model.name`` chooses it, and with it the keys of ``model`` and ``loss``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from lightdet.config.anchor_free import YoloxConfig
from lightdet.config.networks import NetworkConfig
from lightdet.config.schema import Config, NanoConfig, PlusConfig, RunConfig, YoloConfig
from lightdet.config.torchvision_detectors import FasterRCNNConfig, SSDConfig
from lightdet.config.yaml_file import YamlFile, merge, parse_overrides, validate
from lightdet.errors import UserError
from lightdet.wording import named

TASK = "detect"
DEFAULT_NAME = "lightdet"
FAMILIES: tuple[type[RunConfig], ...] = (
    Config,
    NanoConfig,
    PlusConfig,
    YoloConfig,
    YoloxConfig,
    FasterRCNNConfig,
    SSDConfig,
)
"""One class of run configuration per family of networks; the names are listed at their ``model.name``."""


def network_names() -> list[str]:
    """All networks, by the name that ``model.name`` takes."""
    return [name for family in FAMILIES for name in _names(family)]


def load_config(file: YamlFile, overrides: Sequence[str] = ()) -> RunConfig:
    """Check `file` with ``key.path=value`` overrides against the configuration of the network that it names.

    Raises:
        UserError: an unknown network; otherwise as `lightdet.config.validate`.
    """
    file, overrides = _without_task(file, overrides)
    over = parse_overrides(overrides)
    if {"splits", "names"} & set(file.values) and "model" not in file.values:
        raise UserError("is the YAML of a data set: give it with --data, not as a configuration", path=file.path)
    model = merge(file.values, over).get("model")
    name = model.get("name", DEFAULT_NAME) if isinstance(model, Mapping) else DEFAULT_NAME
    given = over.get("model")
    told_by_override = isinstance(given, Mapping) and "name" in given
    return validate(_family(name, file, ("model", "name"), told_by_override), file, overrides)


def _without_task(file: YamlFile, overrides: Sequence[str]) -> tuple[YamlFile, Sequence[str]]:
    """Remove ``task: detect``, which is implied here."""
    if file.values.get("task") == TASK:
        values = {key: value for key, value in file.values.items() if key != "task"}
        file = YamlFile(values, file.path, file.places)
    return file, [text for text in overrides if text.replace(" ", "") != f"task={TASK}"]


def load_network_config(file: YamlFile) -> NetworkConfig:
    """Check only the ``model`` section, as stored in a model's card.

    Raises:
        UserError: an unknown network; otherwise as `lightdet.config.validate`.
    """
    family = _family(file.values.get("name", DEFAULT_NAME), file, ("name",), from_command_line=False)
    return validate(_model_class(family), file)


def _family(name: Any, file: YamlFile, key: tuple[str, ...], from_command_line: bool) -> type[RunConfig]:
    for family in FAMILIES:
        if name in _names(family):
            return family
    known = network_names()
    close = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) else []
    hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"
    message = f"'{'.'.join(key)}': there is no network called {named(name)}{hint}"
    if from_command_line:
        raise UserError(f"{message} (from the command line)")
    path, line = file.place(key)
    raise UserError(message, path=path, line=line)


def _model_class(family: type[RunConfig]) -> type[NetworkConfig]:
    found = family.model_fields["model"].annotation
    assert isinstance(found, type)  # noqa: S101 - for the type checker
    assert issubclass(found, NetworkConfig)  # noqa: S101
    return found


def _names(family: type[RunConfig]) -> tuple[str, ...]:
    return get_args(_model_class(family).model_fields["name"].annotation)
