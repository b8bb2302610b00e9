"""What a model finds in the pictures, to be accepted or corrected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lightdet.data.proposal_file import KeptProposals
from lightdet.errors import UserError
from lightdet.labelling.marks import Box
from lightdet.labelling.pictures import Picture
from lightdet.runs.load import load
from lightdet.tasks import require_detector

LOWEST_SCORE = 0.05
"""Boxes below this score are never proposed."""


@dataclass(frozen=True)
class Proposal:
    """A box that a model proposes; score in 0-1."""

    box: Box
    name: str
    score: float


class Source(Protocol):
    """Where proposals come from.

    Attributes:
        name: what the model is called.
    """

    name: str

    def of(self, picture: Picture) -> list[Proposal]:
        """Return what is proposed for a picture, the best first.

        Raises:
            UserError: the picture cannot be read.
        """


class StoredProposals:
    """Boxes that were written beside the pictures, see `lightdet.data.proposal_file`.

    Args:
        kept: what the file holds.
        classes: the folder's classes; boxes of others are left out.
    """

    def __init__(self, kept: KeptProposals, classes: Sequence[str]) -> None:
        self.name = kept.model
        self._kept, self._classes = kept, classes

    def of(self, picture: Picture) -> list[Proposal]:
        """Return what was proposed for a picture, the best first."""
        found = [Proposal(each.box, each.name, each.score) for each in self._kept.pictures.get(picture.name, ())]
        return sorted((each for each in found if each.name in self._classes), key=lambda each: -each.score)


class Proposals:
    """A model's boxes, each picture's computed once.

    Args:
        predictor: takes a path.
        name: what the model is called.
        classes: the folder's classes; boxes of others are left out.
    """

    def __init__(self, predictor: Callable[[Path], Any], name: str, classes: Sequence[str]) -> None:
        self.name = name
        self._predictor, self._classes = predictor, classes
        self._lock = threading.Lock()
        self._found: dict[str, list[Proposal]] = {}

    def of(self, picture: Picture) -> list[Proposal]:
        """Return what the model finds, the best first.

        Raises:
            UserError: the picture cannot be read.
        """
        with self._lock:
            if picture.name not in self._found:
                found = self._predictor(picture.path)
                rows = zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
                every = [Proposal(tuple(box), found.names[label], score) for box, score, label in rows]
                self._found[picture.name] = sorted(every, key=lambda each: -each.score)
            return [each for each in self._found[picture.name] if each.name in self._classes]


def load_proposer(weights: Path, device: str = "cpu", imgsz: int | None = None) -> Any:
    """Load a detector that reports scores as low as it can.

    Raises:
        UserError: it cannot be loaded, or gives each picture a class.
    """
    require_detector(weights, "proposals need a detector")
    try:
        return load(weights, device=device, imgsz=imgsz, confidence=LOWEST_SCORE, no_promise=True)
    except UserError:  # a network with NMS in it has a lowest score of its own; any other error is raised again
        return load(weights, device=device, imgsz=imgsz, no_promise=True)
