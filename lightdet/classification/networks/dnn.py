"""The dense network of reference 004: every pixel into 128 neurons, 64 neurons, one output."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightdet.classification.networks.head import dense_head


class DenseNet(nn.Module):
    """Linear layers only, with dropout after each hidden one: 64 · 64 · 3 → 128 → 64 → `outputs`.

    Args:
        outputs: logits; the paper has one, with a sigmoid.
        imgsz: side of the input in pixels.
        hidden: widths of the hidden layers.
        dropout: after each of them.
    """

    def __init__(
        self, outputs: int, imgsz: int = 64, *, hidden: Sequence[int] = (128, 64), dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.classifier = dense_head(3 * imgsz * imgsz, hidden, outputs, dropout)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, imgsz, imgsz]`` → logits ``[B, outputs]``."""
        return self.classifier(torch.flatten(images.contiguous(), 1))  # type: ignore[no-any-return]
