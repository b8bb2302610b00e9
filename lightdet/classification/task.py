"""A classifier with its loss, as used by the trainer; one logit or one per class."""

from __future__ import annotations

from collections.abc import Callable

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
        class_weights: float ``[C]``; the mean divides by their sum over the whole batch.
    """

    class_weights: Tensor | None

    def __init__(self, *, label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights)

    def forward(
        self, logits: Tensor, labels: Tensor, mean_count: Callable[[Tensor], Tensor] = lambda count: count
    ) -> Tensor:
        """Logits ``[B, K]`` and labels int64 ``[B]`` → a 0-d float32 tensor.

        `mean_count` gives the mean of the weights' sum over the processes or replicas that share a batch, so that the
        mean of their gradients is the gradient of the whole batch. Their numbers of pictures are equal anyway.
        """
        values, weights = logits.float(), self.class_weights
        if values.shape[1] > 1:
            total = functional.cross_entropy(
                values, labels, weight=weights, label_smoothing=self.label_smoothing, reduction="sum"
            )
        else:
            targets = labels.float() * (1 - self.label_smoothing) + self.label_smoothing / 2
            each = functional.binary_cross_entropy_with_logits(values[:, 0], targets, reduction="none")
            total = (each if weights is None else each * weights[labels]).sum()
        return total / (len(labels) if weights is None else mean_count(weights[labels].sum()))


class ClassifyTask:
    """A classifier with its loss.

    Args:
        network: pictures → logits, on its device.
        loss: its criterion.
        preprocessing: how pictures become its input.
        precision: fp32, bf16 or fp16 (see `lightdet.compute.precision`).
        mean_count: mean of a sum over the processes or replicas that share each batch of the training.
    """

    loss_is_mean = True
    """See `lightdet.training.task.Task`."""

    def __init__(
        self,
        network: nn.Module,
        loss: ClassifyLoss,
        preprocessing: Preprocessing,
        *,
        precision: str = "fp32",
        mean_count: Callable[[Tensor], Tensor] = lambda count: count,
    ) -> None:
        self._network = network
        self._mean_count = mean_count
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
        total = self.criterion(logits, labels, self._mean_count)
        right = (probabilities(logits.detach()).argmax(dim=1) == labels).float().mean()
        return LossTerms(total, {"loss": total.detach(), "accuracy": right})

    @torch.inference_mode()
    def logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """The output of `network` for uint8 ``[B, 3, S, S]``: float32 ``[B, K]``, in float32 as in deployment."""
        return network(self._input(images)).float()  # type: ignore[no-any-return]

    def _input(self, images: Tensor) -> Tensor:
        device = next(self.network.parameters()).device
        return normalize(images.to(device, non_blocking=True), self.preprocessing)
