"""The output folder of a cross-validation: what it was started with, so that the same command continues it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lightdet.config import YamlFile
from lightdet.data.fold_file import Folds, read_folds, write_folds
from lightdet.errors import UserError
from lightdet.files import write_json, write_text
from lightdet.runs.data_facts import DIGEST
from lightdet.runs.kept_config import FREE, differences
from lightdet.runs.kept_plan import FORMAT, PLAN_NAME, kept_plan
from lightdet.tasks import AnyConfig, read_config

FOLDS_NAME, CONFIG_NAME = "folds.json", "config.yaml"


def open_plan(folder: Path, data: Mapping[str, Any], config: AnyConfig, divide: Callable[[], Folds]) -> Folds:
    """Start a cross-validation in `folder`, or continue the one in it.

    Args:
        folder: new, empty, or a cross-validation's.
        data: classes, number of folds, seed, and fingerprints of the splits: plain values.
        config: of every training.
        divide: draws the folds, if that has not been done.

    Raises:
        UserError: the folder holds something else, or what was started with other data, folds or settings.
    """
    path, wanted = folder / PLAN_NAME, config.model_dump(mode="json")
    kept = kept_plan(folder, "crossval", "cross-validation", ("data", "config"))
    if kept is not None:
        _refuse_changes(folder, kept["data"], data, "data")
        _refuse_changes(folder, kept["config"], wanted, "settings")
    # Drawn before anything is written: pictures that cannot be divided leave a folder for another try.
    drawn = None if (folder / FOLDS_NAME).exists() else divide()
    if kept is None:
        write_json(path, {"crossval": FORMAT, "data": dict(data), "config": wanted})
    read_config(YamlFile(wanted, folder / CONFIG_NAME))
    write_text(folder / CONFIG_NAME, yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True))
    if drawn is not None:
        write_folds(folder / FOLDS_NAME, drawn)
    return read_folds(folder / FOLDS_NAME)


def _refuse_changes(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    for key, old, new in differences(before, json.loads(json.dumps(now))):
        is_digest = key == f"pictures.{DIGEST}"
        if key in FREE or (is_digest and old is None):  # earlier versions kept no digest
            continue
        other = "pictures or labels" if is_digest else f"{what} ({key}: {old} then, {new} now)"
        raise UserError(f"this cross-validation was started with other {other}; use another --output", path=folder)
