"""A trained detector as the teacher of a smaller one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lightdet.assembly.detector import load_detector
from lightdet.compute import Computing
from lightdet.config import LossConfig, RunConfig
from lightdet.errors import UserError
from lightdet.losses import DetectionLoss, DistillationLoss
from lightdet.models import DetectionNetwork, Detector
from lightdet.training.distillation import DistillationTask
from lightdet.training.distributed import Processes
from lightdet.training.replicas import Member


@dataclass(frozen=True)
class Teacher:
    """A trained network, the mapping of its classes to the student's, int ``[C]``, and its input size."""

    network: Detector
    order: list[int]
    path: Path
    imgsz: int

    def introduce(self, imgsz: int) -> str:
        """Return a line about it for a student with `imgsz` pixels."""
        note = f"learns from {self.path} as well as from the labels, with its anchors"
        if imgsz == self.imgsz:
            return note
        return f"{note}, which are for {self.imgsz} pixels, not {imgsz}: a teacher for the same size would teach better"


def load_teacher(config: RunConfig, names: Sequence[str], student: DetectionNetwork) -> Teacher | None:
    """Return the teacher that ``train.distill`` names, or None if it names none.

    Raises:
        UserError: a file that is not a model, other classes than the data set's, or a pair that cannot be compared
            cell by cell: both must have anchors, equally many per cell, at the same strides.
    """
    if config.train.distill is None:
        return None
    path = Path(config.train.distill)
    network, card = load_detector(path)
    if not isinstance(student, Detector):
        raise UserError(f"train.distill is for detectors with anchors; '{config.model.name}' has none")
    if not isinstance(network, Detector):
        raise UserError(f"is not a detector with anchors ({card.model.get('name')}); it cannot be a teacher", path=path)
    if set(card.names) != set(names):
        lacking = ", ".join(sorted(set(names) ^ set(card.names)))
        raise UserError(f"has other classes than the data set ({lacking}); it cannot be a teacher", path=path)
    if network.strides != student.strides or network.anchors.shape != student.anchors.shape:
        raise UserError("has other grids or another number of anchors per cell than the student", path=path)
    return Teacher(network, [card.names.index(name) for name in names], path, card.preprocessing.imgsz)


def build_distillation(
    config: RunConfig,
    student: Detector,
    loss: DetectionLoss,
    teacher: Teacher,
    device: torch.device,
    processes: Processes | Member,
    settings: dict[str, Any],
    computing: Computing,
) -> DistillationTask:
    """Return the student with the loss on the labels and its distance from the teacher."""
    assert isinstance(config.loss, LossConfig)  # noqa: S101 - for the type checker
    follow = DistillationLoss(
        student.anchors,
        student.strides,
        student.num_classes,
        box=config.loss.box,
        objectness=config.loss.objectness,
        classification=config.loss.classification,
        balance=config.loss.balance(student.strides),
        mean_count=processes.mean,
        processes=processes.count,
    ).to(device)
    placed = teacher.network.to(device=device, memory_format=computing.memory_format)  # type: ignore[call-overload]
    return DistillationTask(
        student, loss, placed, follow, weight=config.train.distill_weight, order=teacher.order, **settings
    )
