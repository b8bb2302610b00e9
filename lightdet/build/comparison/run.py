"""A comparison from the checks to the files: train what is missing, score, measure, write."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.build.comparison.costs import measure
from lightdet.build.comparison.plan import MODELS, fingerprint, open_plan
from lightdet.build.comparison.request import CompareRequest, Entry, entries_of, finished_model_settings
from lightdet.build.comparison.scoring import Candidate, Pictures, score, unpack
from lightdet.build.comparison.told import details_of, facts_of, notes_of
from lightdet.build.comparison.trainings import Job, Watcher, jobs_of, standing, train_all
from lightdet.build.dataset import load_dataset
from lightdet.build.model_kind import is_classifier
from lightdet.build.validation import class_order
from lightdet.comparison.results import Comparison, Cost, Model, Run
from lightdet.comparison.sheet import choose_pictures
from lightdet.comparison.writer import JSON_NAME, Written, write_comparison
from lightdet.data.dataset import OnError, read_split
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.evaluation.predictions import Ids, coco_ids, read_predictions
from lightdet.files import write_bytes
from lightdet.inference.run_folder import check_writable
from lightdet.structures import Annotation
from lightdet.training.folder_lock import folder_lock

if TYPE_CHECKING:
    from lightdet.models.weights import ModelCard


@dataclass(frozen=True)
class Outcome:
    """What came of it: the comparison, where its files are, and how many runs failed or are missing."""

    comparison: Comparison
    written: Written
    problems: int


@dataclass
class _Row:
    """A row on its way: its runs that can be scored, its runs that were, and what went wrong."""

    entry: Entry
    candidates: list[Candidate] = field(default_factory=list)
    histories: dict[str, Sequence[dict[str, float]]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    scored: Candidate | None = None


class ModelComparison:
    """One request, in two steps: made (all that needs no training is checked), then run.

    Raises:
        UserError: a missing or wrong file, configuration value, data set or split; weights or detections that do
            not fit the data set; two rows of one name; seeds given twice.
    """

    def __init__(self, request: CompareRequest) -> None:
        self.request = request
        self.entries = entries_of(request)
        self.imgsz, self.evaluation = finished_model_settings(request.overrides)
        self.spec = load_dataset(request.data, request.data_root)
        self.spec.split(request.split)
        self.trains = any(entry.kind == "trained" for entry in self.entries)
        if self.trains:
            self.spec.split("train")
        self.splits, self.skipped = self._read_splits()
        self.cards: dict[Path, ModelCard] = {}
        for entry in self.entries:
            self._check_finished(entry)

    def run(self, watcher: Watcher) -> Outcome:
        """Train, score, measure and write; goes on where an earlier call in the same folder was ended.

        Raises:
            UserError: another comparison is at work in the folder, it holds something else, or was begun with
                other data or configurations; nothing can be written; a device that is not there.
            KeyboardInterrupt: after a signal; the trainings have saved.
        """
        from lightdet.models.device import choose_device  # noqa: PLC0415 - torch only when it is time

        request = self.request
        choose_device(request.device)
        check_writable(request.output)
        with self._locked():
            open_plan(request.output, self._data(), self.entries)
            rows = self._trained(watcher)
            pictures = self._pictures()
            for row in rows:
                self._score(row, pictures, watcher)
            comparison = self._compared(rows, pictures, watcher)
            load = partial(read_image, bit_depth=self.spec.bit_depth)
            written = write_comparison(request.output, comparison, load)
        if request.json is not None:
            write_bytes(request.json, (request.output / JSON_NAME).read_bytes())
        return Outcome(comparison, written, sum(len(model.problems) for model in comparison.models))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One comparison at a time in a folder."""
        with ExitStack() as stack:
            try:
                stack.enter_context(folder_lock(self.request.output))
            except UserError as error:
                message = error.message.replace("another training", "another comparison")
                raise UserError(message, path=self.request.output) from None
            yield

    def _read_splits(self) -> tuple[dict[str, list[Annotation]], list[str]]:
        """Labels of the evaluated split and of those that training takes; no pixels."""
        on_error: OnError = "skip" if self.request.skip_bad else "fail"
        wanted = [name for name in ("train", "val") if self.trains and name in self.spec.splits]
        splits, skipped = {}, []
        for name in dict.fromkeys([*wanted, self.request.split]):
            splits[name], faults = read_split(self.spec, name, on_error=on_error)
            skipped += [str(fault) for fault in faults]
        return splits, skipped

    def _check_finished(self, entry: Entry) -> None:
        """Read weights and detections once, before hours are spent on training the others."""
        from lightdet.models.weights import load_model  # noqa: PLC0415

        for path in entry.files if entry.kind == "weights" else ():
            if is_classifier(path):
                raise UserError("is a classifier; a comparison takes detectors", path=path)
            weights, card = load_model(path)
            class_order(card.names, self.spec, path)
            self.cards[path] = card
            first = self.cards[entry.files[0]]
            if card.model != first.model:
                raise UserError(
                    f"is another network than {entry.files[0]}; runs of '{entry.name}' must be one network", path=path
                )
            del weights
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

    def _trained(self, watcher: Watcher) -> list[_Row]:
        """Train what is missing; rows with every run that can be scored, or why it cannot."""
        rows = {entry.name: _Row(entry) for entry in self.entries}
        waiting = []
        jobs = jobs_of(self.request, self.entries)
        for job in jobs:
            try:
                before = standing(job.folder)
            except UserError as error:
                rows[job.name].problems[job.label] = str(error)
                continue
            if before is not None and before.done:
                continue
            if self.request.train:
                waiting.append(job)
            else:
                rows[job.name].problems[job.label] = f"not trained yet ({before.epoch if before else 0} epochs done)"
        for job, reason in train_all(self.request, waiting, watcher).items() if waiting else ():
            rows[job.name].problems[job.label] = reason
        for job in jobs:
            if job.label not in rows[job.name].problems:
                self._add_trained(rows[job.name], job)
        for row in rows.values():
            self._add_finished(row)
        return list(rows.values())

    def _add_trained(self, row: _Row, job: Job) -> None:
        config = row.entry.config
        reached = standing(job.folder)
        if config is None or reached is None:
            return
        file = job.folder / f"{self.request.take}.safetensors"
        candidate = Candidate(job.name, "trained", job.label, job.seed, file, job.folder, config.imgsz, config.eval)
        row.candidates.append(candidate)
        row.histories[job.label] = reached.history

    def _add_finished(self, row: _Row) -> None:
        entry = row.entry
        if entry.kind == "trained":
            row.candidates.sort(key=lambda candidate: entry.seeds.index(candidate.seed or 0))
            return
        several = len(entry.files) > 1
        for number, path in enumerate(entry.files, 1):
            label = f"run {number}" if several else ""
            folder = self.request.output / MODELS / entry.name / f"{entry.kind}{number}"
            row.candidates.append(
                Candidate(entry.name, entry.kind, label, None, path, folder, self.imgsz, self.evaluation)
            )
            if entry.kind == "weights":
                row.histories[label] = _history_beside(path)

    def _score(self, row: _Row, pictures: Pictures, watcher: Watcher) -> None:
        for candidate in row.candidates:
            try:
                result = score(self.request, candidate, pictures, watcher)
            except (UserError, MemoryError) as error:
                row.problems[candidate.label] = str(error) or "memory ran out while it was evaluated"
                continue
            self.skipped += [line for line in result["skipped"] if line not in self.skipped]
            shown = unpack(result["shown"], pictures.sheet(), self.spec.classes)
            history = row.histories.get(candidate.label, ())
            row.runs.append(Run(candidate.label, candidate.seed, result["metrics"], history, shown))
            row.scored = row.scored or candidate

    def _compared(self, rows: Sequence[_Row], pictures: Pictures, watcher: Watcher) -> Comparison:
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
            notes=notes_of(request, self.entries, pictures),
            skipped=self.skipped,
        )

    def _side(self, candidate: Candidate) -> int:
        return candidate.imgsz or self.cards[candidate.file].preprocessing.imgsz

    def _model(self, row: _Row, cost: Cost | None) -> Model:
        entry = row.entry
        settings: dict[str, Any] = {}
        if entry.config is not None:
            settings = entry.config.model_dump(mode="json")
            settings["train"].pop("seed")
        elif entry.kind == "weights":
            card = self.cards[entry.files[0]]
            settings = {"imgsz": self.imgsz or card.preprocessing.imgsz, "model": card.model}
        return Model(entry.name, entry.kind, entry.source, tuple(row.runs), row.problems, cost, settings)


def _history_beside(path: Path) -> list[dict[str, float]]:
    """The results.csv that a training left beside its weights; nothing where there is none that can be read."""
    if path.stem not in ("best", "last"):
        return []
    with suppress(OSError, ValueError, UnicodeDecodeError):
        rows = list(csv.DictReader((path.parent / "results.csv").read_text(encoding="utf-8").splitlines()))
        read = [{key: float(value) for key, value in row.items() if key and value} for row in rows]
        return read if all("epoch" in row for row in read) else []
    return []
