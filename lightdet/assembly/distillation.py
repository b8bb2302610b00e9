"""Trained detectors as the teachers of another."""

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
from lightdet.storage.kept import local_file, shown_path
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


def introduce(teachers: Sequence[Teacher], imgsz: int) -> str:
    """Return a line about them for a student with `imgsz` pixels."""
    first, *others = teachers
    names = ", ".join(shown_path(each.path) for each in teachers)
    note = f"learns from {names} as well as from the labels, with {'their' if others else 'its'} anchors"
    if imgsz == first.imgsz:
        return note
    return f"{note}, which are for {first.imgsz} pixels, not {imgsz}: a teacher for the same size would teach better"


def load_teachers(config: RunConfig, names: Sequence[str], student: DetectionNetwork) -> tuple[Teacher, ...]:
    """Return the teachers that ``train.distill`` names.

    Raises:
        UserError: a file that is not a model, other classes than the data set's, or networks that cannot be compared
            cell by cell: all must have anchors, equally many per cell, at the same strides; the teachers the same ones,
            for the same input size.
    """
    teachers = tuple(_load_teacher(local_file(path), config, names, student) for path in config.train.teachers)
    for each in teachers[1:]:
        if each.imgsz != teachers[0].imgsz or not torch.allclose(
            each.network.anchors, teachers[0].network.anchors, rtol=1e-3
        ):
            raise UserError(
                f"has other anchors or another input size than {shown_path(teachers[0].path)}, so they cannot teach "
                "together: train them with train.fit_anchors=false and the same imgsz",
                path=each.path,
            )
    return teachers


def _load_teacher(path: Path, config: RunConfig, names: Sequence[str], student: DetectionNetwork) -> Teacher:
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
    teachers: Sequence[Teacher],
    device: torch.device,
    processes: Processes | Member,
    settings: dict[str, Any],
    computing: Computing,
) -> DistillationTask:
    """Return the student with the loss on the labels and its distance from the teachers."""
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
    placed = [
        each.network.to(device=device, memory_format=computing.memory_format)  # type: ignore[call-overload]
        for each in teachers
    ]
    orders = [each.order for each in teachers]
    return DistillationTask(
        student, loss, placed, follow, weight=config.train.distill_weight, orders=orders, **settings
    )
