"""Each run scored by the code of ``lightdet val``; results are stored and reused until something changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightdet import __version__
from lightdet.comparison.results import Kind
from lightdet.config import EvalConfig
from lightdet.config.classification import ClassifyEvalConfig
from lightdet.files import file_hash, write_json
from lightdet.options.compare import CompareOptions
from lightdet.options.val import ValOptions
from lightdet.runs.validate import Validation
from lightdet.tasks import Task
from lightdet.tasks.comparing import Mark

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
class Scored:
    """What every run is scored on.

    Attributes:
        marks: fingerprints by split, of the splits to score.
        shown: indices of the sheet's pictures in the split that was asked for.
        sheet: their truths.
    """

    marks: Mapping[str, Mark]
    shown: Sequence[int]
    sheet: Sequence[Any]


class Quiet:
    """Ignores single batches: the run's name was shown."""

    def begin(self, pictures: int) -> None:
        """Ignore."""

    def step(self, pictures: int) -> None:
        """Ignore."""


def score(options: CompareOptions, task: Task, candidate: Candidate, on: Scored, watcher: Any) -> dict[str, Any]:
    """Return ``splits`` (metrics by split), ``skipped`` and ``shown`` (what the page shows of it) of one run.

    Taken from the candidate's folder if it was scored before with the same file, pictures and settings; otherwise
    scored, and written there, with its own reports beside it.

    Raises:
        UserError: as `lightdet.runs.validate.Validation` does.
    """
    key = _key(options, candidate, on)
    path = candidate.folder / RESULT_NAME
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return kept
    watcher.scoring(candidate.name, candidate.label)
    result: dict[str, Any] = {"key": key, "splits": {}, "skipped": [], "shown": []}
    for split in on.marks:
        report = candidate.folder / REPORT
        evaluation = _evaluate(options, candidate, split, report / split if len(on.marks) > 1 else report)
        result["splits"][split] = evaluation.metrics.as_dict()
        result["skipped"] += list(evaluation.skipped)
        if split == options.split:
            result["shown"] = task.comparing.shown(evaluation, on.sheet)
    write_json(path, result)
    return result


def _evaluate(options: CompareOptions, candidate: Candidate, split: str, output: Path) -> Any:
    from_network = candidate.kind != "predictions"
    settings = candidate.evaluation.model_dump(mode="json")
    wanted = ValOptions(
        data=options.data,
        weights=candidate.file if from_network else None,
        predictions=None if from_network else candidate.file,
        split=split,
        data_root=options.data_root,
        imgsz=candidate.imgsz if from_network else None,
        device=options.device if from_network else "auto",
        output=output,
        pictures=WORST_PICTURES,
        on_error=options.on_error,
        no_promise=from_network,  # else a model's zones and conditions would hold for its row alone
        overrides=[f"eval.{name}={value}" for name, value in settings.items()] if from_network else (),
    )
    return Validation(wanted).run(Quiet()).evaluation


def _key(options: CompareOptions, candidate: Candidate, on: Scored) -> dict[str, Any]:
    """Everything that a result depends on."""
    from_network = candidate.kind != "predictions"
    return {
        "lightdet": __version__,
        "file": file_hash(candidate.file),
        "splits": {name: dict(mark) for name, mark in on.marks.items()},
        "headline": options.split,
        "shown": list(on.shown),
        "skip": options.on_error == "skip",
        "imgsz": candidate.imgsz if from_network else None,
        "no_promise": from_network,
        "settings": candidate.evaluation.model_dump(mode="json") if from_network else None,
    }
