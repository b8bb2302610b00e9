"""A comparison of classifiers from the checks to the files: every network on every split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightdet.assembly.classifier_training import unmeasured_classes
from lightdet.classification.fit import judge_fit
from lightdet.comparison.class_page import write_class_comparison
from lightdet.comparison.class_results import ClassComparison, ClassModel, HardPicture
from lightdet.comparison.results import Cost, Run
from lightdet.comparison.writer import Written
from lightdet.config.classification import ClassifyConfig
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.data.spec import OnError
from lightdet.errors import UserError
from lightdet.runs.compare.class_provenance import class_details_of, class_facts_of, class_notes_of
from lightdet.runs.compare.class_scoring import score_classes
from lightdet.runs.compare.costs import measure
from lightdet.runs.compare.plan import class_fingerprint
from lightdet.runs.compare.request import Entry
from lightdet.runs.compare.steps import ComparisonSteps, Row
from lightdet.runs.compare.trainings import Watcher
from lightdet.structures import ImageLabel
from lightdet.tasks import CLASSIFICATION

ORDER = ("train", "val", "test")


class ClassifierComparison(ComparisonSteps):
    """One request about classifiers, in two steps as `ComparisonSteps`.

    Raises:
        UserError: as there; a data set of boxes.
    """

    task = CLASSIFICATION

    def _default_split(self) -> str:
        return next((name for name in reversed(ORDER) if name in self.spec.splits), next(iter(self.spec.splits)))

    def _read(self) -> None:
        """Labels of training, validation and test, as far as they exist, and of the split asked for; no pixels."""
        known = [name for name in ORDER if name in self.spec.splits]
        self.splits: dict[str, list[ImageLabel]] = {}
        for name in dict.fromkeys([*known, self.request.split]):
            on_error: OnError = "skip" if self.request.skip_bad else "fail"
            self.splits[name], faults = read_split(self.spec, name, on_error=on_error)
            self.skipped += [str(fault) for fault in faults]

    def _check_entry(self, entry: Entry) -> None:
        """Refuse a network that cannot tell that many classes."""
        from lightdet.assembly.classifier import logits_for  # noqa: PLC0415 - torch only when it is time

        if isinstance(entry.config, ClassifyConfig):
            try:
                logits_for(entry.config.model, len(self.spec.classes))
            except UserError as error:
                raise UserError(error.message, path=entry.files[0]) from None

    def _data(self) -> dict[str, Any]:
        return {"classes": list(self.spec.classes), **self._marks()}

    def _marks(self) -> dict[str, dict[str, Any]]:
        return {name: class_fingerprint(labels, len(self.spec.classes)) for name, labels in self.splits.items()}

    def _finish(self, rows: Sequence[Row], watcher: Watcher) -> tuple[ClassComparison, Written]:
        marks = self._marks()
        wrong: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows:
            for candidate in row.candidates:
                try:
                    result = score_classes(self.request, candidate, marks, watcher)
                except (UserError, MemoryError) as error:
                    row.problems[candidate.label] = str(error) or "memory ran out while it was evaluated"
                    continue
                self.skipped += [line for line in result["skipped"] if line not in self.skipped]
                history = row.histories.get(candidate.label, ())
                row.runs.append(Run(candidate.label, candidate.seed, result["splits"], history))
                row.scored = row.scored or candidate
                wrong[row.entry.name, candidate.label] = result["wrong"]
        networks = {row.entry.name: (row.scored.file, self._side(row.scored)) for row in rows if row.scored is not None}
        timed = self.splits[self.request.split][0].image
        costs, on = measure(self.request, networks, timed, watcher)
        models = [self._model(row, costs.get(row.entry.name)) for row in rows]
        request, spec = self.request, self.spec
        comparison = ClassComparison(
            title=f"Comparison of classifiers on {spec.name}",
            classes=spec.classes,
            splits=tuple(self.splits),
            headline=request.split,
            models=models,
            hard=hardest(models, wrong, request.pictures),
            facts=class_facts_of(request, spec, self.entries, marks, on),
            details=class_details_of(request, spec, marks, on),
            notes=class_notes_of(request, self.entries, marks, unmeasured_classes(self.splits.get("val", ()))),
            skipped=self.skipped,
        )
        load = partial(read_image, bit_depth=spec.bit_depth)
        return comparison, write_class_comparison(request.output, comparison, load)

    def _model(self, row: Row, cost: Cost | None) -> ClassModel:
        entry = row.entry
        fits = {run.label: judge_fit(_known(run)) for run in row.runs if run.history}
        runs, settings = tuple(row.runs), self._settings_of(entry)
        return ClassModel(
            entry.name, entry.kind, entry.source, runs, row.problems, cost, settings, self.request.split, fits
        )


def _known(run: Run) -> list[dict[str, Any]]:
    """A run's epochs, whole numbers as such."""
    return [{**row, "epoch": int(row["epoch"])} for row in run.history]


def hardest(
    models: Sequence[ClassModel], wrong: dict[tuple[str, str], list[dict[str, Any]]], count: int
) -> list[HardPicture]:
    """Choose up to `count` pictures that most networks get wrong (of each its middle run), the surest mistakes first.

    Args:
        models: with their runs.
        wrong: mistakes by network and run, as `score_classes` gives them.
        count: how many at most.
    """
    kinds: dict[str, str] = {}
    taken: dict[str, dict[str, tuple[str, float]]] = {}
    for model in models:
        middle = model.middle_run()
        for each in wrong.get((model.name, middle.label), ()) if middle is not None else ():
            kinds[each["image"]] = each["is"]
            taken.setdefault(each["image"], {})[model.name] = (each["taken"], each["probability"])

    def rank(image: str) -> tuple[int, float, str]:
        return -len(taken[image]), -sum(share for _, share in taken[image].values()), image

    return [HardPicture(Path(image), kinds[image], taken[image]) for image in sorted(taken, key=rank)[:count]]
