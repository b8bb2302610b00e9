"""Our detector and its two siblings: the same parts at other widths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from lightdet.layers import ChannelGate, InputGate, ScalarGate
from lightdet.models.backbones import SlimBackbone
from lightdet.models.detector import STRIDES, Detector
from lightdet.models.heads import AnchorHead, HeadBranch
from lightdet.models.necks import PAN, FinePAN

GATES: dict[str, type[nn.Module]] = {"scalar": ScalarGate, "channel": ChannelGate, "input": InputGate}


def lightdet(
    num_classes: int,
    *,
    anchors: Sequence[Sequence[Sequence[float]]],
    widths: Sequence[int] = (16, 32, 64, 128, 224),
    backbone_block: str = "spp_residual",
    heads_at: Sequence[int] = STRIDES,
    attention_at: Sequence[int] = (8,),
    gate_at: Sequence[int] = (16, 32),
    gate: str = "channel",
    activation: str = "leaky_relu",
) -> Detector:
    """The detector of Huang 2024: slim SPP backbone, FPN+PAN, CBAM before 76x76, gates before 38x38 and 19x19.

    With ``heads_at=(4, 8, 16, 32)`` a fourth grid finds defects of a few pixels.
    """
    backbone = SlimBackbone(widths, block=backbone_block, strides=heads_at, activation=activation)
    neck = (PAN if len(heads_at) == len(STRIDES) else FinePAN)(backbone.channels, activation=activation)
    branches = [
        HeadBranch(
            channels,
            gate=GATES[gate](channels) if stride in gate_at else None,
            attention=stride in attention_at,
            activation=activation,
        )
        for stride, channels in zip(heads_at, backbone.channels, strict=True)
    ]
    head = AnchorHead(branches, backbone.channels, num_classes, len(anchors[0]), heads_at)
    return Detector(backbone, neck, head, anchors, heads_at)


def lightdet_nano(
    num_classes: int,
    *,
    anchors: Sequence[Sequence[Sequence[float]]],
    widths: Sequence[int] = (16, 32, 48, 96, 144),
    **parts: Any,
) -> Detector:
    """The detector at half the size: 0.77 M parameters with six classes; `parts` as for `lightdet`."""
    return lightdet(num_classes, anchors=anchors, widths=widths, **parts)


def lightdet_plus(
    num_classes: int,
    *,
    anchors: Sequence[Sequence[Sequence[float]]],
    widths: Sequence[int] = (32, 48, 96, 176, 304),
    **parts: Any,
) -> Detector:
    """The detector at twice the size: 2.92 M parameters with six classes; `parts` as for `lightdet`."""
    return lightdet(num_classes, anchors=anchors, widths=widths, **parts)
