"""What the tests of classifiers share: a small configuration and a trainer made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lightdet.assembly.classifier_training import build_classify_trainer, load_classify_data
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.trainer import RunContext
from lightdet.config import YamlFile
from lightdet.config.classification import load_classify_config
from lightdet.training.checkpoint import TrainingState
from lightdet.training.reporting import SilentReporter
from lightdet.training.trainer import Trainer

SMALL = [
    "task=classify",
    "imgsz=32",
    "model={name: cnn, widths: [8, 16], hidden: [16], dropout: 0.1}",
    "train.batch=8",
    "train.epochs=3",
    "train.lr=0.003",
    "train.warmup_epochs=0.5",
    "train.precision=fp32",
    "train.workers=2",
]


class Recorder(SilentReporter):
    """Keeps notes and rows."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.records: list[Any] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epoch_ends(self, record: Any) -> None:
        self.records.append(record)


class StopAt(Recorder):
    """Asks for a stop after a number of batches, as a signal would."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches
        self.trainer: Any = None

    def batch_done(self, losses: Any) -> None:
        self.left -= 1
        if self.left == 0:
            self.trainer.stop.requested = True


def make_trainer(
    data: Path,
    folder: Path,
    changes: Sequence[str] = (),
    *,
    reporter: SilentReporter | None = None,
    resume: TrainingState | None = None,
    board: bool = False,
) -> Trainer:
    """A trainer over a small set; `changes` are ``key.path=value``."""
    config = load_classify_config(YamlFile({}), [*SMALL, *changes])
    loaded = load_classify_data(config, load_dataset(data))
    return build_classify_trainer(
        config,
        loaded,
        RunContext(
            folder=folder, device=torch.device("cpu"), reporter=reporter or SilentReporter(), resume=resume, board=board
        ),
    )
