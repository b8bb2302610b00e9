"""What the tests of training share: a small configuration, a trainer made of it, and comparisons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector_training import build_trainer, load_training_data
from lightdet.assembly.trainer import RunContext
from lightdet.config import Config, YamlFile, validate
from lightdet.training.checkpoint import TrainingState
from lightdet.training.reporting import SilentReporter
from lightdet.training.trainer import Trainer

SMALL = [
    "imgsz=64",
    "model.widths=[8, 8, 16, 16, 16]",
    "train.batch=4",
    "train.epochs=3",
    "train.precision=fp32",
    "train.warmup_epochs=1",
    "train.workers=2",
    "train.validate_every=1",
]


class Recorder(SilentReporter):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.records: list[Mapping[str, Any]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
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
    defect_set: Path,
    folder: Path,
    changes: Sequence[str] = (),
    *,
    reporter: SilentReporter | None = None,
    resume: TrainingState | None = None,
    with_run: bool = False,
    board: bool = False,
) -> Trainer:
    """A trainer over the small set.

    `with_run` keeps the configuration in its state, as the command does; `board` writes TensorBoard files and the page,
    a sixth of the time of so small a training.
    """
    config = validate(Config, YamlFile({}), [*SMALL, *changes])
    data = load_training_data(config, load_dataset(defect_set))
    return build_trainer(
        config,
        data,
        RunContext(
            folder=folder,
            device=torch.device("cpu"),
            run={"config": config.model_dump(mode="json")} if with_run else {},
            reporter=reporter or SilentReporter(),
            resume=resume,
            board=board,
        ),
    )


def assert_same_tensors(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> None:
    """To the last bit."""
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different, f"{len(different)} tensors differ: {different[:5]}"
