"""A service as a process of its own, with the network of the tests: ``serve_colors.py READY.json FIELD=VALUE …``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from colors import load_colors
from one_model import one_model

from lightdet.assembly.zones import read_zones
from lightdet.errors import UserError
from lightdet.service.alarms import AlarmRules
from lightdet.service.keep_pictures import Choice, KeepPictures
from lightdet.service.model_settings import ModelSettings
from lightdet.service.run import run
from lightdet.service.settings import Limits


def main(ready: str, *given: str) -> int:
    values: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    alarms: dict[str, Any] = {}
    for each in given:
        name, _, value = each.partition("=")
        group, _, key = name.rpartition(".")
        {"": values, "limits": limits, "alarms": alarms}[group][key] = json.loads(value)
    for name in ("model", "tls_cert", "tls_key", "zones_file"):
        if name in values:
            values[name] = Path(values[name])
    if "pictures_url" in values:
        folder = Path(values["database"]).with_name("waiting")
        values["pictures"] = KeepPictures(Choice(True), folder, free=0, url=values.pop("pictures_url"))
    if "zones_file" in values:
        values["zones"] = read_zones(values["zones_file"])
    if "models" in values:  # by name: the file, or the file and a threshold
        named = {name: file if isinstance(file, list) else [file, None] for name, file in values["models"].items()}
        values["models"] = tuple(
            ModelSettings(Path(file), name, threshold=threshold) for name, (file, threshold) in named.items()
        )
        del values["model"]
    model = values.pop("model", Path())
    try:
        run(one_model(model, **values, limits=Limits(**limits), alarms=AlarmRules(**alarms)), Path(ready), load_colors)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
