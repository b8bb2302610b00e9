"""Each run scored by the code of ``lightdet val``; results are kept and used again while nothing has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lightdet import __version__
from lightdet.comparison.results import Kind
from lightdet.config import EvalConfig
from lightdet.config.classification import ClassifyEvalConfig
from lightdet.files import write_json
from lightdet.runs.compare.request import CompareRequest
from lightdet.runs.validate import Validation, ValRequest
from lightdet.structures import Annotation, Detections

RESULT_NAME = "result.json"
REPORT = "val"
WORST_PICTURES = 4


@dataclass(frozen=True)
class Candidate:
    """A run that can be scored: a file of weights or of detections.

    Attributes:
        folder: where its result and its report go.
        imgsz: side of the input; None: the model's own.
        evaluation: thresholds for a network.
    """

    name: str
    kind: Kind
    label: str
    seed: int | None
    file: Path
    folder: Path
    imgsz: int | None = None
    evaluation: EvalConfig | ClassifyEvalConfig = field(default_factory=EvalConfig)


@dataclass(frozen=True)
class Pictures:
    """The evaluated split and which of its pictures the sheet shows; `mark` changes when the split does."""

    annotations: Sequence[Annotation]
    shown: Sequence[int]
    mark: Mapping[str, Any]

    def sheet(self) -> list[Annotation]:
        """The annotations of the sheet's pictures."""
        return [self.annotations[index] for index in self.shown]


class Quiet:
    """Hears nothing of single batches: the run's name was shown."""

    def begin(self, pictures: int) -> None:
        """Ignore."""

    def step(self, pictures: int) -> None:
        """Ignore."""


def score(request: CompareRequest, candidate: Candidate, pictures: Pictures, watcher: Any) -> dict[str, Any]:
    """Return ``metrics``, ``details``, ``skipped`` and ``shown`` (detections in the sheet's pictures) of one run.

    Taken from the candidate's folder if it was scored before with the same file, pictures and settings; else
    scored, and written there, with its own report beside it.

    Raises:
        UserError: as `lightdet.runs.validate.Validation` does.
    """
    key = _key(request, candidate, pictures)
    path = candidate.folder / RESULT_NAME
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return kept
    watcher.scoring(candidate.name, candidate.label)
    from_network = candidate.kind != "predictions"
    settings = candidate.evaluation.model_dump(mode="json")
    outcome = Validation(
        ValRequest(
            data=request.data,
            weights=candidate.file if from_network else None,
            predictions=None if from_network else candidate.file,
            split=request.split,
            data_root=request.data_root,
            imgsz=candidate.imgsz if from_network else None,
            device=request.device,
            output=candidate.folder / REPORT,
            pictures=WORST_PICTURES,
            skip_bad=request.skip_bad,
            overrides=[f"eval.{name}={value}" for name, value in settings.items()],
        )
    ).run(Quiet())
    evaluation = outcome.evaluation
    by_picture = {a.image: found for a, found in zip(evaluation.annotations, evaluation.predictions, strict=True)}
    threshold = evaluation.metrics.threshold
    shown = [by_picture[a.image].above(threshold) if a.image in by_picture else None for a in pictures.sheet()]
    result = {
        "key": key,
        "metrics": evaluation.metrics.as_dict(),
        "details": dict(evaluation.details),
        "skipped": list(evaluation.skipped),
        "shown": [_pack(found) for found in shown],
    }
    write_json(path, result)
    return result


def unpack(
    shown: Sequence[Mapping[str, Any]], pictures: Sequence[Annotation], names: tuple[str, ...]
) -> list[Detections]:
    """Return what `score` kept of the sheet's pictures."""
    return [
        Detections(
            np.array(found["boxes"], np.float32).reshape(-1, 4),
            np.array(found["scores"], np.float32),
            np.array(found["labels"], np.int64),
            names,
            picture.size,
        )
        for found, picture in zip(shown, pictures, strict=True)
    ]


def _pack(found: Detections | None) -> dict[str, Any]:
    if found is None:  # a picture that could not be read, and was skipped
        return {"boxes": [], "scores": [], "labels": []}
    return {"boxes": found.boxes.tolist(), "scores": found.scores.tolist(), "labels": found.labels.tolist()}


def _key(request: CompareRequest, candidate: Candidate, pictures: Pictures) -> dict[str, Any]:
    """All that a result depends on."""
    from_network = candidate.kind != "predictions"
    return {
        "lightdet": __version__,
        "file": file_hash(candidate.file),
        "split": request.split,
        "pictures": dict(pictures.mark),
        "shown": list(pictures.shown),
        "skip": request.skip_bad,
        "imgsz": candidate.imgsz if from_network else None,
        "settings": candidate.evaluation.model_dump(mode="json") if from_network else None,
    }


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
