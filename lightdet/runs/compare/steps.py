"""The steps that a comparison takes, of detectors or of classifiers: train what is missing, score, measure, write."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lightdet.assembly.dataset import load_dataset
from lightdet.comparison.class_results import ClassComparison
from lightdet.comparison.results import Comparison, Run
from lightdet.comparison.writer import JSON_NAME, Written
from lightdet.errors import UserError
from lightdet.files import write_bytes
from lightdet.inference.run_folder import check_writable
from lightdet.runs.compare.plan import MODELS, open_plan
from lightdet.runs.compare.request import CompareRequest, Entry, entries_of, finished_model_settings
from lightdet.runs.compare.scoring import Candidate
from lightdet.runs.compare.trainings import Job, Watcher, jobs_of, read_progress, train_all
from lightdet.runs.validate import class_order
from lightdet.tasks import Task
from lightdet.training.folder_lock import folder_lock

if TYPE_CHECKING:
    from lightdet.card import ModelCard


@dataclass(frozen=True)
class Outcome:
    """What came of it: the comparison, where its files are, and how many runs failed or are missing."""

    comparison: Comparison | ClassComparison
    written: Written
    problems: int


@dataclass
class Row:
    """A row on its way: its runs that can be scored, its runs that were, and what went wrong."""

    entry: Entry
    candidates: list[Candidate] = field(default_factory=list)
    histories: dict[str, Sequence[dict[str, float]]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    scored: Candidate | None = None


class ComparisonSteps(ABC):
    """One request, in two steps: made (all that needs no training is checked), then run.

    Raises:
        UserError: a missing or wrong file, configuration value, data set or split; weights that do not fit the data
            set; two rows of one name; seeds given twice.
    """

    task: ClassVar[Task]
    """What is compared."""

    def __init__(self, request: CompareRequest) -> None:
        self.entries = entries_of(request)
        self.trains = any(entry.kind == "trained" for entry in self.entries)
        self.imgsz, self.evaluation = finished_model_settings(self.task, request.overrides)
        self.spec = load_dataset(request.data, request.data_root)
        self.task.check_dataset(self.spec)
        self.request = replace(request, split=request.split or self._default_split())
        self.spec.split(self.request.split)
        if self.trains:
            self.spec.split("train")
        self.skipped: list[str] = []
        self.cards: dict[Path, ModelCard] = {}
        self._read()
        for entry in self.entries:
            self._check_entry(entry)
            self._check_weights(entry)

    @abstractmethod
    def _default_split(self) -> str:
        """The split to score on, or to show first, where none is asked for."""

    @abstractmethod
    def _read(self) -> None:
        """Read the labels; no pixels."""

    @abstractmethod
    def _check_entry(self, entry: Entry) -> None:
        """Refuse what only this task can tell of a row."""

    @abstractmethod
    def _data(self) -> dict[str, Any]:
        """What the plan remembers of the data."""

    @abstractmethod
    def _finish(self, rows: Sequence[Row], watcher: Watcher) -> tuple[Comparison | ClassComparison, Written]:
        """Score, measure, write."""

    def _check_weights(self, entry: Entry) -> None:
        """Read weights once, before hours are spent on training the others."""
        for path in entry.files if entry.kind == "weights" else ():
            _, card = self.task.network(path)
            class_order(card.names, self.spec, path)
            self.cards[path] = card
            first = self.cards[entry.files[0]]
            if card.model != first.model:
                raise UserError(
                    f"is another network than {entry.files[0]}; runs of '{entry.name}' must be one network", path=path
                )

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
            comparison, written = self._finish(self._trained(watcher), watcher)
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

    def _trained(self, watcher: Watcher) -> list[Row]:
        """Train what is missing; rows with every run that can be scored, or why it cannot."""
        rows = {entry.name: Row(entry) for entry in self.entries}
        waiting = []
        jobs = jobs_of(self.request, self.entries)
        for job in jobs:
            try:
                before = read_progress(job.folder)
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

    def _add_trained(self, row: Row, job: Job) -> None:
        config = row.entry.config
        reached = read_progress(job.folder)
        if config is None or reached is None:
            return
        file = job.folder / f"{self.request.take}.safetensors"
        candidate = Candidate(job.name, "trained", job.label, job.seed, file, job.folder, config.imgsz, config.eval)
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
            folder = self.request.output / MODELS / entry.name / f"{entry.kind}{number}"
            row.candidates.append(
                Candidate(entry.name, entry.kind, label, None, path, folder, self.imgsz, self.evaluation)
            )
            if entry.kind == "weights":
                row.histories[label] = _history_beside(path)

    def _side(self, candidate: Candidate) -> int:
        return candidate.imgsz or self.cards[candidate.file].preprocessing.imgsz

    def _settings_of(self, entry: Entry) -> dict[str, Any]:
        """A row's configuration as plain values; of weights the network and its input alone."""
        if entry.config is not None:
            settings = entry.config.model_dump(mode="json")
            settings["train"].pop("seed")
            return settings
        if entry.kind != "weights":
            return {}
        card = self.cards[entry.files[0]]
        return {"imgsz": self.imgsz or card.preprocessing.imgsz, "model": card.model}


def _history_beside(path: Path) -> list[dict[str, float]]:
    """The results.csv that a training left beside its weights; nothing where there is none that can be read."""
    if path.stem not in ("best", "last"):
        return []
    with suppress(OSError, ValueError, UnicodeDecodeError):
        rows = list(csv.DictReader((path.parent / "results.csv").read_text(encoding="utf-8").splitlines()))
        read = [{key: float(value) for key, value in row.items() if key and value} for row in rows]
        return read if all("epoch" in row for row in read) else []
    return []
