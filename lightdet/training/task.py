"""What the trainer needs from a network: its loss on a batch; and what a detector's validation needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lightdet.compute.precision import autocast
from lightdet.models import DetectionNetwork
from lightdet.models.postprocess import PictureDetections
from lightdet.structures import Batch, LossTerms


class Task(Protocol):
    """A network with its loss, which is all that the trainer sees.

    With an attribute ``loss_is_mean`` that is true, the loss is the mean over the pictures, and the gradients of
    accumulated batches are averaged. A detector's loss grows with the batch, and they are added.
    """

    @property
    def network(self) -> nn.Module:
        """The network being trained."""

    def loss(self, forward: nn.Module, batch: Any) -> LossTerms:
        """The loss of a batch of this task's kind; `forward` is the network or its distributed wrapper.

        Its parts are logged as means over the batches. If they include no ``loss``, the logged loss is the total over
        the pictures of the batch.
        """


class FindingTask(Task, Protocol):
    """A task whose network finds objects in pictures."""

    def predict(self, network: nn.Module, images: Tensor) -> list[PictureDetections]:
        """The detections of `network` (the averaged one) in uint8 ``[B, 3, H, W]``, boxes in input pixels."""


class DetectionTask:
    """A detector whose loss is computed from its raw outputs.

    Args:
        network: the detector, on its device.
        loss: (what the network returns, targets ``[M, 6]``) → loss.
        precision: fp32, bf16 or fp16 (see `lightdet.compute.precision`).
        confidence, iou, max_detections: post-processing in validation.
    """

    def __init__(
        self,
        network: DetectionNetwork,
        loss: Callable[[Any, Tensor], LossTerms],
        *,
        precision: str = "fp32",
        confidence: float = 0.001,
        iou: float = 0.55,
        max_detections: int = 300,
    ) -> None:
        self._network = network
        self.precision = precision
        self._loss = loss
        self._select: dict[str, Any] = {"confidence": confidence, "iou": iou, "max_detections": max_detections}

    @property
    def network(self) -> DetectionNetwork:
        """The detector."""
        return self._network

    def loss(self, forward: nn.Module, batch: Batch) -> LossTerms:
        """Run forward in the configured precision; the loss itself is float32."""
        images = self._input(batch.images)
        with autocast(self.precision, images.device):
            outputs = forward(images)
        return self._loss(outputs, batch.targets.to(images.device))

    @torch.inference_mode()
    def predict(self, network: nn.Module, images: Tensor) -> list[PictureDetections]:
        """Run `network` and post-process; float32, as in deployment."""
        outputs = network(self._input(images))
        return self.network.select(outputs, **self._select)

    def _input(self, images: Tensor) -> Tensor:
        device = next(self.network.parameters()).device
        return images.to(device, non_blocking=True).to(torch.float32, copy=True).div_(255)
