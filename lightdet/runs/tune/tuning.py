"""A request to search → trainings, one per trial, and the files with their results."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml

from lightdet import __version__
from lightdet.addresses import hide_sign_in
from lightdet.assembly.dataset import load_dataset
from lightdet.config import YamlFile, load_yaml
from lightdet.data.joined import read_training_splits
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import make_folder, write_json, write_text
from lightdet.options.outputs import refuse_inputs
from lightdet.options.tune import TuneOptions
from lightdet.runs.data_facts import with_digest
from lightdet.runs.tune.objective import Objective, TuneWatcher, remove_files
from lightdet.runs.tune.search_space import Base, check_combinations, load_space
from lightdet.tasks import AnyConfig
from lightdet.training.folder_lock import folder_lock
from lightdet.training.interrupt import StopRequest
from lightdet.training.trainer import BEST_FILE
from lightdet.tuning.page import search_page
from lightdet.tuning.results import Results, collect
from lightdet.tuning.search import Search
from lightdet.tuning.space import SearchSpace, combined
from lightdet.tuning.study import PICTURES, close, open_study
from lightdet.tuning.study_folder import DATABASE, note_study, place_of, refuse_other_study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna import Study

PAGE, BEST, NUMBERS = "tune.html", "best.yaml", "tune.json"
DEFAULT_TRIALS = 20


@dataclass
class TuneOutcome:
    """The result of a search: the study's results, whether it was stopped, the files."""

    results: Results
    stopped: bool
    page: Path
    best: Path | None = None
    skipped: list[str] = field(default_factory=list)


@dataclass
class Tuning:
    """One request, in two steps: creation (quick checks of space and data set), then `run`.

    Raises:
        UserError: anything wrong with configuration, space or data set.
    """

    options: TuneOptions
    base: Base = field(init=False)
    config: AnyConfig = field(init=False)
    space: SearchSpace = field(init=False)
    spec: DatasetSpec = field(init=False)
    trials: int = field(init=False)
    skipped: list[str] = field(init=False, default_factory=list)
    pictures: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)
    """What the data of the search are recognised by."""

    def __post_init__(self) -> None:
        options = self.options
        file = load_yaml(options.config) if options.config else YamlFile({})
        self.base = Base(file, tuple(options.settings()))
        self.config = self.base.config()
        self.space = load_space(Path(options.space), self.base)
        check_combinations(self.space, self.base)
        self.spec = load_dataset(options.data, options.data_root)
        refuse_inputs({"--json": options.json}, (), self.spec)
        for split in ("train", "val"):
            self.spec.split(split)
        self.base.task.check_dataset(self.spec)
        self.trials = self._count()

    def _count(self) -> int:
        options = self.options
        if options.sampler != "grid":
            return options.trials or DEFAULT_TRIALS
        endless = self.space.uncountable()
        if endless:
            raise UserError(
                f"'{endless[0]}' has infinitely many values, and a grid takes them all: give it a list or a step, "
                "or search with --sampler tpe",
                path=options.space,
            )
        size = self.space.grid_size()
        if size > 10_000:
            raise UserError(
                f"the grid has {size:,} combinations; take fewer values, or --sampler tpe", path=options.space
            )
        return min(size, options.trials or size)

    @property
    def score_name(self) -> str:
        """The name of the score."""
        return self.base.task.training.score_words

    def run(self, watcher: TuneWatcher, stop: StopRequest) -> TuneOutcome:
        """Search until the study has its trials or `stop` is set; the page and best.yaml are always written.

        Raises:
            UserError: Optuna is missing, another search is in the way, the data cannot be read, every trial fails.
        """
        options = self.options
        make_folder(options.output)
        study = self._open()
        objective = Objective(self.base, self.spec, options, watcher, stop, self.check_same_pictures, self.skipped)
        search = Search(
            study,
            self.space,
            options.sampler,
            options.seed,
            self.trials,
            Path(options.output),
            objective,
            _locked,
            lambda: stop.requested,
            watcher,
            lambda: keep_best_alone(study),
        )
        try:
            finished = search.run()
        finally:
            try:
                outcome = self._write(study)
            finally:
                close(study)
        outcome.stopped = not finished
        return outcome

    def _open(self) -> Study:
        """The study, in a folder that is no other one's."""
        options, folder = self.options, Path(self.options.output)
        name, place = options.study or "lightdet", place_of(options.storage, folder)
        self.pictures = self._pictures()
        study = open_study(
            options.storage or f"sqlite:///{(folder / DATABASE).absolute()}",
            name,
            self._identity(),
            pruner=options.pruner,
            epochs=self.config.train.epochs,
            anew=options.overwrite,
            check=lambda storage: refuse_other_study(folder, place, name, storage),
        )
        note_study(folder, place, name)
        return study

    def _identity(self) -> dict[str, Any]:
        return {
            "search space": self.space.as_dict(),
            "configuration": self.config.model_dump(mode="json"),
            "data set": {"name": self.spec.name, "classes": list(self.spec.classes)},
            "sampler": self.options.sampler,
            PICTURES: self.pictures,
        }

    def _pictures(self) -> dict[str, dict[str, Any]]:
        """What the pictures and labels are recognised by, as they are now."""
        read = read_training_splits(self.spec, on_error=self.options.on_error)
        splits = {"train": read.train, "val": read.val}
        return {name: with_digest({"pictures": len(truths)}, truths) for name, truths in splits.items()}

    def check_same_pictures(self) -> None:
        """Refuse to go on with data that somebody has changed since the search began.

        Raises:
            UserError: other pictures or labels.
        """
        if self._pictures() != self.pictures:
            raise UserError(
                "its pictures or labels have changed since the search began, so scores cannot be compared; restore "
                "them, or start again with --overwrite",
                path=self.spec.path,
            )

    def _write(self, study: Study) -> TuneOutcome:
        """The page, the numbers, and the best configuration as YAML."""
        options = self.options
        results = collect(study, self.space, self.score_name)
        outcome = TuneOutcome(results, False, Path(options.output) / PAGE, skipped=self.skipped)
        if results.best is not None:
            outcome.best = Path(options.output) / BEST
            write_text(outcome.best, self._best_yaml(results))
        values = {**results.as_dict(), "facts": self._facts(), "skipped": self.skipped}
        write_json(Path(options.output) / NUMBERS, values)
        if options.json is not None:
            write_json(options.json, values)
        write_text(outcome.page, search_page(results, self._facts()))
        return outcome

    def _best_yaml(self, results: Results) -> str:
        assert results.best is not None  # noqa: S101 - for the type checker
        best = results.best
        values = self.base.config(best.params).model_dump(mode="json")
        head = (
            f"# The best of {results.complete} finished trials: {self.score_name} {best.score:.4f} on the validation "
            f"split of {self.spec.name} (trial {best.number})\n# {combined(best.params)}\n"
        )
        return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)

    def _facts(self) -> dict[str, dict[str, str]]:
        options = self.options
        return {
            "search": {
                "sampler": options.sampler,
                "pruner": options.pruner,
                "seed": str(options.seed),
                "epochs per trial, at most": str(self.config.train.epochs),
                "storage": hide_sign_in(options.storage) if options.storage else DATABASE,
            },
            "data": {"data set": self.spec.name, "classes": ", ".join(self.spec.classes)},
            "configuration": {
                "file": str(options.config) if options.config else "defaults",
                "overrides": " ".join(options.settings()) or "none",
            },
            "versions": {"lightdet": __version__, "torch": torch.__version__},
        }


def keep_best_alone(study: Study) -> None:
    """Delete the model files of all finished trials except the best one's."""
    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.value is not None]
    best = max(finished, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)
    for trial in finished:
        weights = trial.user_attrs.get("weights")
        if weights is not None and trial is not best and Path(weights).name == BEST_FILE:
            remove_files(Path(weights).parent, BEST_FILE)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    make_folder(folder)
    with folder_lock(folder):
        yield
