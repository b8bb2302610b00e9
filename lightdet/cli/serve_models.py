"""The models of ``lightdet serve``: one from the command line, or several from a YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.errors import UserError
from lightdet.missing import require_file
from lightdet.options.base import flag_of
from lightdet.options.serve import ServeOptions
from lightdet.options.serve_model import ServedModelOptions

if TYPE_CHECKING:
    from lightdet.config.line_up import ServedModelSection
    from lightdet.config.yaml_file import YamlFile
    from lightdet.service.model_settings import ModelSettings


def model_settings(options: ServeOptions) -> tuple[ModelSettings, ...]:
    """Return the settings of each model.

    Raises:
        UserError: a fault in the YAML or in a file of zones; options for one model beside a YAML file.
    """
    if Path(options.model).suffix.lower() not in (".yaml", ".yml"):
        return (_one(options),)
    flags = {flag_of(declared, name) for name, declared in ServedModelOptions.types().items()} - {"MODEL"}
    if given := sorted(flags & options.given().keys()):
        raise UserError(
            f"{given[0]} is for one model: write it into the file, to the model that it is for", path=options.model
        )
    from lightdet.config.line_up import check_line_up
    from lightdet.config.yaml_file import load_yaml

    file = load_yaml(Path(options.model))
    return tuple(_named(name, model, file) for name, model in check_line_up(file).models.items())


def _one(options: ServeOptions) -> ModelSettings:
    return _settings(
        options,
        Path(options.model),
        zones=options.zones,
        thresholds=_by_class(options.class_threshold, "--class-threshold"),
        min_sizes=_by_class(options.class_min_size, "--class-min-size"),
    )


def _named(name: str, section: ServedModelSection, file: YamlFile) -> ModelSettings:
    from lightdet.storage.kept import local_file

    try:
        model = Path(local_file(section.file))
        require_file(model)
    except UserError as error:
        path, line = file.place(("models", name, "file"))
        raise UserError(f"the model '{name}': {error}", path=path, line=line) from None
    return _settings(
        section,
        model,
        name=name,
        zones=section.zones,
        thresholds=section.class_threshold,
        min_sizes=section.class_min_size,
    )


def _settings(given: Any, file: Path, *, zones: str | Path | None, **own: Any) -> ModelSettings:
    """The same for the service; `given` has the other values by their names."""
    from lightdet.assembly.zones import read_zones
    from lightdet.service.model_settings import ModelSettings

    same = {field.name: getattr(given, field.name) for field in fields(ModelSettings) if hasattr(given, field.name)}
    zones_file = None if zones is None else Path(zones)
    read = None if zones_file is None else read_zones(zones_file)
    threads = {"threads": None}  # the service's, for all of them
    return ModelSettings(
        **{
            **same,
            **threads,
            "model": file,
            "agnostic": given.agnostic or None,
            "zones": read,
            "zones_file": zones_file,
            **own,
        }
    )


def _by_class(values: Sequence[str], option: str) -> dict[str, float]:
    """Turn ``--class-threshold scratch=0.4 …`` into numbers by class name."""
    found: dict[str, float] = {}
    for value in values:
        name, sign, number = value.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise UserError(f"{option} '{value}': write NAME=NUMBER, such as {option} scratch=0.4")
    return found
