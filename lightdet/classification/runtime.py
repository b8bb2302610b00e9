"""A classifier's network in PyTorch with the common interface (`lightdet.inference.classifier.ClassRuntime`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lightdet.arrays import FloatArray, Image
from lightdet.classification.dataset import normalize
from lightdet.classification.task import probabilities
from lightdet.compute import ready_for_inference
from lightdet.compute.precision import DTYPES, inference_format
from lightdet.errors import UserError
from lightdet.models.fast_cpu import fast_cpu
from lightdet.models.weights import weights_digest
from lightdet.structures import Preprocessing


class TorchClassRuntime:
    """Runs a network; on the CPU an equivalent rewritten copy (see `lightdet.models.fast_cpu`).

    Args:
        network: pictures ``[B, 3, S, S]`` → logits ``[B, K]``.
        names: the class names, by label.
        preprocessing: how pictures become its input.
        device: where to run it.
        precision: fp32, bf16 or fp16; fp16 needs a GPU.
        threads: processor threads; None: chosen by a short measurement.

    Attributes:
        network: as trained.
        running: the network that computes the logits.
        computing: how the network is computed (see `lightdet.compute.inference`); applies to the whole process.

    Raises:
        UserError: a precision that the device does not have.
    """

    def __init__(
        self,
        network: nn.Module,
        names: Sequence[str],
        preprocessing: Preprocessing,
        *,
        device: torch.device | str = "cpu",
        precision: str = "fp32",
        threads: int | None = None,
    ) -> None:
        self._device = torch.device(device)
        if precision != "fp32" and precision not in DTYPES:
            raise UserError(f"unknown precision '{precision}'; use fp32, bf16 or fp16")
        if precision == "fp16" and self._device.type == "cpu":
            raise UserError("fp16 needs a GPU; use bf16 or fp32 on the CPU")
        self.names = tuple(names)
        self.preprocessing = preprocessing
        self.precision = precision
        self.device = str(self._device)
        self.network = network.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.running, self.computing = ready_for_inference(
            self.network,
            fast_cpu(self.network, (preprocessing.imgsz, preprocessing.imgsz)),
            side=preprocessing.imgsz,
            precision=precision,
            threads=threads,
            device=self._device,
        )

    kind = "torch"

    def weights_digest(self) -> str:
        """Return the SHA-256 of the trained tensors, to know them again."""
        return weights_digest(self.network)

    def as_trained(self) -> TorchClassRuntime:
        """From now on, run the network as trained: exports are compared with that."""
        self.running = self.network
        return self

    @torch.inference_mode()
    def __call__(self, batch: Image) -> FloatArray:
        """Return the probabilities float32 ``[B, C]`` for inputs uint8 RGB ``[B, S, S, 3]``."""
        images = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device).permute(0, 3, 1, 2)
        values = normalize(images, self.preprocessing).contiguous(memory_format=self.computing.memory_format)
        found: FloatArray = probabilities(self._network(values)).cpu().numpy().astype(np.float32)
        return found

    def _network(self, images: Tensor) -> Any:
        with inference_format(self.precision, self._device):
            return self.running(images)
