"""The messages of a detector's training: its data, each epoch, and how it ended.

`data` is the data set as read: its ``names``, its splits ``train`` and ``val``, and ``unmeasured``, why none is scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lightdet.data.pictures import trainable
from lightdet.training.checkpoint import Progress
from lightdet.wording import counted, duration

LOSSES = {"box": "box", "objectness": "obj", "classification": "cls", "proposal_box": "proposals"}
"""The loss terms of detectors, as an epoch's line names them; not every network has all of them."""


def fingerprint(data: Any) -> dict[str, Any]:
    """What the data hold, in numbers; with a digest (`lightdet.runs.resume`) a resume with other data is noticed."""
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


def opening(data: Any) -> str:
    """The training data."""
    counts = [len(trainable(annotation)[1]) for annotation in data.train.annotations]
    boxes, background = sum(counts), counts.count(0)
    empty = f" ({background} of them without any, used as background)" if background else ""
    return f"{counted(len(data.train), 'picture')} with {counted(boxes, 'box')}{empty}"


def notes(data: Any) -> list[str]:
    """How large pictures are seen, and what cannot be measured with this data."""
    tiles = data.train.tiles
    if tiles is None:
        return unmeasured(data)
    crops = counted(data.train.per_epoch, "crop")
    cut = f"tiles of {tiles.size} pixels: {crops} per epoch; validation joins the tiles of each picture"
    return [cut, *unmeasured(data)]


def unmeasured(data: Any) -> list[str]:
    """Why nothing can be measured with this data, if so."""
    if data.unmeasured is None:
        return []
    return [f"{data.unmeasured}: no epoch is scored, and best.safetensors will be the last epoch's"]


def epoch_line(record: Mapping[str, Any]) -> str:
    """The losses and scores of an epoch, from its row in results.csv."""
    parts = " ".join(f"{short} {record[name]:.4f}" for name, short in LOSSES.items() if name in record)
    line = f"loss {record['loss']:.4f} ({parts})"
    if record.get("map50") is not None:
        line += f"  mAP@0.5 {record['map50']:.3f}  mAP@0.5:0.95 {record['map50_95']:.3f}"
    return line


def closing(progress: Progress) -> list[str]:
    """The best epoch's scores."""
    return [best_line(progress, lambda best: f"mAP@0.5 {best['map50']:.3f}, mAP@0.5:0.95 {best['map50_95']:.3f}")]


def best_line(progress: Progress, scores: Callable[[dict[str, Any]], str]) -> str:
    """Say which epoch was best, with its scores, and how long it took."""
    took, best = duration(progress.seconds), progress.best_metrics
    if best is None or progress.best is None:
        return f"{counted(progress.epoch, 'epoch')} in {took}; none was scored, so the last one counts as the best"
    return f"best epoch {progress.best_epoch}: {scores(best)}; {took}"
