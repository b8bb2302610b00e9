"""A classifier for the file: the picture's own bytes in, probabilities out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lightdet.classification.task import probabilities
from lightdet.exporting.network import Deployable
from lightdet.inference.export_card import Layout
from lightdet.structures import Preprocessing

QUANTIZED = ("Conv", "Gemm", "MatMul", "MaxPool", "GlobalAveragePool", "Add")
"""Kinds of nodes that ONNX Runtime computes in int8."""


class ProbabilityNetwork(nn.Module):
    """uint8 ``[B, 3, S, S]`` or ``[B, S, S, 3]`` → a tuple of one tensor, float32 probabilities ``[B, C]``.

    Args:
        network: pictures → logits ``[B, K]``; not changed.
        preprocessing: its scale, mean and deviation are applied here.
        layout: order of the input's bytes.
        half: compute in float16; the probabilities stay float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, layout: Layout, *, half: bool = False) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        self.dtype = torch.float16 if half else torch.float32
        self.network.to(self.dtype)
        self.interleaved = layout == "interleaved"
        self.scale = preprocessing.scale
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        planes = images.permute(0, 3, 1, 2) if self.interleaved else images
        values = (planes.float() * self.scale - self.mean) / self.std
        return (probabilities(self.network(values.to(self.dtype))),)


def deployable_classifier(
    network: nn.Module, preprocessing: Preprocessing, *, layout: Layout, half: bool = False
) -> Deployable:
    """Return a classifier ready to be traced; see `ProbabilityNetwork`."""
    module = ProbabilityNetwork(network, preprocessing, layout, half=half)
    return Deployable(module, layout, "probabilities", ("probabilities",))
