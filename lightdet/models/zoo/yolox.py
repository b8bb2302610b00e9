"""YOLOX-s: the frame of YOLOv5 with C3 blocks and SiLU, a decoupled head, no anchors."""

from __future__ import annotations

from collections.abc import Sequence

from lightdet.layers import C3
from lightdet.models.backbones import CSPBackbone
from lightdet.models.detector import STRIDES, AnchorFreeDetector
from lightdet.models.heads import DecoupledHead
from lightdet.models.necks import PAN


def yolox_s(
    num_classes: int,
    *,
    widths: Sequence[int] = (32, 64, 128, 256, 512),
    head_width: int = 128,
    activation: str = "silu",
) -> AnchorFreeDetector:
    """YOLOX at width 1/2 and depth 1/3 (Ge et al. 2021): 8.94 M parameters with six classes."""
    backbone = CSPBackbone(widths, (1, 3, 3, 1), block=C3, activation=activation)
    neck = PAN(backbone.channels, block=C3, activation=activation)
    head = DecoupledHead(backbone.channels, num_classes, width=head_width, activation=activation)
    return AnchorFreeDetector(backbone, neck, head, STRIDES)
