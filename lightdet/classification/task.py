"""A classifier with its loss, as used by the trainer; one logit or one per class."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightdet.classification.dataset import ImageBatch, normalize
from lightdet.compute.precision import autocast
from lightdet.structures import LossTerms, Preprocessing


def probabilities(logits: Tensor) -> Tensor:
    """Logits ``[B, K]`` → probabilities ``[B, C]``: softmax, or for a single logit (the second class's) sigmoid."""
    values = logits.float()
    if values.shape[1] == 1:
        # sigmoid(-x), not 1 - sigmoid(x): that loses all digits of a small probability.
        return torch.cat([torch.sigmoid(-values), torch.sigmoid(values)], dim=1)
    return values.softmax(dim=1)


class ClassifyLoss(nn.Module):
    """Cross-entropy, binary for a single logit; the mean over the batch, optionally weighted by class.

    Args:
        label_smoothing: share of the target that is spread over all classes (Szegedy et al. 2016), in [0, 0.5).
        class_weights: float ``[C]``; the mean divides by their sum over the batch.
    """

    class_weights: Tensor | None

    def __init__(self, *, label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits ``[B, K]`` and labels int64 ``[B]`` → a 0-d float32 tensor."""
        values = logits.float()
        if values.shape[1] > 1:
            return functional.cross_entropy(
                values, labels, weight=self.class_weights, label_smoothing=self.label_smoothing
            )
        targets = labels.float() * (1 - self.label_smoothing) + self.label_smoothing / 2
        each = functional.binary_cross_entropy_with_logits(values[:, 0], targets, reduction="none")
        if self.class_weights is None:
            return each.mean()
        weights = self.class_weights[labels]
        return (each * weights).sum() / weights.sum()


class ClassifyTask:
    """A classifier with its loss.

    Args:
        network: pictures → logits, on its device.
        loss: its criterion.
        preprocessing: how pictures become its input.
        precision: fp32, bf16 or fp16 (see `lightdet.compute.precision`).
    """

    def __init__(
        self, network: nn.Module, loss: ClassifyLoss, preprocessing: Preprocessing, *, precision: str = "fp32"
    ) -> None:
        self._network = network
        self.criterion = loss
        self.preprocessing = preprocessing
        self.precision = precision

    @property
    def network(self) -> nn.Module:
        """The classifier."""
        return self._network

    def loss(self, forward: nn.Module, batch: ImageBatch) -> LossTerms:
        """Run forward in the configured precision; the loss itself is float32. Parts: ``loss`` and ``accuracy``."""
        images = self._input(batch.images)
        with autocast(self.precision, images.device):
            logits = forward(images)
        labels = batch.labels.to(images.device)
        total = self.criterion(logits, labels)
        right = (probabilities(logits.detach()).argmax(dim=1) == labels).float().mean()
        return LossTerms(total, {"loss": total.detach(), "accuracy": right})

    @torch.inference_mode()
    def logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """The output of `network` for uint8 ``[B, 3, S, S]``: float32 ``[B, K]``, in float32 as in deployment."""
        return network(self._input(images)).float()  # type: ignore[no-any-return]

    def _input(self, images: Tensor) -> Tensor:
        device = next(self.network.parameters()).device
        return normalize(images.to(device, non_blocking=True), self.preprocessing)
