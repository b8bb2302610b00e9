"""Named models, each one explicit function whose parts can be read on one screen."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lightdet.layers import ChannelGate, InputGate, ScalarGate
from lightdet.models.backbones import SlimBackbone
from lightdet.models.detector import STRIDES, Detector
from lightdet.models.heads import AnchorHead, HeadBranch
from lightdet.models.necks import PAN

# YOLOv5's published anchors in pixels at a 640 input, by stride 8, 16, 32.
ANCHORS_640 = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)
GATES: dict[str, type[nn.Module]] = {"scalar": ScalarGate, "channel": ChannelGate, "input": InputGate}


def default_anchors(imgsz: int) -> list[list[list[float]]]:
    """YOLOv5's anchors scaled to `imgsz`."""
    return [[[w * imgsz / 640, h * imgsz / 640] for w, h in level] for level in ANCHORS_640]


def lightdet(
    num_classes: int,
    *,
    anchors: Sequence[Sequence[Sequence[float]]],
    widths: Sequence[int] = (16, 32, 64, 128, 224),
    backbone_block: str = "spp",
    attention_at: Sequence[int] = (8,),
    gate_at: Sequence[int] = (16, 32),
    gate: str = "channel",
    activation: str = "leaky_relu",
) -> Detector:
    """The detector of Huang 2024: slim SPP backbone, FPN+PAN, CBAM before 76x76, gates before 38x38 and 19x19."""
    backbone = SlimBackbone(widths, block=backbone_block, activation=activation)
    neck = PAN(backbone.channels, activation=activation)
    branches = [
        HeadBranch(
            channels,
            gate=GATES[gate](channels) if stride in gate_at else None,
            attention=stride in attention_at,
            activation=activation,
        )
        for stride, channels in zip(STRIDES, backbone.channels, strict=True)
    ]
    head = AnchorHead(branches, backbone.channels, num_classes, len(anchors[0]), STRIDES)
    return Detector(backbone, neck, head, anchors, STRIDES)
