"""The output folder of a comparison: what it was started with, and whether it may be written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lightdet.config import RunConfig, YamlFile, load_yaml
from lightdet.config.classification import ClassifyConfig
from lightdet.errors import UserError
from lightdet.files import write_json, write_text
from lightdet.runs.compare.request import Entry
from lightdet.runs.data_facts import same_facts
from lightdet.runs.kept_config import FREE, differences
from lightdet.runs.kept_plan import FORMAT, PLAN_NAME, kept_plan
from lightdet.runs.resume import STATE_FILE
from lightdet.tasks import read_config
from lightdet.tasks.comparing import Comparing

MODELS = "models"
CONFIG_NAME = "config.yaml"


def open_plan(folder: Path, data: Mapping[str, Any], entries: Sequence[Entry], comparing: Comparing) -> None:
    """Start a comparison in `folder`, or continue the one in it; models and seeds may be added, but not changed.

    Args:
        folder: new, empty, or a comparison's.
        data: classes and fingerprints of the splits for training, plain values.
        entries: the current request.
        comparing: of the task, to say what has changed.

    Raises:
        UserError: the folder holds something else; other data or another configuration than it was started with.
    """
    path = folder / PLAN_NAME
    kept = kept_plan(folder, "comparison", "comparison", ("data", "models")) or {}
    _check_data(kept.get("data", {}), data, folder, comparing)
    for entry in entries:
        if entry.config is not None:
            _keep_config(folder / MODELS / entry.name, entry.config)
    models = kept.get("models", {}) | {entry.name: _summary(entry) for entry in entries}
    merged = {**kept.get("data", {}), **data}
    write_json(path, {"comparison": FORMAT, "data": merged, "models": models})


def _summary(entry: Entry) -> dict[str, Any]:
    return {"kind": entry.kind, "files": [str(path) for path in entry.files], "seeds": list(entry.seeds)}


def _check_data(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path, comparing: Comparing) -> None:
    for key, value in now.items():
        old = before.get(key)
        if old is None or old == value or (key != "classes" and same_facts(old, value)):
            continue
        if key == "classes":
            raise UserError(
                f"this comparison was started with the classes {', '.join(old)}, the data set now has "
                f"{', '.join(value)}; use another --output",
                path=folder,
            )
        then, changed = comparing.tell(old), comparing.tell(value)
        detail = f"{then} then, {changed} now" if then != changed else f"{comparing.labels} or files were changed"
        raise UserError(
            f"the split '{key}' is not what this comparison was started with ({detail}); use another --output",
            path=folder,
        )


def _keep_config(folder: Path, config: RunConfig | ClassifyConfig) -> None:
    """Write the configuration for the runs in `folder`, unless they were started with another."""
    path = folder / CONFIG_NAME
    begun = any(folder.glob(f"seed*/{STATE_FILE}"))
    wanted = config.model_dump(mode="json")
    if begun and path.exists():
        before = read_config(load_yaml(path)).model_dump(mode="json")
        for key, old, new in differences(before, wanted):
            if key not in (*FREE, "train.seed") and not key.startswith("eval."):
                raise UserError(
                    f"was started with {key}: {old}, and now it would be {new}; a comparison cannot change. "
                    "Use another --output, give the row another name, or remove this folder to train it again",
                    path=folder,
                )
        # The evaluation may change later; a training that continues needs the one it had.
        wanted["eval"] = before["eval"]
    wanted["train"].pop("seed")
    read_config(YamlFile(wanted, path))
    write_text(path, yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True))
