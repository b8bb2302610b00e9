"""A file of zones → `Zones`, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from lightdet.config.yaml_file import YamlFile, load_yaml
from lightdet.config.zones import check_zones
from lightdet.decisions.zones import ZoneError, Zones
from lightdet.errors import UserError


def read_zones(path: str | Path, names: Sequence[str] | None = None) -> Zones:
    """Read a file of zones (`lightdet.config.zones`).

    Args:
        path: the YAML file.
        names: the model's classes, if they are known.

    Raises:
        UserError: a fault in it, with its line.
    """
    return _checked(load_yaml(path), names)


def zones_of_values(values: Any, names: Sequence[str] | None = None) -> Zones:
    """Return zones from plain values in the form of a file.

    Raises:
        UserError: a fault in them.
    """
    if not isinstance(values, dict):
        raise UserError("zones are an object with 'units' and 'zones'")
    return _checked(YamlFile(values), names)


def _checked(file: YamlFile, names: Sequence[str] | None) -> Zones:
    section = check_zones(file)
    try:
        zones = Zones.from_dict(section.model_dump(exclude_none=True))
        if names is not None:
            zones.check_names(names)
    except ZoneError as error:
        path, line = file.place(("zones", error.number))
        raise UserError(error.message, path=path, line=line) from None
    except UserError as error:
        raise UserError(error.message, path=file.path) from None
    return zones


def zones_text(zones: Zones) -> str:
    """Return the file of `zones`: YAML that `read_zones` reads, with a polygon per line."""
    values = zones.as_dict()
    lines = [f"units: {values['units']}", *([f"size: {_inline(values['size'])}"] if zones.size else [])]
    lines.append("zones:")
    for zone in values["zones"]:
        for index, (key, value) in enumerate(zone.items()):
            lines.append(f"  {' ' if index else '-'} {key}: {_inline(value)}")
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    """As in JSON, which YAML reads, but for 1e-06, which is no number there; a class called 'no' needs its quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_inline(key)}: {_inline(each)}' for key, each in value.items())}}}"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return json.dumps(value, ensure_ascii=False)
