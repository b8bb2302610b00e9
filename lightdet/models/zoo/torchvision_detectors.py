"""Faster R-CNN and SSD of torchvision's parts."""

from __future__ import annotations

from collections.abc import Sequence

from lightdet.models.faster_rcnn import FasterRCNN
from lightdet.models.ssd import SSD
from lightdet.models.torchvision_detectors import CAFFE, IMAGENET

ANCHORS_800 = (32.0, 64.0, 128.0, 256.0, 512.0)
"""Sides of torchvision's anchors in pixels of an 800-pixel picture, by stride 4, 8, 16, 32, 64."""


def default_anchor_sizes(imgsz: int) -> list[float]:
    """Sides of torchvision's anchors scaled to `imgsz`."""
    return [side * imgsz / 800 for side in ANCHORS_800]


def faster_rcnn(
    num_classes: int,
    *,
    anchor_sizes: Sequence[float],
    pretrained: bool = False,
    trainable_stages: int | None = None,
) -> FasterRCNN:
    """Faster R-CNN, ResNet-50, feature pyramid: 41.4 M parameters with six classes."""
    return FasterRCNN(num_classes, anchor_sizes=anchor_sizes, pretrained=pretrained, trainable_stages=trainable_stages)


def ssd(
    num_classes: int,
    *,
    normalization: str = "imagenet",
    pretrained: bool = False,
    trainable_stages: int | None = None,
) -> SSD:
    """SSD300's network with VGG16: 24.4 M parameters with six classes; a pretrained backbone trains four stages."""
    stages = trainable_stages if trainable_stages is not None else (4 if pretrained else 5)
    kinds = {"imagenet": IMAGENET, "caffe": CAFFE}
    return SSD(num_classes, normalization=kinds[normalization], trainable_stages=stages)
