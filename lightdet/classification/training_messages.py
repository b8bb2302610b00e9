"""The messages of a classifier's training: its data, each epoch, and how it ended.

`data` is the data set as read: its ``names``, its splits ``train`` and ``val``, and ``unmeasured``, why none is scored.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from lightdet.classification.dataset import labels_of
from lightdet.classification.fit import judge_fit
from lightdet.training.checkpoint import Progress
from lightdet.training.messages import best_line, unmeasured
from lightdet.wording import counted


def fingerprint(data: Any) -> dict[str, Any]:
    """What the data hold, in numbers; with a digest (`lightdet.runs.resume`) a resume with other data is noticed."""
    splits = {"train": data.train, "val": data.val}
    return {
        name: {
            "pictures": len(pictures),
            "classes": _class_counts(pictures, data),
            # The order of names and classes, by file names only: a data set may move to another folder.
            "names": zlib.crc32("\n".join(f"{a.image.name} {a.label}" for a in pictures.annotations).encode()),
        }
        for name, pictures in splits.items()
        if pictures is not None
    }


def opening(data: Any) -> str:
    """The training data."""
    counts = zip(data.names, _class_counts(data.train, data), strict=True)
    return f"{counted(len(data.train), 'picture')} ({', '.join(f'{count} {name}' for name, count in counts)})"


def notes(data: Any) -> list[str]:
    """What cannot be learned from the data, or not measured with it."""
    counts = zip(data.names, _class_counts(data.train, data), strict=True)
    notes = [f"no picture of '{name}' to train on: it cannot be learned" for name, count in counts if not count]
    return notes + unmeasured(data)


def epoch_line(record: Mapping[str, Any]) -> str:
    """The loss and scores of an epoch, from its row in results.csv."""
    line = f"loss {record['loss']:.4f}  accuracy {record['accuracy']:.3f}"
    if record.get("val_loss") is not None:
        line += f"  validation: loss {record['val_loss']:.4f}  accuracy {record['val_accuracy']:.3f}"
        line += f"  balanced {record['val_balanced_accuracy']:.3f}"
        if record.get("val_auc") is not None:
            line += f"  AUC {record['val_auc']:.3f}"
    return line


def closing(progress: Progress) -> list[str]:
    """The best epoch's scores, and whether it overfits."""
    return [best_line(progress, _class_scores), judge_fit(progress.history)]


def _class_counts(pictures: Any, data: Any) -> list[int]:
    labels = labels_of(pictures).tolist()
    return [labels.count(number) for number in range(len(data.names))]


def _class_scores(best: dict[str, Any]) -> str:
    scores = f"accuracy {best['accuracy']:.3f}, balanced accuracy {best['balanced_accuracy']:.3f}"
    return scores + f", F1 {best['f1']:.3f}" + (f", AUC {best['auc']:.3f}" if best["auc"] is not None else "")
