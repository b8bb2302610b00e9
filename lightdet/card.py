"""What a model file says about itself: its task, classes, input and decision rule; read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from safetensors import SafetensorError, safe_open

from lightdet.errors import UserError
from lightdet.structures import Preprocessing, Tiling

TaskName = Literal["detect", "classify"]
METADATA_KEY = "lightdet"
"""The key of the card in a file's metadata, as JSON."""
FORMAT = 1
SHOWN_FROM = 0.25
"""Lowest score of a box that is reported, where a card says nothing of it."""
MAX_CARD = 4 << 20
"""Longest card that is read, in characters: one with ten thousand classes has a tenth of it."""
MAX_CLASSES = 10_000
MAX_NAME = 1000
"""Longest name of a class, in characters."""
DAMAGED = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What reading an invalid card may raise; JSON allows numbers too large for a float, and lists of any depth."""


class Card(Protocol):
    """What the cards of a trained model and an export have in common."""

    @property
    def task(self) -> TaskName:
        """What the network does."""


@dataclass(frozen=True)
class ModelCard:
    """The card stored with the weights of a trained model.

    Attributes:
        model: the model section of the configuration, as plain values; for a classifier with its ``task``.
        names: class names by label.
        preprocessing: how pictures become input.
        facts: anything worth keeping: metrics, epoch, data set, versions.
        decision: the OK/NG rule and what it promises (see `lightdet.runs.calibrate`).
        tiles: how large pictures were cut in training; None: they were not.
        confidence: lowest score of a box that is reported unless another one is asked for (`eval.show_confidence`).
    """

    model: dict[str, Any]
    names: tuple[str, ...]
    preprocessing: Preprocessing
    facts: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] | None = None
    tiles: Tiling | None = None
    confidence: float = SHOWN_FROM

    @property
    def task(self) -> TaskName:
        """What the network does: ``detect`` or ``classify``."""
        return "classify" if isinstance(self.model, dict) and self.model.get("task") == "classify" else "detect"

    def as_metadata(self) -> dict[str, str]:
        """Return the card as file metadata."""
        return {METADATA_KEY: json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False)}


def parse_model_card(metadata: Mapping[str, str], path: str | Path) -> ModelCard:
    """Read the card in the metadata of a trained model; `path` is its file, for messages.

    Raises:
        UserError: none is there, it is damaged, or from a newer version.
    """
    if METADATA_KEY not in metadata:
        raise UserError("holds no lightdet model; give a best.safetensors or last.safetensors", path=path)
    try:
        values = card_values(metadata[METADATA_KEY], path)
        card = ModelCard(
            model=values["model"],
            names=class_names(values["names"]),
            preprocessing=Preprocessing(**values["preprocessing"]),
            facts=values.get("facts", {}),
            decision=values.get("decision"),
            tiles=card_tiles(values.get("tiles")),
            confidence=float(values.get("confidence", SHOWN_FROM)),
        )
        if not (isinstance(card.model, dict) and isinstance(card.facts, dict) and 0.0 <= card.confidence <= 1.0):
            raise TypeError("damaged")
    except DAMAGED:
        raise UserError("its model card is damaged; train or export it again", path=path) from None
    return card


def check_task(card: Card, wanted: TaskName, path: str | Path) -> None:
    """Refuse a model of the other task; `path` is its file, for the message.

    Raises:
        UserError: it is.
    """
    if card.task != wanted:
        called = {"detect": "detector", "classify": "classifier"}
        raise UserError(f"is a {called[card.task]}, and a {called[wanted]} is needed here", path=path)


def card_values(text: str, path: str | Path) -> dict[str, Any]:
    """Return the content of a card, without its format.

    Raises:
        UserError: of a newer version.
        KeyError, TypeError, ValueError, RecursionError: not a card, or longer than `MAX_CARD`, or a key is given twice.
    """
    if len(text) > MAX_CARD:
        raise ValueError(f"longer than {MAX_CARD} characters")
    values = json.loads(text, object_pairs_hook=_each_key_once)
    if values.pop("format") > FORMAT:
        raise UserError("was written by a newer lightdet; upgrade to read it", path=path)
    if not isinstance(values.get("decision"), dict | None):
        raise TypeError("decision")
    return dict(values)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dictionary; ValueError if a key is given twice: other readers may take the other value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def class_names(values: Any) -> tuple[str, ...]:
    """Return the class names of a card, by label, checked.

    Raises:
        ValueError: none, more than `MAX_CLASSES`, one that is not text, empty, longer than `MAX_NAME` or not writable.
        TypeError: not a list.
    """
    names = tuple(values)
    if not 0 < len(names) <= MAX_CLASSES:
        raise ValueError(f"{len(names)} classes")
    for name in names:
        if not (isinstance(name, str) and 0 < len(name) <= MAX_NAME):
            raise ValueError("a name")
        name.encode()  # half of a surrogate pair is possible in JSON, but nowhere else
    return names


def card_tiles(values: Any) -> Tiling | None:
    """Return the tiles of a card, checked.

    Raises:
        TypeError, ValueError: not tiles.
    """
    return None if values is None else Tiling(**values)


def has_card(path: str | Path) -> bool:
    """Whether a file is a trained model of lightdet's, whatever is in its card; needs no torch."""
    try:
        with safe_open(path, framework="numpy") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (OSError, SafetensorError, ValueError):
        return False


def peek_model_card(path: str | Path) -> ModelCard | None:
    """Return the card of a trained model without reading its tensors; None if missing, damaged or foreign."""
    try:
        with safe_open(path, framework="numpy") as file:
            return parse_model_card(file.metadata() or {}, path)
    except (OSError, SafetensorError, ValueError, UserError):
        return None
