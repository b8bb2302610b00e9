"""A request to evaluate a classifier → numbers and a report."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.assembly.classifier_predictor import load_classifier, parameter_count
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.decision import class_decision_facts, judged_classes, stored_class_rule
from lightdet.assembly.predictor import computed
from lightdet.classification.metrics import evaluate_classes
from lightdet.classification.report import ClassifyEvaluation, evaluation_as_dict, write_class_report
from lightdet.config import YamlFile, validate
from lightdet.config.classification import ClassifyEvalConfig
from lightdet.config.schema import Section
from lightdet.data.image_labels import read_image_labels
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.inference.run_folder import check_writable, fresh_folder
from lightdet.runs.validate import RUNS, ValRequest, Watcher, class_order
from lightdet.structures import Classification, ImageLabel

if TYPE_CHECKING:
    from lightdet.inference.classifier import ClassifierPredictor

STAGES = ("preprocess", "network")
MAX_HISTORY_BYTES = 64 << 20


class ClassEvalOverrides(Section):
    """The part of the configuration that an evaluation takes."""

    eval: ClassifyEvalConfig = ClassifyEvalConfig()


@dataclass(frozen=True)
class ClassFound:
    """What a classifier said of a split.

    Attributes:
        labels: the pictures that could be read, with their classes.
        found: what each was taken for, in the model's order of classes.
        shares: the same as float32 ``[N, C]`` in the data set's order.
        predictor: who said it.
        seconds: how long it took, reading included.
        skipped: what was left out, and why, one line each.
    """

    labels: list[ImageLabel]
    found: list[Classification]
    shares: FloatArray
    predictor: ClassifierPredictor
    seconds: float
    skipped: list[str]


@dataclass(frozen=True)
class ClassOutcome:
    """What came of it: the evaluation and where its report is."""

    evaluation: ClassifyEvaluation
    html: Path
    json: Path


class ClassValidation:
    """One request, in two steps: made (everything that needs no network is checked; quick), then run.

    Raises:
        UserError: a wrong configuration value, data set, split or folder; a data set of boxes.
    """

    def __init__(self, request: ValRequest) -> None:
        self.request = request
        batch = [f"eval.batch={request.batch}"] if request.batch is not None else []
        self.settings = validate(ClassEvalOverrides, YamlFile({}), [*batch, *request.overrides]).eval
        if request.weights is None or request.predictions is not None:
            raise UserError("a classifier is evaluated with --weights alone, without --predictions")
        self.weights = request.weights
        self.spec = load_dataset(request.data, request.data_root)
        if not self.spec.labels_pictures:
            raise UserError(
                f"marks boxes (format: {self.spec.format}), and {request.weights} is a classifier: it needs a data set "
                "with one class per picture (format folders or csv)",
                path=request.data,
            )
        self.spec.split(request.split)
        if request.output is not None:
            check_writable(request.output)

    def run(self, watcher: Watcher) -> ClassOutcome:
        """Read the split, judge its pictures, score the judgements, write the report.

        Raises:
            UserError: a broken picture or label (unless skipped), a model that cannot be loaded or has other classes
                than the data set, a file that cannot be written.
        """
        request = self.request
        evaluation = self._evaluation(self.find(watcher))
        folder = request.output if request.output is not None else fresh_folder(RUNS)
        load_picture = partial(read_image, bit_depth=self.spec.bit_depth)
        html, numbers = write_class_report(folder, evaluation, load_picture, pictures=request.pictures)
        if request.json is not None:
            write_json(request.json, evaluation_as_dict(evaluation))
        return ClassOutcome(evaluation, html, numbers)

    def find(self, watcher: Watcher) -> ClassFound:
        """Read the split and judge its pictures.

        Raises:
            UserError: as `run`.
        """
        request = self.request
        labels, faults = read_image_labels(self.spec, request.split, on_error="skip" if request.skip_bad else "fail")
        predictor = load_classifier(
            self.weights,
            device=request.device,
            imgsz=request.imgsz,
            precision=request.precision,
            threads=getattr(request, "threads", None),
        )
        order = class_order(predictor.names, self.spec, self.weights)
        watcher.begin(len(labels))
        began = time.perf_counter()
        kept, found, skipped = self._judge(labels, predictor, watcher)
        shares: FloatArray = np.zeros((len(found), len(self.spec.classes)), np.float32)
        shares[:, order] = np.stack([each.probabilities for each in found])
        seconds = time.perf_counter() - began
        return ClassFound(kept, found, shares, predictor, seconds, [*map(str, faults), *skipped])

    def _judge(
        self, labels: Sequence[ImageLabel], predictor: ClassifierPredictor, watcher: Watcher
    ) -> tuple[list[ImageLabel], list[Classification], list[str]]:
        kept: list[ImageLabel] = []
        found: list[Classification] = []
        skipped: list[str] = []
        for chunk, images in _decoded(labels, self.settings.batch, self.spec.bit_depth):
            good: list[Image] = []
            for each, image in zip(chunk, images, strict=True):
                if isinstance(image, UserError):
                    if not self.request.skip_bad:
                        raise image
                    skipped.append(str(image))
                else:
                    kept.append(each)
                    good.append(image)
            found += predictor.batch(good)
            watcher.step(len(chunk))
        if not kept:
            raise UserError(f"no picture of the split '{self.request.split}' can be read; the first: {skipped[0]}")
        return kept, found, skipped

    def _evaluation(self, given: ClassFound) -> ClassifyEvaluation:
        labels, found, shares, predictor = given.labels, given.found, given.shares, given.predictor
        runtime = predictor.runtime
        spec, request = self.spec, self.request
        truth = np.array([each.label for each in labels], np.int64)
        metrics = evaluate_classes(truth, shares, spec.classes, confidence=self.settings.intervals)
        medians = {s: float(np.median([each.milliseconds.get(s, 0.0) for each in found])) for s in STAGES}
        params = parameter_count(predictor)
        side, now = predictor.preprocessing.imgsz, datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        data = {"name": spec.name, "split": request.split, "format": str(spec.format), "folder": str(spec.root)}
        versions = _versions()
        rule = stored_class_rule(self.weights, predictor)
        names = [spec.classes[each.label] for each in labels]
        decision = {} if rule is None else judged_classes(rule, names, found)
        return ClassifyEvaluation(
            title=f"{self.weights.name} on {spec.name} ({request.split})",
            metrics=metrics,
            labels=labels,
            shares=shares,
            names=spec.classes,
            history=read_history(self.weights.parent / "results.csv"),
            facts={
                "Data": data | {"description": str(request.data), "classes": ", ".join(spec.classes)},
                "Model": {
                    "weights": str(self.weights),
                    "parameters": f"{params / 1e6:.3f} million",
                    "input": f"{side} × {side} pixels{', gray' if predictor.preprocessing.gray else ''}",
                    "runs on": f"{computed(predictor)}, batch {self.settings.batch}",
                    "time a picture": ", ".join(f"{s} {value:.1f} ms" for s, value in medians.items()) + " (medians)",
                    "pace": f"{len(found) / given.seconds:.1f} pictures a second, reading included",
                },
                **({"Decision": class_decision_facts(decision)} if decision else {}),
                "Made": {"on": now, **versions},
            },
            details={
                "weights": str(self.weights),
                "params": params,
                "imgsz": side,
                "device": runtime.device,
                "precision_mode": runtime.precision,
                "batch": self.settings.batch,
                "latency_ms": {**medians, "total": sum(medians.values())},
                "images_per_second": len(found) / given.seconds,
                **({"decision": decision} if decision else {}),
                "data": {**data, "yaml": str(request.data)},
                "date": now,
                "versions": versions,
            },
            skipped=given.skipped,
        )


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a training's results.csv; none where there is no such file, or it is none of ours."""
    try:
        if path.stat().st_size > MAX_HISTORY_BYTES:
            return []
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return [row for row in rows if float(row["epoch"]) >= 1 and float(row["loss"]) == float(row["loss"])]
    except (OSError, UnicodeError, csv.Error, KeyError, TypeError, ValueError):
        return []


def _decoded(
    labels: Sequence[ImageLabel], batch: int, bit_depth: int
) -> Iterator[tuple[Sequence[ImageLabel], list[Image | UserError]]]:
    """Yield batches of pictures, the next one being read while the network works on the last."""

    def read(each: ImageLabel) -> Image | UserError:
        try:
            return read_image(each.image, bit_depth=bit_depth)
        except UserError as error:
            return error

    chunks = [labels[start : start + batch] for start in range(0, len(labels), batch)]
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(read, each) for each in chunks[0]]
        try:
            for number, chunk in enumerate(chunks):
                following = chunks[number + 1] if number + 1 < len(chunks) else []
                ready, waiting = waiting, [pool.submit(read, each) for each in following]
                yield chunk, [future.result() for future in ready]
        finally:
            pool.shutdown(cancel_futures=True)


def _versions() -> dict[str, str]:
    found = {}
    for package in ("lightdet", "scikit-learn", "torch", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
