"""What the trainer needs to know of a network: its loss on a batch, and what it finds in pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lightdet.models import Detector
from lightdet.models.postprocess import PictureDetections, postprocess
from lightdet.structures import Batch, LossTerms
from lightdet.training.precision import autocast


class Task(Protocol):
    """A network with its loss; the trainer sees nothing else of it."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def loss(self, forward: nn.Module, batch: Batch) -> LossTerms:
        """The loss of a batch; `forward` is the network or its distributed wrapper."""

    def predict(self, network: nn.Module, images: Tensor) -> list[PictureDetections]:
        """What `network` (the averaged one) finds in uint8 ``[B, 3, H, W]``, boxes in input pixels."""


class DetectionTask:
    """An anchor detector with its loss.

    Args:
        network: the detector, on its device.
        loss: (raw grids, targets) → loss.
        precision: fp32, bf16 or fp16 (see `lightdet.training.precision`).
        confidence, iou, max_detections: post-processing in validation.
    """

    def __init__(
        self,
        network: Detector,
        loss: Callable[[Sequence[Tensor], Tensor], LossTerms],
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
    def network(self) -> Detector:
        """The detector."""
        return self._network

    def loss(self, forward: nn.Module, batch: Batch) -> LossTerms:
        """Run forward in the configured precision; the loss itself is float32."""
        images = self._input(batch.images)
        with autocast(self.precision, images.device):
            grids = forward(images)
        return self._loss(grids, batch.targets.to(images.device))

    @torch.inference_mode()
    def predict(self, network: nn.Module, images: Tensor) -> list[PictureDetections]:
        """Run `network` and post-process; float32, as deployment does."""
        grids = network(self._input(images))
        return postprocess(grids, self.network.anchors, self.network.strides, **self._select)

    def _input(self, images: Tensor) -> Tensor:
        device = self.network.anchors.device
        return images.to(device, non_blocking=True).float() / 255
