"""Training a detector on the labels and on a larger detector's outputs for the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightdet.compute.precision import autocast
from lightdet.losses import DistillationLoss
from lightdet.models import Detector
from lightdet.structures import Batch, LossTerms
from lightdet.training.task import DetectionTask


class DistillationTask(DetectionTask):
    """A detector that also learns from a teacher.

    Args:
        network: the student, on its device.
        loss: (the student's raw grids, targets ``[M, 6]``) → loss on the labels.
        teacher: the larger detector, with the student's anchors; put on the same device and not trained.
        follow: distance of the student's raw grids from the teacher's.
        weight: of that distance relative to the loss on the labels.
        order: the teacher's class for each of the student's, int64 ``[C]``.
        settings: as for `DetectionTask`.
    """

    def __init__(
        self,
        network: Detector,
        loss: Callable[[Any, Tensor], LossTerms],
        teacher: Detector,
        follow: DistillationLoss,
        *,
        weight: float,
        order: Sequence[int],
        **settings: Any,
    ) -> None:
        super().__init__(network, loss, **settings)
        self.teacher = teacher.eval().requires_grad_(False)
        self.follow = follow
        self.weight = weight
        self._channels = [0, 1, 2, 3, 4, *(5 + index for index in order)]
        self._same_order = list(order) == sorted(order)

    def loss(self, forward: nn.Module, batch: Batch) -> LossTerms:
        """The loss on the labels plus the weighted distance from the teacher."""
        images = self._input(batch.images)
        with autocast(self.precision, images.device):
            outputs = forward(images)
            answers = self._ask(images)
        from_labels = self._loss(outputs, batch.targets.to(images.device))
        followed = self.follow(outputs, answers)
        return LossTerms(from_labels.total + self.weight * followed.total, {**from_labels.parts, **followed.parts})

    @torch.no_grad()
    def _ask(self, images: Tensor) -> tuple[Tensor, ...]:
        """The teacher's raw grids, its classes in the student's order."""
        answers: tuple[Tensor, ...] = self.teacher(images)
        return answers if self._same_order else tuple(answer[..., self._channels] for answer in answers)
