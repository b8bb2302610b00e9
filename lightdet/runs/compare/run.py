"""A comparison from the checks to the files: train what is missing, score, measure, write."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.assembly.dataset import load_dataset
from lightdet.comparison.results import Comparison, Cost, Model, Run
from lightdet.comparison.writer import JSON_NAME, Written, write_comparison
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.evaluation.predictions import Ids, coco_ids, read_predictions
from lightdet.files import check_writable, write_bytes
from lightdet.options.compare import CompareOptions
from lightdet.options.outputs import refuse_inputs
from lightdet.runs.compare.costs import measure
from lightdet.runs.compare.jobs import Watcher, jobs_of
from lightdet.runs.compare.plan import MODELS, open_plan
from lightdet.runs.compare.provenance import details_of, facts_of, notes_of
from lightdet.runs.compare.request import Entry, entries_of, finished_model_settings
from lightdet.runs.compare.scoring import Candidate, Scored, score
from lightdet.runs.data_facts import with_digest
from lightdet.runs.training_places import training_places
from lightdet.runs.trainings import Job, locked, read_progress, train_all
from lightdet.runs.validate import class_order
from lightdet.tasks import Task

if TYPE_CHECKING:
    from lightdet.card import ModelCard


@dataclass(frozen=True)
class Outcome:
    """The result: the comparison, where its files are, and how many runs failed or are missing."""

    comparison: Comparison
    written: Written
    problems: int


@dataclass
class Row:
    """A row in progress: the runs that can be scored, those that were, and what went wrong."""

    entry: Entry
    candidates: list[Candidate] = field(default_factory=list)
    histories: dict[str, Sequence[dict[str, float]]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    scored: Candidate | None = None


class ModelComparison:
    """One request, in two steps: creation (everything that needs no training is checked), then `run`.

    Args:
        options: what was asked.
        task: of its rows (`lightdet.runs.compare.request.task_of_entries`).
        launcher: see `lightdet.runs.training_process.LocalTraining`.

    Raises:
        UserError: a missing or wrong file, configuration value, data set or split; weights or detections that do not
            fit the data set; two rows with the same name; seeds given twice.
    """

    def __init__(self, options: CompareOptions, task: Task, launcher: str) -> None:
        self.launcher = launcher
        self.task = task
        self.entries = entries_of(options)
        trains = any(entry.kind == "trained" for entry in self.entries)
        self.imgsz, self.evaluation = finished_model_settings(task, options.settings())
        self.spec = load_dataset(options.data, options.data_root)
        refuse_inputs({"--json": options.json}, (), self.spec)
        task.check_dataset(self.spec)
        self.options = replace(options, split=options.split or task.comparing.default_split(self.spec))
        self.spec.split(self.options.split)
        if trains:
            self.spec.split("train")
        self.skipped: list[str] = []
        self.cards: dict[Path, ModelCard] = {}
        self._read(trains)
        for entry in self.entries:
            self._check_entry(entry)
            self._check_weights(entry)

    def _read(self, trains: bool) -> None:
        """Labels of the splits for scoring and training; no pixels."""
        wanted, scored = self.task.comparing.splits(self.spec, self.options.split, trains=trains)
        self.splits: dict[str, list[Any]] = {}
        for name in wanted:
            self.splits[name], faults = read_split(self.spec, name, on_error=self.options.on_error)
            self.skipped += [str(fault) for fault in faults]
        count = len(self.spec.classes)
        self.marks = {
            name: with_digest(self.task.comparing.fingerprint(truths, count), truths)
            for name, truths in self.splits.items()
        }
        truths = self.splits[self.options.split]
        shown = self.task.comparing.sheet(truths, count, self.options.pictures)
        self.scored = Scored({name: self.marks[name] for name in scored}, shown, [truths[index] for index in shown])

    def _check_entry(self, entry: Entry) -> None:
        """Read detections once, and check the networks, before hours are spent on training."""
        if entry.config is not None:
            try:
                self.task.comparing.check(entry.config, len(self.spec.classes))
            except UserError as error:
                raise UserError(error.message, path=entry.files[0]) from None
        if entry.kind == "predictions":
            place = self.spec.split(self.options.split)
            ids = (
                coco_ids(place.labels, place.images)
                if self.spec.format == "coco" and place.labels is not None
                else Ids()
            )
            truths = self.splits[self.options.split]
            skip, root = self.options.on_error == "skip", self.spec.root
            read_predictions(entry.files[0], truths, self.spec.classes, ids=ids, root=root, skip=skip)

    def _check_weights(self, entry: Entry) -> None:
        """Read weights once, before hours are spent on training the others."""
        for path in entry.files if entry.kind == "weights" else ():
            _, card = self.task.network(path)
            class_order(card.names, self.spec, path)
            self.cards[path] = card
            first = self.cards[entry.files[0]]
            if card.model != first.model:
                raise UserError(
                    f"is a different network from {entry.files[0]}; runs of '{entry.name}' must be one network",
                    path=path,
                )

    def run(self, watcher: Watcher) -> Outcome:
        """Train, score, measure and write; continues an earlier call in the same folder.

        Raises:
            UserError: another comparison is running in the folder, it holds something else, or was started with
                other data or configurations; nothing can be written; a missing device.
            KeyboardInterrupt: after a signal; the trainings have saved.
        """
        from lightdet.models.device import choose_device  # noqa: PLC0415 - torch only when it is time

        options = self.options
        choose_device(options.device)
        check_writable(Path(options.output))
        with locked(Path(options.output), "comparison"):
            data = {"classes": list(self.spec.classes), **self.marks}
            open_plan(Path(options.output), data, self.entries, self.task.comparing)
            comparison = self._compared(self._trained(watcher), watcher)
            load = partial(read_image, bit_depth=self.spec.bit_depth)
            written = write_comparison(Path(options.output), comparison, load)
        if options.json is not None:
            write_bytes(Path(options.json), (Path(options.output) / JSON_NAME).read_bytes())
        return Outcome(comparison, written, sum(len(model.problems) for model in comparison.models))

    def _trained(self, watcher: Watcher) -> list[Row]:
        """Train what is missing; returns rows with every run that can be scored, or why it cannot."""
        rows = {entry.name: Row(entry) for entry in self.entries}
        waiting = []
        jobs = jobs_of(self.options, self.entries)
        for job in jobs:
            try:
                before = read_progress(job.folder)
            except UserError as error:
                rows[job.name].problems[job.label] = str(error)
                continue
            if before is not None and before.done:
                continue
            if self.options.train:
                waiting.append(job)
            else:
                rows[job.name].problems[job.label] = f"not trained yet ({before.epoch if before else 0} epochs done)"
        for job, reason in self._train(waiting, watcher).items() if waiting else ():
            rows[job.name].problems[job.label] = reason
        for job in jobs:
            if job.label not in rows[job.name].problems:
                self._add_trained(rows[job.name], job)
        for row in rows.values():
            self._add_finished(row)
        return list(rows.values())

    def _train(self, jobs: Sequence[Job], watcher: Watcher) -> dict[Job, str]:
        at = self.options
        with training_places(at.engine, at.address, at.together, self.launcher, device=at.device) as begin:
            return train_all(jobs, at.together, watcher, begin)

    def _add_trained(self, row: Row, job: Job) -> None:
        config = row.entry.config
        reached = read_progress(job.folder)
        if config is None or reached is None:
            return
        file = job.folder / f"{self.options.take}.safetensors"
        seed = int(job.wanted["seed"])
        candidate = Candidate(job.name, "trained", job.label, seed, file, job.folder, config.imgsz, config.eval)
        row.candidates.append(candidate)
        row.histories[job.label] = reached.history

    def _add_finished(self, row: Row) -> None:
        entry = row.entry
        if entry.kind == "trained":
            row.candidates.sort(key=lambda candidate: entry.seeds.index(candidate.seed or 0))
            return
        several = len(entry.files) > 1
        for number, path in enumerate(entry.files, 1):
            label = f"run {number}" if several else ""
            folder = Path(self.options.output) / MODELS / entry.name / f"{entry.kind}{number}"
            row.candidates.append(
                Candidate(entry.name, entry.kind, label, None, path, folder, self.imgsz, self.evaluation)
            )
            if entry.kind == "weights":
                row.histories[label] = _history_beside(path)

    def _compared(self, rows: Sequence[Row], watcher: Watcher) -> Comparison:
        """Score every run, time every network, and gather what is known."""
        for row in rows:
            self._score(row, watcher)
        options, spec, comparing, marks = self.options, self.spec, self.task.comparing, self.scored.marks
        networks = {
            row.entry.name: (row.scored.file, self._side(row.scored))
            for row in rows
            if row.scored is not None and row.entry.kind != "predictions"
        }
        timed = self.splits[options.split][self.scored.shown[0] if self.scored.shown else 0].image
        costs, on = measure(options, networks, timed, watcher)
        unmeasured = comparing.unmeasured(self.splits.get("val", ()))
        evaluations = [self.evaluation if e.config is None else e.config.eval for e in self.entries]
        return Comparison(
            title=comparing.title(spec, options.split),
            classes=spec.classes,
            models=[self._model(row, costs.get(row.entry.name)) for row in rows],
            view=comparing.view(self.scored.sheet, tuple(marks), options.split, options.pictures),
            facts=facts_of(options, comparing, spec, self.entries, marks, on),
            details=details_of(options, comparing, spec, marks, on),
            notes=notes_of(options, comparing, self.entries, marks, evaluations, unmeasured),
            skipped=self.skipped,
        )

    def _score(self, row: Row, watcher: Watcher) -> None:
        for candidate in row.candidates:
            try:
                result = score(self.options, self.task, candidate, self.scored, watcher)
            except (UserError, MemoryError) as error:
                row.problems[candidate.label] = str(error) or "memory ran out while it was evaluated"
                continue
            self.skipped += [line for line in result["skipped"] if line not in self.skipped]
            history = row.histories.get(candidate.label, ())
            row.runs.append(
                self.task.comparing.run(
                    candidate.label,
                    candidate.seed,
                    result,
                    self.options.split,
                    candidate.file,
                    history,
                    self.scored.sheet,
                    self.spec.classes,
                )
            )
            row.scored = row.scored or candidate

    def _model(self, row: Row, cost: Cost | None) -> Model:
        entry, settings = row.entry, self._settings_of(row.entry)
        return Model(entry.name, entry.kind, entry.source, tuple(row.runs), row.problems, cost, settings)

    def _side(self, candidate: Candidate) -> int:
        return candidate.imgsz or self.cards[candidate.file].preprocessing.imgsz

    def _settings_of(self, entry: Entry) -> dict[str, Any]:
        """A row's configuration as plain values; for weights only the network and its input."""
        if entry.config is not None:
            settings = entry.config.model_dump(mode="json")
            settings["train"].pop("seed")
            return settings
        if entry.kind != "weights":
            return {}
        card = self.cards[entry.files[0]]
        return {"imgsz": self.imgsz or card.preprocessing.imgsz, "model": card.model}


def _history_beside(path: Path) -> list[dict[str, float]]:
    """The results.csv that a training left beside its weights; nothing if there is none that can be read."""
    if path.stem not in ("best", "last"):
        return []
    with suppress(OSError, ValueError, UnicodeDecodeError):
        rows = list(csv.DictReader((path.parent / "results.csv").read_text(encoding="utf-8").splitlines()))
        read = [{key: float(value) for key, value in row.items() if key and value} for row in rows]
        return read if all("epoch" in row for row in read) else []
    return []
