"""The networks' common interface, and the detectors of backbone, neck and head: with anchors and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightdet.models.heads import decode_cells, decode_grids
from lightdet.models.postprocess import PictureDetections, postprocess

STRIDES = (8, 16, 32)


class DetectionNetwork(nn.Module):
    """The interface of a network for trainer, predictor and profile.

    ``forward`` takes ``[B, 3, H, W]`` in 0-1, H and W multiples of 32, and returns the same type in training and in
    evaluation; only the network itself and its loss know its structure.

    Attributes:
        num_classes: C.
    """

    num_classes: int

    def decode(self, outputs: Any) -> Tensor:
        """Turn the output of ``forward`` into candidates.

        Returns:
            float32 ``[B, N, 5 + C]``: centre x, centre y, width, height in input pixels, then objectness and
            class probabilities in [0, 1]; a score is their product.
        """
        raise NotImplementedError

    def select(
        self, outputs: Any, *, confidence: float, iou: float, max_detections: int, agnostic: bool = False
    ) -> list[PictureDetections]:
        """Return the detections of each picture (see `lightdet.models.postprocess`)."""
        return postprocess(
            self.decode(outputs), confidence=confidence, iou=iou, max_detections=max_detections, agnostic=agnostic
        )


class Detector(DetectionNetwork):
    """``[B, 3, H, W]`` in 0-1, H and W multiples of 32 → raw grids ``[B, A, H/s, W/s, 5 + C]``, one per stride.

    Args:
        backbone: images → features at the strides.
        neck: features → fused features.
        head: (fused, backbone features) → raw grids; has ``num_classes``.
        anchors: ``[strides][A][2]`` width and height in input pixels; kept as a buffer, saved with the weights.
        strides: pixels per cell, finest first.
    """

    anchors: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        neck: nn.Module,
        head: nn.Module,
        anchors: Sequence[Sequence[Sequence[float]]],
        strides: Sequence[int] = STRIDES,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.strides = tuple(strides)
        self.num_classes = int(head.num_classes)  # type: ignore[arg-type]
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the raw grids, finest stride first."""
        features = self.backbone(images)
        grids: tuple[Tensor, ...] = self.head(self.neck(features), features)
        return grids

    def decode(self, outputs: Sequence[Tensor]) -> Tensor:
        """Raw grids → candidates ``[B, N, 5 + C]``."""
        return decode_grids(outputs, self.anchors, self.strides)


class AnchorFreeDetector(DetectionNetwork):
    """``[B, 3, H, W]`` in 0-1, H and W multiples of 32 → raw grids ``[B, H/s, W/s, 5 + C]``, one per stride.

    Args:
        backbone: images → features at the strides.
        neck: features → fused features.
        head: fused features → raw grids; has ``num_classes``.
        strides: pixels per cell, finest first.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module, strides: Sequence[int] = STRIDES) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.strides = tuple(strides)
        self.num_classes = int(head.num_classes)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the raw grids, finest stride first."""
        grids: tuple[Tensor, ...] = self.head(self.neck(self.backbone(images)))
        return grids

    def decode(self, outputs: Sequence[Tensor]) -> Tensor:
        """Raw grids → candidates ``[B, N, 5 + C]``."""
        return decode_cells(outputs, self.strides)
