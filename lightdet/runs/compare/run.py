"""A comparison of detectors from the checks to the files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from lightdet.assembly.detector_training import unmeasured_boxes
from lightdet.assembly.starting import start_in
from lightdet.comparison.picture_table import choose_pictures
from lightdet.comparison.results import Comparison, Cost, Model, Run
from lightdet.comparison.writer import Written, write_comparison
from lightdet.data.dataset import OnError, read_split
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.evaluation.predictions import Ids, coco_ids, read_predictions
from lightdet.runs.compare.costs import measure
from lightdet.runs.compare.plan import fingerprint
from lightdet.runs.compare.provenance import details_of, facts_of, notes_of
from lightdet.runs.compare.request import Entry
from lightdet.runs.compare.scoring import Pictures, score, unpack
from lightdet.runs.compare.steps import ComparisonSteps, Outcome, Row
from lightdet.runs.compare.trainings import Watcher
from lightdet.structures import Annotation
from lightdet.tasks import DETECTION

__all__ = ["ModelComparison", "Outcome"]


class ModelComparison(ComparisonSteps):
    """One request about detectors, in two steps as `ComparisonSteps`.

    Raises:
        UserError: as there; detections that do not fit the data set.
    """

    task = DETECTION

    def _default_split(self) -> str:
        return "val"

    def _finish(self, rows: Sequence[Row], watcher: Watcher) -> tuple[Comparison, Written]:
        pictures = self._pictures()
        for row in rows:
            self._score(row, pictures, watcher)
        comparison = self._compared(rows, pictures, watcher)
        load = partial(read_image, bit_depth=self.spec.bit_depth)
        return comparison, write_comparison(self.request.output, comparison, load)

    def _read(self) -> None:
        """Labels of the evaluated split and of those that training takes; no pixels."""
        on_error: OnError = "skip" if self.request.skip_bad else "fail"
        wanted = [name for name in ("train", "val") if self.trains and name in self.spec.splits]
        self.splits: dict[str, list[Annotation]] = {}
        for name in dict.fromkeys([*wanted, self.request.split]):
            self.splits[name], faults = read_split(self.spec, name, on_error=on_error)
            self.skipped += [str(fault) for fault in faults]

    def _check_entry(self, entry: Entry) -> None:
        """Read detections once, before hours are spent on training the others."""
        if entry.kind == "predictions":
            place = self.spec.split(self.request.split)
            ids = coco_ids(place.labels) if self.spec.format == "coco" and place.labels is not None else Ids()
            annotations = self.splits[self.request.split]
            read_predictions(entry.files[0], annotations, self.spec.classes, ids=ids, skip=self.request.skip_bad)

    def _data(self) -> dict[str, Any]:
        """What the plan remembers of the data: of the evaluated split alone where nothing is trained."""
        marks = {name: fingerprint(annotations) for name, annotations in self.splits.items()}
        return {"classes": list(self.spec.classes), **marks}

    def _pictures(self) -> Pictures:
        annotations = self.splits[self.request.split]
        shown = choose_pictures(annotations, len(self.spec.classes), self.request.pictures)
        return Pictures(annotations, shown, fingerprint(annotations))

    def _score(self, row: Row, pictures: Pictures, watcher: Watcher) -> None:
        for candidate in row.candidates:
            try:
                result = score(self.request, candidate, pictures, watcher)
            except (UserError, MemoryError) as error:
                row.problems[candidate.label] = str(error) or "memory ran out while it was evaluated"
                continue
            self.skipped += [line for line in result["skipped"] if line not in self.skipped]
            shown = unpack(result["shown"], pictures.sheet(), self.spec.classes)
            history = row.histories.get(candidate.label, ())
            row.runs.append(
                Run(candidate.label, candidate.seed, result["metrics"], history, shown, start_in(candidate.file))
            )
            row.scored = row.scored or candidate

    def _compared(self, rows: Sequence[Row], pictures: Pictures, watcher: Watcher) -> Comparison:
        request = self.request
        networks = {
            row.entry.name: (row.scored.file, self._side(row.scored))
            for row in rows
            if row.scored is not None and row.entry.kind != "predictions"
        }
        timed = pictures.annotations[pictures.shown[0] if pictures.shown else 0].image
        costs, on = measure(request, networks, timed, watcher)
        models = [self._model(row, costs.get(row.entry.name)) for row in rows]
        return Comparison(
            title=f"Comparison on {self.spec.name} ({request.split})",
            classes=self.spec.classes,
            models=models,
            pictures=pictures.sheet(),
            facts=facts_of(request, self.spec, self.entries, pictures, on),
            details=details_of(request, self.spec, pictures, on),
            notes=notes_of(request, self.entries, pictures, unmeasured_boxes(self.splits.get("val", ()))),
            skipped=self.skipped,
        )

    def _model(self, row: Row, cost: Cost | None) -> Model:
        entry = row.entry
        settings = self._settings_of(entry)
        return Model(entry.name, entry.kind, entry.source, tuple(row.runs), row.problems, cost, settings)
