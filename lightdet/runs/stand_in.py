"""The answers of an older model where nobody has marked a class: they stand in for labels (docs/adr/0028).

In joined sets, and for a new class without the pictures of the old ones, a picture may show what its set does not list
among its classes. Unlabelled, that would be learned as background. What the older model finds there, at its own
threshold and not where a box is given, is added to the labels, and written into the folder of the training.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import BoolArray, IntArray
from lightdet.card import peek_model_card
from lightdet.config import EvalConfig
from lightdet.data.joined import shown_names
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.evaluation.matching import overlaps
from lightdet.files import file_hash, write_json
from lightdet.runs.for_model import PicturesForModel
from lightdet.runs.load import load
from lightdet.runs.read_ahead import decoded
from lightdet.wording import counted

FILE_NAME = "added_labels.json"
OVERLAP = 0.5
"""A box that overlaps a given one by this much finds the same thing, which is labelled already."""


@dataclass(frozen=True)
class StandIn:
    """Completes the labels of a training; see `lightdet.assembly.training_data.Complete`.

    Attributes:
        spec: the data set.
        folder: of the training.
        model: the older one; None: there is none, or it is not to be asked.
        device: to ask it on.
        resumed: take the boxes that the training was started with.
        writes: this process writes the file.
    """

    spec: DatasetSpec
    folder: Path
    model: Path | None
    device: str = "cpu"
    resumed: bool = False
    writes: bool = True

    def __call__(self, truths: list[Any]) -> tuple[list[Any], list[str]]:
        """Return the labels with boxes added, and what a person should know of that.

        Raises:
            UserError: the model cannot be loaded; the boxes of a training to be resumed are gone.
        """
        gaps = sorted({label for truth in truths for label in truth.unmarked})
        if not gaps:
            if not self.resumed and self.writes:  # a list of the training that is replaced
                (self.folder / FILE_NAME).unlink(missing_ok=True)
            return truths, []
        names = self.spec.classes
        kept = self._kept() if self.resumed else self._found(truths, [names[label] for label in gaps])
        added: Mapping[str, list[Mapping[str, Any]]] = kept["pictures"]
        done = [
            _completed(truth, boxes, names) if truth.unmarked else truth
            for truth, boxes in zip(truths, _by_place(truths, kept), strict=True)
        ]
        if not self.resumed and self.writes:
            write_json(self.folder / FILE_NAME, kept)
        counts = Counter(each["name"] for boxes in added.values() for each in boxes)
        lines = [self._told(kept, counts)] if kept["asked"] else []
        return done, [*lines, *self._left([names[label] for label in gaps if names[label] not in kept["asked"]])]

    def _kept(self) -> dict[str, Any]:
        path = self.folder / FILE_NAME
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(kept["pictures"], dict) or not isinstance(kept["asked"], list):
                raise TypeError
            if kept.get("places", kept["pictures"]).keys() != kept["pictures"].keys():
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                "cannot be read: it holds the labels that an older model added to this training, which cannot continue "
                "without them; train into another --output",
                path=path,
            ) from None
        return kept

    def _found(self, truths: Sequence[Any], gaps: Sequence[str]) -> dict[str, Any]:
        """What the model finds of the classes `gaps` in the pictures where they are unmarked."""
        card = None if self.model is None else peek_model_card(self.model)
        asked = [name for name in gaps if card is not None and name in card.names]
        if self.model is None or not asked:
            return {"model": None, "asked": [], "places": {}, "pictures": {}}
        threshold = own_threshold(card)
        predictor = load(self.model, device=self.device, confidence=threshold, no_promise=True)
        order = np.array([self.spec.classes.index(n) if n in asked else -1 for n in predictor.names], np.int64)
        open_truths = [truth for truth in truths if {self.spec.classes[label] for label in truth.unmarked} & set(asked)]
        pictures = {}
        read = PicturesForModel(self.spec, predictor.preprocessing.bit_depth, self.model)
        for chunk, images in decoded(open_truths, EvalConfig().batch, read):
            good = [pair for pair in zip(chunk, images, strict=True) if not isinstance(pair[1], UserError)]
            results = predictor.batch([image for _, image in good]) if good else []
            for (truth, _), found in zip(good, results, strict=True):
                boxes = _rows(truth, found, order, self.spec.classes)
                if boxes:
                    pictures[str(truth.image)] = boxes
        about = {"model": str(self.model), "sha256": file_hash(self.model), "threshold": threshold}
        places = {str(truth.image): place for place, truth in enumerate(truths) if str(truth.image) in pictures}
        return {**about, "asked": asked, "places": places, "pictures": pictures}

    def _told(self, kept: Mapping[str, Any], counts: Mapping[str, int]) -> str:
        shown = ", ".join(f"{counts.get(name, 0)} {name}" for name in kept["asked"])
        return (
            f"{counted(sum(counts.values()), 'box')} that {kept['model']} finds from score {kept['threshold']:g} on "
            f"stand in for labels in {counted(len(kept['pictures']), 'picture')} ({shown}); "
            f"{self.folder / FILE_NAME} lists them"
        )

    def _left(self, names: Sequence[str]) -> list[str]:
        """Warn of classes that are unmarked and stay so."""
        members = self.spec.members
        parts = [
            f"{', '.join(lacking)} in {called}"
            for called, each in zip(shown_names(members), members, strict=True)
            if (lacking := [name for name in names if name not in each.classes])
        ]
        if not parts:
            return []
        return [
            f"warning: not labelled: {'; '.join(parts)}. What these pictures show of it is learned as background: "
            "label it there, or give a model that finds it with --weights"
        ]


def own_threshold(card: Any) -> float:
    """The score at which a model was best in its own training (F1), and at least the usual one to show boxes from.

    A weak model is best at very low scores, and its boxes there are wrong more often than right.
    """
    metrics, usual = card.facts.get("metrics"), float(card.confidence)
    best = metrics.get("threshold") if isinstance(metrics, dict) else None
    return max(usual, min(float(best), 1.0)) if isinstance(best, float) else usual


def _rows(truth: Any, found: Any, order: IntArray, names: Sequence[str]) -> list[dict[str, Any]]:
    """The boxes to add to a picture, as plain values: of its unmarked classes, and where no box is given."""
    given = truth.completed(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    labels = order[found.labels]
    apart: BoolArray = overlaps(found.boxes, given.boxes).max(axis=1, initial=0) < OVERLAP
    return [
        {"name": names[int(labels[k])], "score": float(found.scores[k]), "box": [float(v) for v in found.boxes[k]]}
        for k in np.flatnonzero(apart & np.isin(labels, truth.unmarked))
    ]


def _by_place(truths: Sequence[Any], kept: Mapping[str, Any]) -> list[Sequence[Mapping[str, Any]]]:
    """The boxes to add to each picture of the split.

    By its place in the split, since the folder may have moved; other pictures or another order are refused by
    `lightdet.runs.resume.check_same_data`. Earlier versions kept only paths.
    """
    added = kept["pictures"]
    if "places" not in kept:
        return [added.get(str(truth.image), ()) for truth in truths]
    found = {place: added[path] for path, place in kept["places"].items()}
    return [found.get(place, ()) for place in range(len(truths))]


def _completed(truth: Any, boxes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Any:
    boxes = [each for each in boxes if each["name"] in names]  # other classes than at the start are refused later
    labels = np.array([names.index(each["name"]) for each in boxes], np.int64)
    return truth.completed(np.array([each["box"] for each in boxes], np.float32).reshape(-1, 4), labels)
