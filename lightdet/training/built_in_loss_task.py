"""Networks with their own loss, as tasks for the trainer."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightdet.compute.precision import autocast
from lightdet.models.torchvision_detectors import BuiltInLossNetwork, Losses
from lightdet.structures import Batch, LossTerms
from lightdet.training.task import DetectionTask


class BuiltInLossTask(DetectionTask):
    """A network whose ``forward(images, targets)`` returns its losses.

    Sums are divided by counts over all processes, as elsewhere. The network's random draws (anchors and proposals
    to learn from) depend on the batch alone, so a resumed training continues as if it had not been interrupted.

    Args:
        network: the detector, on its device.
        mean_count: mean of a count over processes.
        processes: how many there are.
        precision: fp32, bf16 or fp16 (see `lightdet.compute.precision`).
        confidence, iou, max_detections: post-processing in validation.
    """

    def __init__(
        self,
        network: BuiltInLossNetwork,
        *,
        mean_count: Callable[[Tensor], Tensor] = lambda count: count,
        processes: int = 1,
        precision: str = "fp32",
        confidence: float = 0.001,
        iou: float = 0.55,
        max_detections: int = 300,
    ) -> None:
        super().__init__(
            network,
            _no_other_loss,
            precision=precision,
            confidence=confidence,
            iou=iou,
            max_detections=max_detections,
        )
        self._mean_count = mean_count
        self._processes = processes

    def loss(self, forward: nn.Module, batch: Batch) -> LossTerms:
        """Run forward with the targets; the losses come in float32."""
        images = self._input(batch.images)
        with _drawing_from(batch, images.device), autocast(self.precision, images.device):
            losses: Losses = forward(images, batch.targets.to(images.device))
        counts = torch.stack([count for _, count in losses.values()])
        mean = self._mean_count(torch.cat((counts.new_tensor([float(len(images))]), counts)))
        # At least one over all processes, to avoid dividing by zero.
        divisors = mean[1:].clamp(min=1 / self._processes)
        parts = {name: loss / by for (name, (loss, _)), by in zip(losses.items(), divisors, strict=True)}
        total = torch.stack(list(parts.values())).sum() * mean[0] * self._processes
        return LossTerms(total, {name: part.detach() for name, part in parts.items()})


def _no_other_loss(_outputs: object, _targets: Tensor) -> LossTerms:
    raise AssertionError("the loss is inside the network")


@contextmanager
def _drawing_from(batch: Batch, device: torch.device) -> Iterator[None]:
    """Let torch draw from a seed derived from the batch, and restore its random state afterwards."""
    some = batch.images[:, :, ::16, ::16].cpu().contiguous()
    seed = zlib.crc32(some.numpy().tobytes(), zlib.crc32(batch.targets.cpu().numpy().tobytes()))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
