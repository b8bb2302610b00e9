"""Validate a model: read the ground truth, run the model, score it, write a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lightdet.arrays import IntArray
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.zones import read_zones
from lightdet.data.dataset import DatasetSpec, read_split
from lightdet.data.images import read_image
from lightdet.decisions.zones import Zones
from lightdet.drift.statistics import picture_statistics
from lightdet.errors import UserError
from lightdet.evaluation.paired import Paired
from lightdet.files import check_writable, write_json
from lightdet.inference.open_exported import read_card
from lightdet.inference.run_folder import fresh_folder
from lightdet.inference.zoned import in_zones
from lightdet.missing import require_file
from lightdet.model_kind import is_export
from lightdet.options.outputs import refuse_inputs
from lightdet.options.val import ValOptions
from lightdet.runs import against
from lightdet.runs.for_model import PicturesForModel
from lightdet.runs.found import Found
from lightdet.runs.judging import decision_facts, judged
from lightdet.runs.load import calibrated_conditions, load, trained_tiles
from lightdet.runs.read_ahead import decoded
from lightdet.runs.report_facts import about_model, about_zones, versions
from lightdet.runs.trained_on import learned_marks
from lightdet.runs.val_checks import check_what_applies
from lightdet.runs.zoned_truths import ZonedLabels, fitting
from lightdet.storage.kept import shown_path
from lightdet.tasks import task_of_model

RUNS = Path("runs/val")
"""Reports go here, or to ``runs/val-2``, …, if no output folder is named."""


@dataclass(frozen=True)
class Outcome:
    """The result: the evaluation (of the task's own type), where its report is, and a short summary."""

    evaluation: Any
    html: Path
    json: Path
    summary: Any
    against: Paired | None = None
    """The comparison with the model of ``--against``."""
    against_lines: Sequence[str] = ()

    @property
    def metrics(self) -> Any:
        """The numbers, of the task's own type: `lightdet.evaluation.metrics.Metrics` for a detector (``map50``, …), or
        `lightdet.classification.metrics.ClassifyMetrics` for a classifier (``accuracy.value``, …)."""
        return self.evaluation.metrics

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as ``lightdet val --json`` writes them."""
        return dict(self.evaluation.as_dict())


class Watcher(Protocol):
    """Follows the progress."""

    def begin(self, pictures: int) -> None:
        """Pictures are about to go through the network."""
        ...

    def step(self, pictures: int) -> None:
        """More pictures are done."""
        ...


class Validation:
    """One request, in two steps: creation (quick checks without the network), then `run`.

    Args:
        options: the request.
        spec: the data set, where it is not just what the file of the request says.
        classes: those that count, of the data set's; None: all of them, which the model must have.

    Raises:
        UserError: flags that exclude each other, a wrong configuration value, data set, split or folder.
    """

    def __init__(
        self,
        options: ValOptions,
        spec: DatasetSpec | None = None,
        *,
        zones: Zones | None = None,
        classes: tuple[str, ...] | None = None,
    ) -> None:
        self.options = options
        self.zones = zones if options.zones is None else read_zones(options.zones)
        source = options.weights or options.predictions
        if source is None or (options.weights is not None and options.predictions is not None):
            raise UserError("give either --weights (a trained model) or --predictions (detections as COCO JSON)")
        self.source = Path(source)
        require_file(self.source)
        check_what_applies(options)
        self.task = task_of_model(options.weights)
        self.task.check_options(options.given(), self.source)
        batch = [f"eval.batch={options.batch}"] if options.batch is not None else []
        asked = self.task.scores.evaluation_settings([*batch, *options.overrides])
        self.settings, self.imgsz = asked.eval, options.imgsz or asked.imgsz
        self.spec = load_dataset(options.data, options.data_root) if spec is None else spec
        self.task.check_dataset(self.spec)
        self.spec.split(options.split)
        refuse_inputs({"--json": options.json}, (), self.spec)
        self.some = classes
        if options.against is not None:
            against.check_pair(self.source, Path(options.against), self.task)
            self.some = against.some_classes(self.source, Path(options.against), self.spec)
        self.classes = self.some or self.spec.classes
        if options.output is not None:
            check_writable(Path(options.output))

    def run(self, watcher: Watcher) -> Outcome:
        """Read the split, run the model on its pictures, score the results, write the report.

        Raises:
            UserError: a broken picture or label (unless skipped), a model that cannot be loaded or has other
                classes than the data set, a file that cannot be written.
        """
        options = self.options
        notes = [] if options.against is None else self._unseen(Path(options.against))
        found = self.find(watcher)
        compared = None if options.against is None else self._against(Path(options.against), found, watcher, notes)
        evaluation = self._evaluate(found)
        folder = Path(options.output) if options.output is not None else fresh_folder(RUNS)
        load_picture = partial(read_image, bit_depth=self.spec.bit_depth)
        html, numbers = self.task.scores.write_report(folder, evaluation, load_picture, pictures=options.pictures)
        if options.json is not None:
            write_json(options.json, evaluation.as_dict())
        told = [] if compared is None else against.lines(compared, notes)
        return Outcome(evaluation, html, numbers, self.task.scores.summary(evaluation), compared, told)

    def _unseen(self, old: Path) -> list[str]:
        """What a person should know of the pictures on which two models are compared."""
        pictures = [truth.image for truth in self.truths()[0]]
        apart = [] if self.some is None else [against.left_out(self.source, old, self.spec, self.some)]
        return apart + [line for place in (self.source, old) for line in against.check_unseen(place, pictures)]

    def _against(self, old: Path, found: Found, watcher: Watcher, notes: Sequence[str]) -> Paired:
        """Compare with the model `old`, and add the result to `found`."""
        other = replace(self.options, weights=old, against=None, output=None, json=None)
        theirs = Validation(other, self.spec, zones=self.zones, classes=self.classes).find(watcher)
        compared = against.compare_found(found, theirs, self.classes)
        found.compared, found.details["against"] = against.facts(compared, notes, old)
        return compared

    def find(self, watcher: Watcher, *, own_thresholds: bool = False, statistics: bool = False) -> Found:
        """Read the split and run the model on its pictures.

        Args:
            watcher: follows the work.
            own_thresholds: with those of the model file itself.
            statistics: take those of the pictures too (`lightdet.drift`).

        Raises:
            UserError: as `run`.
        """
        truths, faults = self.truths()
        thresholds = self._thresholds(own=own_thresholds)
        found = (
            self._look(truths, watcher, thresholds, statistics=statistics)
            if self.options.predictions is None
            else self._read(truths)
        )
        found.skipped[:0] = [str(fault) for fault in faults]
        return found

    def truths(self) -> tuple[list[Any], list[UserError]]:
        """Return the labelled pictures of the split, and what was left out.

        Raises:
            UserError: a broken picture or label (unless skipped).
        """
        truths, faults = read_split(self.spec, self.options.split, on_error=self.options.on_error)
        if self.some is None:
            return truths, faults
        order = [self.some.index(name) if name in self.some else -1 for name in self.spec.classes]
        return [truth.renumbered(order) for truth in truths], faults

    def predictor(self, thresholds: dict[str, Any] | None = None) -> Any:
        """Load the model as this evaluation looks through it; `thresholds` default to those of the settings."""
        options = self.options
        return load(
            self.source,
            device=options.device,
            imgsz=self.imgsz,
            precision=options.precision,
            threads=options.threads,
            agnostic=options.agnostic or None,
            rect=options.rect,
            tile=options.tile,
            overlap=options.overlap,
            zones=self.zones,
            no_promise=options.no_promise,
            **(self._thresholds(own=False) if thresholds is None else thresholds),
        )

    def _read(self, truths: list[Any]) -> Found:
        """Detections from a file."""
        from lightdet.evaluation.predictions import Ids, coco_ids, read_predictions  # noqa: PLC0415

        place = self.spec.split(self.options.split)
        ids = coco_ids(place.labels, place.images) if self.spec.format == "coco" and place.labels is not None else Ids()
        skip = self.options.on_error == "skip"
        truths, unfit = (truths, []) if self.zones is None else fitting(self.zones, truths, skip=skip)
        found, skipped = read_predictions(
            self.source, truths, self.spec.classes, ids=ids, root=self.spec.root, skip=skip
        )
        labels = None if self.zones is None else ZonedLabels(self.zones, self.spec.classes)
        if labels is not None:
            truths = [labels.of(truth) for truth in truths]
            found = [in_zones(each, labels.zones, self.spec.classes) for each in found]
        facts, details = about_zones(labels, found)
        facts, details = {"detections": str(self.source), **facts}, {"predictions": str(self.source), **details}
        return Found(truths, found, [*unfit, *skipped], facts, details)

    def _look(self, truths: list[Any], watcher: Watcher, thresholds: dict[str, Any], *, statistics: bool) -> Found:
        """Predictions of a network."""
        options, classes = self.options, self.classes
        predictor = self.predictor(thresholds)
        rule, promise = predictor.rule, predictor.promise
        if self.some is None:
            order = class_order(predictor.names, self.spec, self.source)
        else:
            order = np.array([classes.index(n) if n in classes else -1 for n in predictor.names], np.int64)
        kept: list[Any] = []
        found: list[Any] = []
        skipped: list[str] = []
        pictures: list[dict[str, float]] = []
        zones, labels = getattr(predictor, "zones", None), None
        if zones is not None:
            truths, skipped = fitting(zones, truths, skip=options.on_error == "skip")
            labels = ZonedLabels(zones, classes)
        watcher.begin(len(truths))
        began = time.perf_counter()
        pictures_of_set = PicturesForModel(self.spec, predictor.preprocessing.bit_depth, self.source)
        for chunk, images in decoded(truths, self.settings.batch, pictures_of_set):
            good = [
                (truth, image) for truth, image in zip(chunk, images, strict=True) if not isinstance(image, UserError)
            ]
            for fault in images:
                if isinstance(fault, UserError):
                    if not options.on_error == "skip":
                        raise fault
                    skipped.append(str(fault))
            if good:
                results = predictor.batch([image for _, image in good])
                found += [self.task.scores.in_order(result, order, classes) for result in results]
                kept += [truth if labels is None else labels.of(truth) for truth, _ in good]
                pictures += [picture_statistics(image) for _, image in good if statistics]
            watcher.step(len(chunk))
        if not kept:
            raise UserError(f"no picture of the split '{options.split}' can be read; the first: {skipped[0]}")
        facts, details = about_model(
            predictor,
            self.source,
            self.task.stages,
            found,
            batch=self.settings.batch,
            device=options.device,
            precision=options.precision,
            seconds=time.perf_counter() - began,
        )
        for all_about, zoned in zip((facts, details), about_zones(labels, found), strict=True):
            all_about.update(zoned)
        record = predictor.card_decision.record
        return Found(kept, found, skipped, facts, details, rule, promise, predictor.conditions, record, pictures)

    def _thresholds(self, *, own: bool) -> dict[str, Any]:
        """The thresholds to find with; calibrated or in tiles, only those that were asked for and the lowest score."""
        values, options = self.task.scores.thresholds(self.settings), self.options
        tile = trained_tiles(self.source) if options.tile is None else options.tile
        if not (own or tile) and (options.no_promise or calibrated_conditions(self.source) is None):
            return values
        if own and is_export(self.source) and read_card(self.source).outputs == "detections":
            return {}  # they are in the network
        asked = {override.partition("=")[0].strip() for override in options.overrides}
        then = None if own or options.no_promise else calibrated_conditions(self.source)
        if then is not None and then.confidence is not None and "eval.confidence" not in asked:
            values |= {"confidence": max(values["confidence"], then.confidence)}
        return {name: value for name, value in values.items() if name == "confidence" or f"eval.{name}" in asked}

    def _evaluate(self, found: Found) -> Any:
        spec, options, task = self.spec, self.options, self.task
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        data = {"name": spec.name, "split": options.split, "format": str(spec.format), "folder": shown_path(spec.root)}
        software = versions(task.scores.packages)
        decision = {}
        if found.rule is not None and self.some is None:
            decision = judged(found, spec.classes, learned_marks(self.source) or frozenset())
        used = {} if found.conditions is None else found.conditions.as_dict()
        used = {name: value for name, value in used.items() if name in ("iou", "max_detections") and value is not None}
        if found.conditions is not None:
            used |= {name: value for name, value in self._thresholds(own=False).items() if name == "confidence"}
        across = bool(options.agnostic if found.conditions is None else found.conditions.agnostic)
        settings, values = task.scores.settings_facts(self.settings.model_copy(update=used), across_classes=across)
        if options.weights is None:
            settings, values = {"threshold": "as in the file"}, {"settings": None}
        facts = {
            "Data": data | {"description": shown_path(options.data), "classes": ", ".join(self.classes)},
            "Model": found.facts,
            "Settings": settings,
            "Decision": decision_facts(found, decision) if decision else {},
            "Compared": found.compared,
            "Made": {"on": now, **software},
        }
        return task.scores.evaluation(
            found.truths,
            found.predictions,
            self.classes,
            self.settings,
            self.source,
            title=f"{self.source.name} on {spec.name} ({options.split})",
            facts={heading: group for heading, group in facts.items() if group},
            details={
                **found.details,
                **({"decision": decision} if decision else {}),
                "data": {**data, "yaml": shown_path(options.data)},
                "date": now,
                **values,
                "versions": software,
            },
            skipped=found.skipped,
        )


def class_order(names: Sequence[str], spec: DatasetSpec, weights: Path) -> IntArray:
    """Return int64 ``[C]``: the data set's label for each of the model's.

    Raises:
        UserError: the two do not have the same classes.
    """
    if set(names) != set(spec.classes):
        ours = ", ".join(sorted(set(names) - set(spec.classes))) or "none"
        theirs = ", ".join(sorted(set(spec.classes) - set(names))) or "none"
        raise UserError(
            f"finds other classes than {spec.path or spec.name} has (only the model: {ours}; only the data: {theirs}); "
            "use the model's own data set or another model",
            path=weights,
        )
    return np.array([spec.classes.index(name) for name in names], np.int64)
