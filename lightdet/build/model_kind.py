"""Whether a model file or an export holds a detector or a classifier, told from its card without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lightdet.config.classification import TASK
from lightdet.errors import UserError
from lightdet.inference.open_exported import SUFFIXES, read_card

METADATA_KEY = "lightdet"  # of lightdet.models.weights, whose import would bring torch


def is_classifier(path: str | Path) -> bool:
    """Whether the card of a model file says that it gives whole pictures a class.

    False as well for what is missing, damaged or foreign: who loads it tells more.
    """
    return judges_pictures(path) is True


def judges_pictures(path: str | Path) -> bool | None:
    """True for a classifier, False for a detector, None for what is missing, damaged or foreign."""
    if Path(path).suffix.lower() in SUFFIXES:
        try:
            return read_card(path).outputs == "probabilities"
        except UserError:
            return None
    card = card_of(path)
    return None if card is None else isinstance(card["model"], dict) and card["model"].get("task") == TASK


def card_of(path: str | Path) -> dict[str, Any] | None:
    """The card of a trained model, with its key ``model``; None for what is missing, damaged or foreign."""
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {})[METADATA_KEY])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return card if isinstance(card, dict) and "model" in card else None
