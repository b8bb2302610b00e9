"""torchvision's networks with a head for our classes; their other tensors keep torchvision's names.

Weights trained on ImageNet come through `lightdet.classification.networks.pretrained`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torchvision import models

from lightdet.classification.networks.head import dense_head


def mobilenet_v2(outputs: int, *, hidden: Sequence[int] = (), dropout: float = 0.2) -> nn.Module:
    """MobileNetV2 (Sandler et al. 2018), 2.2 M parameters without its head; `hidden` layers before the last."""
    network: nn.Module = models.mobilenet_v2(weights=None)
    network.classifier = dense_head(1280, hidden, outputs, dropout)
    return network


def resnet18(outputs: int, *, hidden: Sequence[int] = (), dropout: float = 0.0) -> nn.Module:
    """ResNet-18 (He et al. 2016), 11.2 M parameters without its head; `hidden` layers before the last."""
    network: nn.Module = models.resnet18(weights=None)
    network.fc = dense_head(512, hidden, outputs, dropout)
    return network


def efficientnet_b0(outputs: int, *, hidden: Sequence[int] = (), dropout: float = 0.2) -> nn.Module:
    """EfficientNet-B0 (Tan and Le 2019), 4.0 M parameters without its head.

    The casting paper (reference 001, 3.3) has `hidden` layers of 1024 and 512 before the last.
    """
    network: nn.Module = models.efficientnet_b0(weights=None)
    network.classifier = dense_head(1280, hidden, outputs, dropout)
    return network
