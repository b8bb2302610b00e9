"""A cross-validation from the checks to the files: divide, train what is missing, judge what was left out, write."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lightdet import __version__
from lightdet.assembly.dataset import load_dataset
from lightdet.config import YamlFile, load_yaml
from lightdet.crossval.page import crossval_page
from lightdet.crossval.results import CrossCalibration, CrossResult, FoldResult
from lightdet.data.fold_file import Folds
from lightdet.data.picture_digest import picture_digest
from lightdet.errors import UserError
from lightdet.files import check_writable, write_json, write_text
from lightdet.options.crossval import CrossvalOptions
from lightdet.options.outputs import refuse_inputs
from lightdet.runs import trainings
from lightdet.runs.calibration_pictures import check_distinct
from lightdet.runs.choose_rule import Wanted, check_enough
from lightdet.runs.crossval.checks import check_count, refuse_seen
from lightdet.runs.crossval.held_out import Look, predictions
from lightdet.runs.crossval.plan import CONFIG_NAME, FOLDS_NAME, open_plan
from lightdet.runs.crossval.pool import Pool, divide, read_pool, splits_taken
from lightdet.runs.crossval.threshold import cross_calibrate, has_own_promise, lowest, together, write_calibrated
from lightdet.runs.data_facts import with_digest
from lightdet.runs.found import Found
from lightdet.runs.trained_on import write_trained_on
from lightdet.runs.training_places import training_places
from lightdet.runs.trainings import Job, locked, read_progress, train_all
from lightdet.storage.kept import shown_path
from lightdet.tasks import task_of_config
from lightdet.wording import counted

HTML_NAME, JSON_NAME, MODEL_NAME = "crossval.html", "crossval.json", "model.safetensors"
LAST = "last.safetensors"
ALL = "all pictures"


class Watcher(trainings.Watcher, Protocol):
    """Follows the cross-validation."""

    def reading(self, done: int, total: int) -> None:
        """Pictures are decoded to find look-alikes."""

    def judging(self, label: str) -> None:
        """A fold's model is about to look at the pictures left out."""

    def begin(self, pictures: int) -> None:
        """So many pictures are about to go through a network."""

    def step(self, pictures: int) -> None:
        """More pictures are done."""


@dataclass(frozen=True)
class CrossValidated:
    """The result: the numbers, and where the files are.

    Attributes:
        result: numbers by fold with their spread, the threshold, what went wrong.
        html, json: the page and the numbers.
        model: trained on all pictures, with the threshold if there is one; None: not asked for, or it failed.
    """

    result: CrossResult
    html: Path
    json: Path
    model: Path | None

    @property
    def problems(self) -> int:
        """How many things failed: trainings, and the threshold that was asked for."""
        return len(self.result.problems) + bool(self.result.why_not)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as ``lightdet crossval --json`` writes them."""
        return {**self.result.as_dict(), "model": None if self.model is None else str(self.model)}


@dataclass
class CrossValidation:
    """One request, in two steps: creation (everything that needs no training is checked), then `run`.

    Args:
        options: what was asked.
        launcher: see `lightdet.runs.training_process.LocalTraining`.

    Raises:
        UserError: a wrong configuration value, data set or split; a start that may have seen the pictures; too few
            pictures for the rate that is asked for, or one of them twice.
    """

    options: CrossvalOptions
    launcher: str
    notes: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        options = self.options
        file = load_yaml(options.config) if options.config else YamlFile({})
        self.task = task_of_config(file, options.settings())
        self.config = self.task.configuration(file, options.settings())
        refuse_seen(self.config)
        self.spec = load_dataset(options.data, options.data_root)
        refuse_inputs({"--json": options.json}, (), self.spec)
        self.task.check_dataset(self.spec)
        self.task.comparing.check(self.config, len(self.spec.classes))
        self.pool: Pool = read_pool(self.spec, splits_taken(self.spec, options.split), options.on_error)
        self.wanted: Wanted | None = None
        self.base: Any = None
        if options.kind is not None:
            check_count(options.folds)
            self.wanted = Wanted(options.kind, options.target, options.confidence, options.per_class)
            self.base, origin = self.task.uncalibrated_rule(self.spec, min_size=options.min_size, bad=options.bad)
            self.notes += [f"Bad are {', '.join(self.base.bad)} ({origin})."] if origin else []
            truths = list(self.pool.truths.values())
            check_distinct(truths)
            check_enough(self.base, truths, self.spec.classes, self.wanted, self.pool.called, self.task)
        self.look = Look(options, self.config, self.task)

    def run(self, watcher: Watcher) -> CrossValidated:
        """Divide, train, judge and write; continues an earlier call in the same folder.

        Raises:
            UserError: another cross-validation is running in the folder, it holds something else, or was started with
                other data or settings; the pictures cannot be divided; nothing can be written; a missing device.
            KeyboardInterrupt: after a signal; the trainings have saved.
        """
        from lightdet.models.device import choose_device  # noqa: PLC0415 - torch only when it is time

        choose_device(self.options.device)
        folder = Path(self.options.output)
        check_writable(folder)
        with locked(folder, "cross-validation"):
            folds = open_plan(folder, self._data(), self.config, lambda: self._divide(watcher))
            self._check_folds(folds)
            jobs = self._jobs(folds)
            problems = self._train(jobs, watcher)
            return self._write(folds, jobs, problems, watcher)

    def _divide(self, watcher: Watcher) -> Folds:
        return divide(self.pool, self.spec, self.task, self.options.folds, self.config.train.seed, watcher.reading)

    def _data(self) -> dict[str, Any]:
        count = len(self.spec.classes)
        truths = list(self.pool.truths.values())
        mark = with_digest(self.task.comparing.fingerprint(truths, count), truths)
        settled = {"classes": list(self.spec.classes), "splits": list(self.pool.splits), "folds": self.options.folds}
        return {**settled, "pictures": mark}

    def _check_folds(self, folds: Folds) -> None:
        """Refuse folds of other pictures: names may change where counts and bytes do not."""
        if {name for names in folds.pictures for name in names} != set(self.pool.truths):
            raise UserError(
                "this cross-validation was started with other pictures; use another --output",
                path=self.options.output,
            )

    def _jobs(self, folds: Folds) -> list[Job]:
        """One training per fold, and the one with all pictures."""
        options, folder = self.options, Path(self.options.output)
        common = {
            "data": str(options.data),
            "config": str(folder / CONFIG_NAME),
            "data_root": None if options.data_root is None else str(options.data_root),
            "device": options.device,
            "on_error": options.on_error,
            "folds": str(folder / FOLDS_NAME),
        }
        count = len(folds.pictures)
        jobs = [
            Job(f"without fold {number + 1}", "", folder / f"fold{number + 1}", {**common, "fold": number})
            for number in range(count)
        ]
        return [*jobs, Job(ALL, "", folder / "all", common)] if options.final else jobs

    def _train(self, jobs: list[Job], watcher: Watcher) -> dict[str, str]:
        """Train what is missing; returns what failed, by the training's name."""
        waiting, problems = [], {}
        for job in jobs:
            try:
                before = read_progress(job.folder)
            except UserError as error:
                problems[job.name] = str(error)
                continue
            if before is None or not before.done:
                waiting.append(job)
        if not waiting:
            return problems
        at = self.options
        with training_places(at.engine, at.address, at.together, self.launcher, device=at.device) as begin:
            failed = train_all(waiting, at.together, watcher, begin)
        return problems | {job.name: reason for job, reason in failed.items()}

    def _write(self, folds: Folds, jobs: list[Job], problems: dict[str, str], watcher: Watcher) -> CrossValidated:
        options, folder, parts = self.options, Path(self.options.output), {}
        for number, job in enumerate(jobs[: len(folds.pictures)]):
            if job.name in problems:
                continue
            watcher.judging(f"fold {number + 1}")
            parts[number] = predictions(self.look, job.folder / LAST, folds.held_out(self.spec, number), watcher)
        whole = together(list(parts.values())) if len(parts) == len(folds.pictures) else None
        calibration, why_not = self._calibrated(whole)
        model = self._model(jobs, problems, folds, calibration, watcher)
        result = self._result(parts, whole, calibration, why_not, problems)
        written = CrossValidated(result, folder / HTML_NAME, folder / JSON_NAME, model)
        write_json(written.json, written.to_dict())
        write_text(written.html, crossval_page(result))
        if options.json is not None:
            write_json(options.json, written.to_dict())
        return written

    def _calibrated(self, whole: Found | None) -> tuple[CrossCalibration | None, str]:
        """The threshold, or why there is none."""
        if self.wanted is None:
            return None, ""
        if whole is None:
            return None, "a fold is missing"
        about = {"name": self.spec.name, "folds": self.options.folds, "seed": self.config.train.seed}
        try:
            return cross_calibrate(self.base, whole, self.spec.classes, self.wanted, self.pool, about, self.task), ""
        except UserError as error:
            return None, error.message

    def _model(
        self,
        jobs: list[Job],
        problems: dict[str, str],
        folds: Folds,
        calibration: CrossCalibration | None,
        watcher: Watcher,
    ) -> Path | None:
        """The model trained on all pictures, with the threshold, unless it has a promise by now."""
        if not self.options.final or ALL in problems:
            return None
        trained, target = jobs[-1].folder / LAST, Path(self.options.output) / MODEL_NAME
        pictures = [picture_digest(truth.image) for truth in self.pool.truths.values()]
        write_trained_on(target.parent, {"train": pictures})
        if has_own_promise(target, trained):
            left = f"{target} has a promise from 'lightdet calibrate' and is left as it is; remove it to have it anew"
            self.notes.append(f"{left}.")
            watcher.note(left)
            return target
        conditions = None
        if calibration is not None:
            conditions = self.look.validation(trained, folds.held_out(self.spec, 0)).predictor().conditions
        write_calibrated(trained, target, calibration, conditions)
        return target

    def _result(
        self,
        parts: dict[int, Found],
        whole: Found | None,
        calibration: CrossCalibration | None,
        why_not: str,
        problems: dict[str, str],
    ) -> CrossResult:
        folds = tuple(self._fold(f"fold {number + 1}", part) for number, part in parts.items())
        joined = None if whole is None else self._fold("all together", whole)
        title = self.task.folding.by_class(folds[0].metrics)[0] if folds else ""
        asked = None
        if self.wanted is not None:
            name = {"escape_rate": "an escape rate", "false_reject_rate": "a false-reject rate"}[self.wanted.rate]
            asked = f"{name} of at most {self.wanted.target:g} with {self.wanted.confidence:.0%} confidence"
        skipped = [*self.pool.skipped, *(line for part in parts.values() for line in part.skipped)]
        return CrossResult(
            name=self.spec.name,
            classes=self.spec.classes,
            splits=self.pool.splits,
            left_out=self.pool.left_out,
            folds=folds,
            together=joined,
            class_title=title,
            asked=asked,
            calibration=calibration,
            why_not=why_not,
            problems=problems,
            notes=[self.pictures_used(), *self.notes],
            skipped=list(dict.fromkeys(skipped)),
            facts=self._facts(),
        )

    def pictures_used(self) -> str:
        """Which pictures are used, and which are not, in a sentence."""
        left = f"; not touched: {', '.join(self.pool.left_out)}" if self.pool.left_out else ""
        pictures = counted(len(self.pool.truths), "picture")
        return f"{pictures} of {self.pool.called} in {self.options.folds} folds{left}."

    def _fold(self, label: str, found: Found) -> FoldResult:
        scores, folding, names = self.task.scores, self.task.folding, self.spec.classes
        evaluation = scores.evaluation(
            found.truths,
            found.predictions,
            names,
            self.config.eval,
            Path(self.options.output),
            title=label,
            facts={},
            details={},
            skipped=[],
        )
        metrics = evaluation.metrics.as_dict()
        bad = least = None
        if self.wanted is not None:
            bad = sum(self.base.is_bad(truth, names) for truth in found.truths)
            least = lowest(self.base, found, names, self.wanted)
        figures = tuple(folding.figures(metrics))
        return FoldResult(label, len(found.truths), bad, figures, folding.by_class(metrics)[1], metrics, least)

    def _facts(self) -> dict[str, dict[str, str]]:
        options, train = self.options, self.config.train
        length = f"{train.minutes:g} min" if train.minutes is not None else counted(train.epochs, "epoch")
        return {
            "Data": {
                "data set": self.spec.name,
                "description": shown_path(options.data),
                "pictures": f"{len(self.pool.truths)} of {self.pool.called}",
                "classes": ", ".join(self.spec.classes),
            },
            "Trainings": {
                "configuration": str(options.config) if options.config else "defaults",
                "input": f"{self.config.imgsz} × {self.config.imgsz} pixels",
                "length of each": f"{length}, weights of the last epoch",
                "seed": str(train.seed),
            },
            "Made": {"lightdet": __version__},
        }
