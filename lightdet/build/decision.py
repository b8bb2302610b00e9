"""The decision rule that a model file brings along, where it was calibrated (`lightdet.build.calibration`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.decisions import DecisionRule
from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.inference.predictor import Predictor

_METADATA_KEY = "lightdet"


def stored_rule(path: str | Path, predictor: Predictor) -> DecisionRule | None:
    """Return the calibrated rule of a checkpoint, or of what was exported from one; None where it has none.

    Args:
        path: the model file.
        predictor: as `lightdet.load` gave it for this file.

    Raises:
        UserError: the rule is damaged.
    """
    record = _of_checkpoint(Path(path)) if Path(path).suffix == ".safetensors" else _of_export(predictor)
    if record is None:
        return None
    if not isinstance(record, dict) or "rule" not in record:
        raise UserError("its decision rule is damaged; calibrate it again", path=path)
    return DecisionRule.from_dict(record["rule"], path)


def _of_checkpoint(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(path, framework="np") as file:  # its header alone; needs no torch
            metadata = file.metadata() or {}
        return json.loads(metadata[_METADATA_KEY]).get("decision")
    except (OSError, SafetensorError, KeyError, ValueError, AttributeError):
        return None  # no file of ours: loading it says more


def _of_export(predictor: Predictor) -> Any:
    card = getattr(predictor.runtime, "card", None)
    stored = getattr(card, "decision", None)
    return stored if stored is not None else getattr(card, "facts", {}).get("decision")
