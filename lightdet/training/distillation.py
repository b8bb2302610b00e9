"""Training a detector on the labels and on other detectors' outputs for the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightdet.compute.precision import autocast
from lightdet.losses import DistillationLoss, agree
from lightdet.models import Detector
from lightdet.structures import Batch, LossTerms
from lightdet.training.task import DetectionTask


class DistillationTask(DetectionTask):
    """A detector that also learns from a teacher, or from what several say together (`losses.agree`).

    Args:
        network: the student, on its device.
        loss: (the student's raw grids, targets ``[M, 6]``) → loss on the labels.
        teachers: detectors with the student's anchors; put on the same device and not trained.
        follow: distance of the student's raw grids from the teachers'.
        weight: of that distance relative to the loss on the labels.
        orders: for each teacher its class for each of the student's, ``[C]``.
        settings: as for `DetectionTask`.
    """

    def __init__(
        self,
        network: Detector,
        loss: Callable[[Any, Tensor], LossTerms],
        teachers: Sequence[Detector],
        follow: DistillationLoss,
        *,
        weight: float,
        orders: Sequence[Sequence[int]],
        **settings: Any,
    ) -> None:
        super().__init__(network, loss, **settings)
        self.teachers = [teacher.eval().requires_grad_(False) for teacher in teachers]
        self.follow = follow
        self.weight = weight
        self._orders = [list(order) for order in orders]

    def loss(self, forward: nn.Module, batch: Batch) -> LossTerms:
        """The loss on the labels plus the weighted distance from the teachers."""
        images = self._input(batch.images)
        with autocast(self.precision, images.device):
            outputs = forward(images)
            answers = self._ask(images)
        from_labels = self._loss(outputs, batch.targets.to(images.device))
        followed = self.follow(outputs, answers)
        return LossTerms(from_labels.total + self.weight * followed.total, {**from_labels.parts, **followed.parts})

    @torch.no_grad()
    def _ask(self, images: Tensor) -> tuple[Tensor, ...]:
        """The teachers' common raw grids, the classes in the student's order."""
        answers = [_ordered(teacher(images), order) for teacher, order in zip(self.teachers, self._orders, strict=True)]
        return answers[0] if len(answers) == 1 else agree(answers)


def _ordered(answers: tuple[Tensor, ...], order: list[int]) -> tuple[Tensor, ...]:
    channels = [0, 1, 2, 3, 4, *(5 + index for index in order)]
    return answers if order == sorted(order) else tuple(answer[..., channels] for answer in answers)
