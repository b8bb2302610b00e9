"""The basic CNN of the casting paper (reference 001, 3.4): convolution blocks, flattened, 128 and 64 neurons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from lightdet.classification.networks.head import dense_head


class BasicCNN(nn.Module):
    """Blocks of 3x3 convolution, ReLU and 2x2 max-pooling, then fully connected layers.

    The paper gives neither the number of blocks nor their widths; it has dropout behind the first dense layer alone.

    Args:
        outputs: logits.
        imgsz: side of the input in pixels; each block halves it.
        widths: channels of the blocks.
        hidden: widths of the dense layers.
        dropout: behind the first dense layer.
    """

    def __init__(
        self,
        outputs: int,
        imgsz: int = 224,
        *,
        widths: Sequence[int] = (32, 64, 128),
        hidden: Sequence[int] = (128, 64),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        side = imgsz >> len(widths)
        if side < 1:
            raise ValueError(f"{len(widths)} blocks leave nothing of {imgsz} pixels")
        blocks: list[nn.Module] = []
        for before, after in pairwise((3, *widths)):
            blocks += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*blocks)
        behind = [dropout, *[0.0] * (len(hidden) - 1)] if hidden else []
        self.classifier = dense_head(widths[-1] * side * side, hidden, outputs, behind)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                # He et al. 2015: without batch normalization the default start lets the signal fade.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, imgsz, imgsz]`` → logits ``[B, outputs]``."""
        # Before flattening in the plain layout: the order of the weights must not depend on channels-last memory.
        features = self.features(images).contiguous()
        return self.classifier(torch.flatten(features, 1))  # type: ignore[no-any-return]
