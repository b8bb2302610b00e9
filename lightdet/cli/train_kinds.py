"""What differs between training a detector and a classifier: reading, assembling, and the words about it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightdet.assembly.classifier_training import ClassifyData, build_classify_trainer, load_classify_data
from lightdet.assembly.detector_training import TrainingData, build_trainer, load_training_data
from lightdet.classification.dataset import labels_of
from lightdet.classification.fit import judge_fit
from lightdet.config import YamlFile, load_config
from lightdet.config.classification import ClassifyConfig, load_classify_config
from lightdet.training.checkpoint import Progress
from lightdet.training.outlook import ENOUGH_STEPS
from lightdet.training.trainer import Trainer
from lightdet.wording import counted

LOSSES = {"box": "box", "objectness": "obj", "classification": "cls", "proposal_box": "proposals"}
"""The terms of the detectors' losses, as the line of an epoch calls them; not every network has all."""


@dataclass(frozen=True)
class TrainingKind:
    """The functions of one kind of training.

    Attributes:
        read: (YAML, overrides) → configuration.
        load: (configuration, data set, …) → data, with ``names``, ``train``, ``val`` and ``skipped``.
        build: (configuration, data, …) → trainer.
        fingerprint: data → enough of it to notice that another set, or a changed one, is resumed on.
        compared: what the fingerprint holds, in words.
        opening: data → what there is to train on.
        notes: data → what cannot be learnt from it, or not measured on it.
        epoch: a row of results.csv → the losses and scores of an epoch's line.
        closing: how it ended → lines about the best epoch.
        enough: steps that a network of this kind wants from scratch; None where that cannot be said.
    """

    read: Callable[[YamlFile, Sequence[str]], Any]
    load: Callable[..., Any]
    build: Callable[..., Trainer]
    fingerprint: Callable[[Any], dict[str, Any]]
    compared: str
    opening: Callable[[Any], str]
    notes: Callable[[Any], list[str]]
    epoch: Callable[[Mapping[str, Any]], str]
    closing: Callable[[Progress], list[str]]
    enough: int | None = None


def kind_of(config: Any) -> TrainingKind:
    """The kind of training that a configuration is for."""
    return CLASSIFIER if isinstance(config, ClassifyConfig) else DETECTOR


def _boxes_fingerprint(data: TrainingData) -> dict[str, Any]:
    splits = {"train": data.train, "val": data.val}
    return {
        name: {
            "pictures": len(pictures),
            "boxes": sum(len(a) for a in pictures.annotations),
            "sum": round(float(sum(a.boxes.sum(dtype="float64") + a.labels.sum() for a in pictures.annotations)), 2),
        }
        for name, pictures in splits.items()
        if pictures is not None
    }


def _boxes_opening(data: TrainingData) -> str:
    boxes = sum(len(a) for a in data.train.annotations)
    background = sum(len(a) == 0 for a in data.train.annotations)
    empty = f" ({background} of them without any, taken as background)" if background else ""
    return f"{counted(len(data.train), 'picture')} with {counted(boxes, 'box')}{empty}"


def _unmeasured_notes(data: TrainingData | ClassifyData) -> list[str]:
    reason = data.unmeasured
    return [] if reason is None else [f"{reason}: no epoch is scored, and best.safetensors will be the last epoch's"]


def _boxes_epoch(record: Mapping[str, Any]) -> str:
    parts = " ".join(f"{short} {record[name]:.4f}" for name, short in LOSSES.items() if name in record)
    line = f"loss {record['loss']:.4f} ({parts})"
    if record.get("map50") is not None:
        line += f"  mAP@0.5 {record['map50']:.3f}  mAP@0.5:0.95 {record['map50_95']:.3f}"
    return line


def _boxes_closing(progress: Progress) -> list[str]:
    return [_best_line(progress, lambda best: f"mAP@0.5 {best['map50']:.3f}, mAP@0.5:0.95 {best['map50_95']:.3f}")]


def _best_line(progress: Progress, scores: Callable[[dict[str, Any]], str]) -> str:
    took, best = f"{progress.seconds / 60:.1f} minutes", progress.best_metrics
    if best is None or progress.best is None:
        return f"{counted(progress.epoch, 'epoch')} in {took}; none was scored, so the last one counts as the best"
    return f"best epoch {progress.best_epoch}: {scores(best)}; {took}"


def _classes_fingerprint(data: ClassifyData) -> dict[str, Any]:
    splits = {"train": data.train, "val": data.val}
    return {
        name: {
            "pictures": len(pictures),
            "classes": _class_counts(pictures, data),
            # The order of names and classes, by no more than their file names: a set may move to another folder.
            "names": zlib.crc32("\n".join(f"{a.image.name} {a.label}" for a in pictures.annotations).encode()),
        }
        for name, pictures in splits.items()
        if pictures is not None
    }


def _class_counts(pictures: Any, data: ClassifyData) -> list[int]:
    labels = labels_of(pictures).tolist()
    return [labels.count(number) for number in range(len(data.names))]


def _classes_opening(data: ClassifyData) -> str:
    counts = zip(data.names, _class_counts(data.train, data), strict=True)
    return f"{counted(len(data.train), 'picture')} ({', '.join(f'{count} {name}' for name, count in counts)})"


def _classes_notes(data: ClassifyData) -> list[str]:
    counts = zip(data.names, _class_counts(data.train, data), strict=True)
    notes = [f"no picture of '{name}' to train on: it cannot be learnt" for name, count in counts if not count]
    return notes + _unmeasured_notes(data)


def _classes_epoch(record: Mapping[str, Any]) -> str:
    line = f"loss {record['loss']:.4f}  accuracy {record['accuracy']:.3f}"
    if record.get("val_loss") is not None:
        line += f"  validation: loss {record['val_loss']:.4f}  accuracy {record['val_accuracy']:.3f}"
        line += f"  balanced {record['val_balanced_accuracy']:.3f}"
        if record.get("val_auc") is not None:
            line += f"  AUC {record['val_auc']:.3f}"
    return line


def _classes_closing(progress: Progress) -> list[str]:
    return [_best_line(progress, _class_scores), judge_fit(progress.history)]


def _class_scores(best: dict[str, Any]) -> str:
    scores = f"accuracy {best['accuracy']:.3f}, balanced accuracy {best['balanced_accuracy']:.3f}"
    return scores + f", F1 {best['f1']:.3f}" + (f", AUC {best['auc']:.3f}" if best["auc"] is not None else "")


DETECTOR = TrainingKind(
    load_config,
    load_training_data,
    build_trainer,
    _boxes_fingerprint,
    "pictures or boxes",
    _boxes_opening,
    _unmeasured_notes,
    _boxes_epoch,
    _boxes_closing,
    ENOUGH_STEPS,
)
CLASSIFIER = TrainingKind(
    load_classify_config,
    load_classify_data,
    build_classify_trainer,
    _classes_fingerprint,
    "pictures or labels",
    _classes_opening,
    _classes_notes,
    _classes_epoch,
    _classes_closing,
)
