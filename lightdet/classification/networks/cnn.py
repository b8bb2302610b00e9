"""The basic CNN of the casting paper (reference 001, 3.4): convolution blocks, flattened, 128 and 64 neurons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from lightdet.classification.networks.head import dense_head

Pool = Literal["flatten", "mean", "max", "both"]
"""Use of the last map: all its cells, each channel's mean, its largest value, or both of these."""


class BasicCNN(nn.Module):
    """Blocks of 3x3 convolution, ReLU and 2x2 max-pooling, then fully connected layers.

    The paper gives neither the number of blocks nor their widths; it has dropout only after the first dense layer.

    Args:
        outputs: logits.
        imgsz: side of the input in pixels; each block halves it.
        widths: channels of the blocks.
        hidden: widths of the dense layers.
        dropout: after the first dense layer.
        batch_norm: normalize after each convolution (Ioffe and Szegedy 2015); the paper does not.
        pool: what the dense layers get from the last map. A defect is small and may be anywhere: the largest value of
            each channel says whether it is there at all, and leaves few weights to learn.
    """

    def __init__(
        self,
        outputs: int,
        imgsz: int = 224,
        *,
        widths: Sequence[int] = (32, 64, 128),
        hidden: Sequence[int] = (128, 64),
        dropout: float = 0.5,
        batch_norm: bool = False,
        pool: Pool = "flatten",
    ) -> None:
        super().__init__()
        self.pool = pool
        side = imgsz >> len(widths)
        if side < 1:
            raise ValueError(f"{len(widths)} blocks leave nothing of {imgsz} pixels")
        blocks: list[nn.Module] = []
        for before, after in pairwise((3, *widths)):
            normal = [nn.BatchNorm2d(after)] if batch_norm else []
            convolution = nn.Conv2d(before, after, 3, padding=1, bias=not batch_norm)
            blocks += [convolution, *normal, nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*blocks)
        behind = [dropout, *[0.0] * (len(hidden) - 1)] if hidden else []
        cells = {"flatten": side * side, "both": 2}.get(pool, 1)
        self.classifier = dense_head(widths[-1] * cells, hidden, outputs, behind)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                # He et al. 2015: without batch normalization the signal fades with the default initialization.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, imgsz, imgsz]`` → logits ``[B, outputs]``."""
        features = self.features(images)
        if self.pool == "flatten":
            # Convert to the plain layout first: the order of the weights must not depend on channels-last memory.
            seen = torch.flatten(features.contiguous(), 1)
        else:
            kinds = {"mean": [features.mean(dim=(2, 3))], "max": [features.amax(dim=(2, 3))]}
            seen = torch.cat(kinds.get(self.pool, kinds["max"] + kinds["mean"]), dim=1)
        return self.classifier(seen)  # type: ignore[no-any-return]
