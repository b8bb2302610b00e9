"""Each run of a classifier scored on every split by the code of ``lightdet val``; results are kept and used again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from lightdet import __version__
from lightdet.classification.report import ClassifyEvaluation
from lightdet.files import write_json
from lightdet.runs.compare.request import CompareRequest
from lightdet.runs.compare.scoring import REPORT, RESULT_NAME, WORST_PICTURES, Candidate, Quiet, file_hash
from lightdet.runs.validate import Validation, ValRequest


def score_classes(
    request: CompareRequest, candidate: Candidate, marks: Mapping[str, Mapping[str, Any]], watcher: Any
) -> dict[str, Any]:
    """Return ``splits`` (metrics by split), ``wrong`` (mistakes on the headline split) and ``skipped`` of one run.

    Taken from the candidate's folder if it was scored before with the same file, pictures and settings; else scored,
    and written there, with a report for each split beside it.

    Args:
        marks: a fingerprint by split, of the splits to score.

    Raises:
        UserError: as `lightdet.runs.validate.Validation` does.
    """
    key = {
        "lightdet": __version__,
        "file": file_hash(candidate.file),
        "splits": {name: dict(mark) for name, mark in marks.items()},
        "headline": request.split,
        "skip": request.skip_bad,
        "imgsz": candidate.imgsz,
        "settings": candidate.evaluation.model_dump(mode="json"),
    }
    path = candidate.folder / RESULT_NAME
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return kept
    watcher.scoring(candidate.name, candidate.label)
    result: dict[str, Any] = {"key": key, "splits": {}, "wrong": [], "skipped": []}
    for split in marks:
        evaluation = _evaluated(request, candidate, split)
        result["splits"][split] = evaluation.metrics.as_dict()
        result["skipped"] += list(evaluation.skipped)
        if split == request.split:
            result["wrong"] = _wrong(evaluation)
    write_json(path, result)
    return result


def _evaluated(request: CompareRequest, candidate: Candidate, split: str) -> ClassifyEvaluation:
    settings = candidate.evaluation.model_dump(mode="json")
    wanted = ValRequest(
        data=request.data,
        weights=candidate.file,
        split=split,
        data_root=request.data_root,
        imgsz=candidate.imgsz,
        device=request.device,
        output=candidate.folder / REPORT / split,
        pictures=WORST_PICTURES,
        skip_bad=request.skip_bad,
        overrides=[f"eval.{name}={value}" for name, value in settings.items()],
    )
    evaluation: ClassifyEvaluation = Validation(wanted).run(Quiet()).evaluation
    return evaluation


def _wrong(evaluation: ClassifyEvaluation) -> list[dict[str, Any]]:
    taken = evaluation.shares.argmax(axis=1)
    truth = np.array([each.label for each in evaluation.labels])
    return [
        {
            "image": str(evaluation.labels[index].image),
            "is": evaluation.names[truth[index]],
            "taken": evaluation.names[taken[index]],
            "probability": round(float(evaluation.shares[index, taken[index]]), 4),
        }
        for index in np.flatnonzero(taken != truth).tolist()
    ]
