"""The original YOLOv5n (release 7.0: anchors, C3, SiLU, 6x6 stem) built from our own parts, only to measure its time.

With 80 classes and folded normalizations it has the published 1 867 405 parameters. Its successor of the same name in
`ultralytics` (``yolov5nu``) has another head, without anchors, and is another network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightdet.layers import C3, SPP, ConvBNAct
from lightdet.models.detector import STRIDES, Detector
from lightdet.models.heads import AnchorHead, HeadBranch
from lightdet.models.necks import PAN
from lightdet.models.zoo import default_anchors

WIDTHS = (16, 32, 64, 128, 256)
DEPTHS = (1, 2, 3, 1)
PUBLISHED_PARAMETERS = 1_867_405
"""As its own programs print them for 80 classes, after folding the normalizations."""


class Backbone(nn.Module):
    """A 6x6 convolution of stride 2, four times a 3x3 one of stride 2 and a C3 block, SPP at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBNAct(3, WIDTHS[0], 6, 2, activation="silu")
        self.stem.conv.padding = (2, 2)
        self.stages = nn.ModuleList()
        for c_in, c_out, depth in zip(WIDTHS[:-1], WIDTHS[1:], DEPTHS, strict=True):
            parts: list[nn.Module] = [
                ConvBNAct(c_in, c_out, 3, 2, activation="silu"),
                C3(c_out, c_out, depth, residual=True, activation="silu"),
            ]
            if c_out == WIDTHS[-1]:
                parts.append(SPP(c_out, c_out, activation="silu"))
            self.stages.append(nn.Sequential(*parts))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``[B, 3, H, W]`` → features at strides 8, 16, 32."""
        stride8 = self.stages[1](self.stages[0](self.stem(images)))
        stride16 = self.stages[2](stride8)
        return stride8, stride16, self.stages[3](stride16)


class Decoded(nn.Module):
    """The network with its decoding, as its own export gives it: one float tensor ``[B, N, 5 + C]``."""

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, H, W]`` in 0-1 → candidates."""
        return self.network.decode(self.network(images))


def yolov5n(num_classes: int, imgsz: int) -> Detector:
    """The network with random weights."""
    channels = WIDTHS[2:]
    neck = PAN(channels, block=C3, activation="silu")
    branches = [HeadBranch(c, gate=None, attention=False) for c in channels]
    anchors = default_anchors(imgsz)
    return Detector(Backbone(), neck, AnchorHead(branches, channels, num_classes, 3, STRIDES), anchors, STRIDES)


def settled(network: Detector, imgsz: int) -> Detector:
    """Give each normalization the mean and variance of what reaches it, as in a trained network."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # plain average over the batches
            module.reset_running_stats()
    generator = torch.Generator().manual_seed(0)
    side = imgsz // 64 * 32
    with torch.no_grad():
        for _ in range(2):
            network.train()(torch.rand(4, 3, side, side, generator=generator))
    return network.eval()


def folded_parameters(network: nn.Module) -> int:
    """Count the parameters that are left when each normalization has become its convolution's bias."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    return sum(p.numel() for p in network.parameters()) - sum(norm.num_features for norm in norms)
