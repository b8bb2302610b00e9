"""A model's boxes for the pictures of a folder, kept beside them until a person accepts or corrects them.

``FOLDER/.lightdet/proposals.json`` holds ``model`` (its name), ``classes`` and ``pictures``: by a picture's place in
the folder, a list of ``{"name", "box": [x1, y1, x2, y2], "score"}``, in pixels of the picture as shown. Nothing but
``lightdet label`` reads it: a proposal is no label.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.errors import UserError
from lightdet.files import write_json

PLACE = Path(".lightdet") / "proposals.json"
_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class KeptProposal:
    """A box that a model proposed: ``x1, y1, x2, y2`` in pixels, its class, and its score in 0-1."""

    box: tuple[float, float, float, float]
    name: str
    score: float


@dataclass(frozen=True)
class KeptProposals:
    """What the file holds; `pictures` by their place in the folder, with ``/``."""

    model: str
    classes: tuple[str, ...]
    pictures: Mapping[str, Sequence[KeptProposal]]


def write_proposals(folder: Path, kept: KeptProposals) -> None:
    """Write the file of `folder`, whole or not at all."""
    pictures = {
        name: [{"name": each.name, "box": list(each.box), "score": each.score} for each in found]
        for name, found in kept.pictures.items()
    }
    write_json(folder / PLACE, {"model": kept.model, "classes": list(kept.classes), "pictures": pictures})


def read_proposals(folder: Path) -> KeptProposals | None:
    """Read the file of `folder`; None if there is none.

    Raises:
        UserError: it cannot be read, or is not what `write_proposals` writes.
    """
    path = folder / PLACE
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"is larger than {_MOST_BYTES >> 20} MiB; delete it to label without proposals", path=path)
        return _read(json.loads(path.read_bytes()))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError("is damaged; delete it to label without proposals", path=path) from None


def _read(values: Any) -> KeptProposals:
    """Raises one of many built-in errors where the values are of another kind."""
    classes = tuple(_text(name) for name in _list(values["classes"]))
    pictures = {name: [_proposal(each) for each in _list(found)] for name, found in values["pictures"].items()}
    return KeptProposals(_text(values["model"]), classes, pictures)


def _proposal(values: Any) -> KeptProposal:
    x1, y1, x2, y2, score = (_number(value) for value in (*_list(values["box"]), values["score"]))
    if x2 <= x1 or y2 <= y1 or not 0.0 <= score <= 1.0:
        raise ValueError("no box")
    return KeptProposal((x1, y1, x2, y2), _text(values["name"]), score)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("no number")
    return float(value)
