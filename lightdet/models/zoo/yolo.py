"""YOLOv3, YOLOv4 and YOLOv5 n, s, m, as published except for what all networks with anchors share here.

They share the initial anchors, the decoding, the loss with its assignment, and the constants of the batch
normalization. A comparison then compares the networks, not their recipes.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightdet.models.backbones import CSPBackbone, CSPDarknet53, Darknet53
from lightdet.models.detector import STRIDES, Detector
from lightdet.models.heads import AnchorHead, ConvBranch, HeadBranch
from lightdet.models.necks import FPN, PAN, ConvPAN

Anchors = Sequence[Sequence[Sequence[float]]]


def yolov3(num_classes: int, *, anchors: Anchors, activation: str = "leaky_relu") -> Detector:
    """Darknet-53 and a feature pyramid (Redmon & Farhadi 2018, "YOLOv3: An Incremental Improvement")."""
    backbone = Darknet53(activation=activation)
    neck = FPN(backbone.channels, activation=activation)
    head = _convolution_head(neck.channels, num_classes, anchors, activation)
    return Detector(backbone, neck, head, anchors, STRIDES)


def yolov4(
    num_classes: int, *, anchors: Anchors, activation: str = "mish", neck_activation: str = "leaky_relu"
) -> Detector:
    """CSPDarknet-53 with Mish, SPP, FPN and PAN (Bochkovskiy, Wang & Liao 2020, "YOLOv4")."""
    backbone = CSPDarknet53(activation=activation)
    neck = ConvPAN(backbone.channels, activation=neck_activation)
    head = _convolution_head(neck.channels, num_classes, anchors, neck_activation)
    return Detector(backbone, neck, head, anchors, STRIDES)


def yolov5n(num_classes: int, *, anchors: Anchors, activation: str = "leaky_relu") -> Detector:
    """Width 1/4, depth 1/3: the smallest of the later releases, in the frame of the early ones."""
    return _yolov5((16, 32, 64, 128, 256), 1, num_classes, anchors, activation)


def yolov5s(num_classes: int, *, anchors: Anchors, activation: str = "leaky_relu") -> Detector:
    """Width 1/2, depth 1/3."""
    return _yolov5((32, 64, 128, 256, 512), 1, num_classes, anchors, activation)


def yolov5m(num_classes: int, *, anchors: Anchors, activation: str = "leaky_relu") -> Detector:
    """Width 3/4, depth 2/3."""
    return _yolov5((48, 96, 192, 384, 768), 2, num_classes, anchors, activation)


def _yolov5(widths: Sequence[int], depth: int, num_classes: int, anchors: Anchors, activation: str) -> Detector:
    """Focus, BottleneckCSP, SPP, FPN and PAN, as in releases 1 to 3 (docs/adr/0004); `depth` is CSP1_X's least X."""
    backbone = CSPBackbone(widths, (depth, 3 * depth, 3 * depth, depth), activation=activation)
    neck = PAN(backbone.channels, depth=depth, activation=activation)
    branches = [HeadBranch(c, gate=None, attention=False) for c in backbone.channels]
    head = AnchorHead(branches, backbone.channels, num_classes, len(anchors[0]), STRIDES)
    return Detector(backbone, neck, head, anchors, STRIDES)


def _convolution_head(channels: Sequence[int], num_classes: int, anchors: Anchors, activation: str) -> AnchorHead:
    """A 3x3 convolution to twice the channels before each 1x1."""
    branches = [ConvBranch(c, activation=activation) for c in channels]
    return AnchorHead(branches, [2 * c for c in channels], num_classes, len(anchors[0]), STRIDES)
