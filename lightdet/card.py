"""What a model file says of itself: its task, classes, input and rule of decision; read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from lightdet.errors import UserError
from lightdet.structures import Preprocessing

TaskName = Literal["detect", "classify"]
METADATA_KEY = "lightdet"
"""Under this key the card stands in the metadata of a file, as JSON."""
FORMAT = 1


@dataclass(frozen=True)
class ModelCard:
    """What stands beside the weights of a trained model.

    Attributes:
        model: the model section of the configuration, as plain values; of a classifier with its ``task``.
        names: class names by label.
        preprocessing: how pictures become input.
        facts: anything worth keeping: metrics, epoch, data set, versions.
        decision: the rule by which pictures are OK or NG and what it promises (see `lightdet.runs.calibrate`).
    """

    model: dict[str, Any]
    names: tuple[str, ...]
    preprocessing: Preprocessing
    facts: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] | None = None

    @property
    def task(self) -> TaskName:
        """What the network does: ``detect`` or ``classify``."""
        return "classify" if isinstance(self.model, dict) and self.model.get("task") == "classify" else "detect"

    def as_metadata(self) -> dict[str, str]:
        """Return what goes into the file."""
        return {METADATA_KEY: json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False)}


def parse_model_card(metadata: Mapping[str, str], path: str | Path) -> ModelCard:
    """Read the card in the metadata of a trained model; `path` is its file, for messages.

    Raises:
        UserError: none is there, it is damaged, or from a newer version.
    """
    try:
        values = json.loads(metadata[METADATA_KEY])
        if values["format"] > FORMAT:
            raise UserError("was written by a newer lightdet; upgrade to read it", path=path)
        return ModelCard(
            model=values["model"],
            names=tuple(values["names"]),
            preprocessing=Preprocessing(**values["preprocessing"]),
            facts=values.get("facts", {}),
            decision=values.get("decision"),
        )
    except (KeyError, TypeError, ValueError):
        raise UserError("holds no lightdet model; give a best.safetensors or last.safetensors", path=path) from None


def peek_model_card(path: str | Path) -> ModelCard | None:
    """Return the card of a trained model, its tensors unread; None for what is missing, damaged or foreign."""
    try:
        with safe_open(path, framework="numpy") as file:
            return parse_model_card(file.metadata() or {}, path)
    except (OSError, SafetensorError, ValueError, UserError):
        return None
