"""A request to evaluate → numbers and a report: checks first, then ground truth, detections, scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from lightdet.arrays import Image, IntArray
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.decision import check_agnostic, decision_facts, judged, stored_rule
from lightdet.assembly.predictor import computed, load
from lightdet.config import EvalConfig, YamlFile, validate
from lightdet.config.schema import Section
from lightdet.data.dataset import DatasetSpec, OnError, read_split
from lightdet.data.images import read_image
from lightdet.decisions import DecisionRule
from lightdet.errors import UserError
from lightdet.evaluation.average_precision import evaluate
from lightdet.evaluation.predictions import Ids, coco_ids, read_predictions
from lightdet.evaluation.report import Evaluation, evaluation_as_dict, write_report
from lightdet.files import write_json
from lightdet.inference.run_folder import check_writable, fresh_folder
from lightdet.structures import Annotation, Detections

if TYPE_CHECKING:
    from lightdet.inference.predictor import Predictor

RUNS = Path("runs/val")
"""Reports go here, or to ``runs/val-2``, …, where no output folder is named."""
STAGES = ("preprocess", "network", "postprocess")


class EvalOverrides(Section):
    """The part of the configuration that an evaluation takes."""

    eval: EvalConfig = EvalConfig()


@dataclass(frozen=True)
class ValRequest:
    """What ``lightdet val`` was asked; see its help for the meaning of each."""

    data: Path
    weights: Path | None = None
    predictions: Path | None = None
    split: str = "val"
    data_root: Path | None = None
    imgsz: int | None = None
    batch: int | None = None
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    threads: int | None = None
    agnostic: bool | None = None
    output: Path | None = None
    pictures: int = 8
    skip_bad: bool = False
    overrides: Sequence[str] = ()
    json: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it: the evaluation, where its report is, and what was left out."""

    evaluation: Evaluation
    html: Path
    json: Path


class Watcher(Protocol):
    """Is told how far it is."""

    def begin(self, pictures: int) -> None:
        """Pictures are about to go through the network."""
        ...

    def step(self, pictures: int) -> None:
        """So many more are done."""
        ...


@dataclass
class Found:
    """Detections by picture, and what is to be said about where they come from."""

    annotations: list[Annotation]
    predictions: list[Detections]
    skipped: list[str]
    facts: dict[str, str]
    details: dict[str, Any] = field(default_factory=dict)
    rule: DecisionRule | None = None


class Validation:
    """One request, in two steps: made (everything that needs no network is checked; quick), then run.

    Raises:
        UserError: flags that exclude each other, a wrong configuration value, data set, split or folder.
    """

    def __init__(self, request: ValRequest) -> None:
        self.request = request
        self.settings = self._settings()
        if (request.weights is None) == (request.predictions is None):
            raise UserError("give either --weights (a trained model) or --predictions (detections as COCO JSON)")
        source = request.weights or request.predictions
        if source is not None and not source.is_file():
            raise UserError("is a folder; give a file in it" if source.is_dir() else "no such file", path=source)
        if request.predictions is not None and (request.imgsz or request.batch):
            raise UserError("--imgsz and --batch belong to --weights; the detections of --predictions are made already")
        self.spec = load_dataset(request.data, request.data_root)
        self.spec.split(request.split)
        if request.output is not None:
            check_writable(request.output)

    def run(self, watcher: Watcher) -> Outcome:
        """Read the split, find what is in its pictures, score it, write the report.

        Raises:
            UserError: a broken picture or label (unless skipped), a model that cannot be loaded or has other
                classes than the data set, a file that cannot be written.
        """
        request = self.request
        found = self.find(watcher)
        evaluation = self._evaluate(found)
        folder = request.output if request.output is not None else fresh_folder(RUNS)
        load_picture = partial(read_image, bit_depth=self.spec.bit_depth)
        html, numbers = write_report(folder, evaluation, load_picture, pictures=request.pictures)
        if request.json is not None:
            write_json(request.json, evaluation_as_dict(evaluation))
        return Outcome(evaluation, html, numbers)

    def find(self, watcher: Watcher) -> Found:
        """Read the split and find what is in its pictures.

        Raises:
            UserError: as `run`.
        """
        on_error: OnError = "skip" if self.request.skip_bad else "fail"
        annotations, faults = read_split(self.spec, self.request.split, on_error=on_error)
        given = self.request.predictions is not None
        found = self._given(annotations) if given else self._detect(annotations, watcher)
        found.skipped[:0] = [str(fault) for fault in faults]
        return found

    def _settings(self) -> EvalConfig:
        batch = [f"eval.batch={self.request.batch}"] if self.request.batch is not None else []
        return validate(EvalOverrides, YamlFile({}), [*batch, *self.request.overrides]).eval

    def _given(self, annotations: list[Annotation]) -> Found:
        """Detections from a file."""
        path = self.request.predictions
        assert path is not None  # noqa: S101 - for the type checker
        place = self.spec.split(self.request.split)
        ids = coco_ids(place.labels) if self.spec.format == "coco" and place.labels is not None else Ids()
        found, skipped = read_predictions(path, annotations, self.spec.classes, ids=ids, skip=self.request.skip_bad)
        return Found(annotations, found, skipped, {"detections": str(path)}, {"predictions": str(path)})

    def _detect(self, annotations: list[Annotation], watcher: Watcher) -> Found:
        """Detections of a network."""
        request, settings = self.request, self.settings
        assert request.weights is not None  # noqa: S101 - for the type checker
        predictor = load(
            request.weights,
            device=request.device,
            imgsz=request.imgsz,
            confidence=settings.confidence,
            iou=settings.iou,
            max_detections=settings.max_detections,
            precision=request.precision,
            threads=request.threads,
            agnostic=request.agnostic,
        )
        rule = stored_rule(request.weights, predictor)
        check_agnostic(rule, predictor)
        order = class_order(predictor.names, self.spec, request.weights)
        watcher.begin(len(annotations))
        kept: list[Annotation] = []
        found: list[Detections] = []
        skipped: list[str] = []
        began = time.perf_counter()
        for chunk, images in _decoded(annotations, settings.batch, self.spec.bit_depth):
            pairs = [(a, image) for a, image in zip(chunk, images, strict=True) if not isinstance(image, UserError)]
            for error in images:
                if isinstance(error, UserError):
                    if not request.skip_bad:
                        raise error
                    skipped.append(str(error))
            if pairs:
                results = predictor.batch([image for _, image in pairs])
                found += [_relabel(result, order, self.spec.classes) for result in results]
                kept += [annotation for annotation, _ in pairs]
            watcher.step(len(chunk))
        if not kept:
            raise UserError(f"no picture of the split '{request.split}' can be read; the first: {skipped[0]}")
        told = self._told(predictor, found, time.perf_counter() - began)
        return Found(kept, found, skipped, *told, rule=rule)

    def _told(
        self, predictor: Predictor, found: Sequence[Detections], seconds: float
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Return what the report says of the model: for people, and for the JSON."""
        side = predictor.preprocessing.imgsz
        device = str(getattr(predictor.runtime, "device", self.request.device))
        precision = str(getattr(predictor.runtime, "precision", self.request.precision))
        medians = {s: float(np.median([d.milliseconds.get(s, 0.0) for d in found])) for s in STAGES}
        rate = len(found) / seconds
        network = getattr(predictor.runtime, "detector", None)  # only the PyTorch runtime has one to count
        params = None if network is None else sum(parameter.numel() for parameter in network.parameters())
        facts = {
            "weights": str(self.request.weights),
            "parameters": "unknown" if params is None else f"{params / 1e6:.3f} million",
            "input": f"{side} × {side} pixels",
            "runs on": f"{computed(predictor)}, batch {self.settings.batch}",
            "time a picture": ", ".join(f"{s} {value:.1f} ms" for s, value in medians.items()) + " (medians)",
            "pace": f"{rate:.1f} pictures a second, reading included",
        }
        details = {
            "weights": str(self.request.weights),
            "params": params,
            "imgsz": side,
            "device": device,
            "precision_mode": precision,
            "batch": self.settings.batch,
            "latency_ms": {**medians, "total": sum(medians.values())},
            "images_per_second": rate,
        }
        return facts, details

    def _evaluate(self, found: Found) -> Evaluation:
        spec, request = self.spec, self.request
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        source = request.weights or request.predictions or Path()
        data = {"name": spec.name, "split": request.split, "format": spec.format, "folder": str(spec.root)}
        settings = {
            "lowest score": f"{self.settings.confidence:g}",
            "NMS overlap": f"{self.settings.iou:g}" + (", across classes" if request.agnostic else ""),
            "most detections": str(self.settings.max_detections),
        }
        versions = _versions()
        decision = {} if found.rule is None else judged(found.rule, found.annotations, found.predictions)
        return Evaluation(
            title=f"{source.name} on {spec.name} ({request.split})",
            metrics=evaluate(found.predictions, found.annotations, spec.classes, sizes=True),
            predictions=found.predictions,
            annotations=found.annotations,
            names=spec.classes,
            facts={
                "Data": data | {"description": str(request.data), "classes": ", ".join(spec.classes)},
                "Model": found.facts,
                "Settings": settings if request.weights is not None else {"threshold": "as in the file"},
                **({"Decision": decision_facts(decision)} if decision else {}),
                "Made": {"on": now, **versions},
            },
            details={
                **found.details,
                **({"decision": decision} if decision else {}),
                "data": {**data, "yaml": str(request.data)},
                "date": now,
                "settings": self.settings.model_dump(mode="json", exclude={"batch", "show_confidence"})
                if request.weights is not None
                else None,
                "versions": versions,
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
            "take the model's own data set or another model",
            path=weights,
        )
    return np.array([spec.classes.index(name) for name in names], np.int64)


def _relabel(found: Detections, order: IntArray, names: tuple[str, ...]) -> Detections:
    return Detections(found.boxes, found.scores, order[found.labels], names, found.size, found.milliseconds)


def _decoded(
    annotations: Sequence[Annotation], batch: int, bit_depth: int
) -> Iterator[tuple[Sequence[Annotation], list[Image | UserError]]]:
    """Yield batches of pictures, the next one being read while the network works on the last."""

    def read(annotation: Annotation) -> Image | UserError:
        try:
            return read_image(annotation.image, bit_depth=bit_depth)
        except UserError as error:
            return error

    chunks = [annotations[start : start + batch] for start in range(0, len(annotations), batch)]
    with ThreadPoolExecutor(4) as pool:
        waiting: list[Future[Image | UserError]] = [pool.submit(read, a) for a in chunks[0]] if chunks else []
        try:
            for number, chunk in enumerate(chunks):
                following = chunks[number + 1] if number + 1 < len(chunks) else []
                ready, waiting = waiting, [pool.submit(read, a) for a in following]
                yield chunk, [future.result() for future in ready]
        finally:
            pool.shutdown(cancel_futures=True)


def _versions() -> dict[str, str]:
    found = {}
    for package in ("lightdet", "pycocotools", "torch", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
