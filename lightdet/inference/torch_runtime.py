"""The network in PyTorch with the common interface (`lightdet.inference.runtime`).

On the CPU it is rewritten for speed on loading, and compared with the trained one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lightdet.arrays import Image
from lightdet.compute import ready_for_inference
from lightdet.compute.precision import DTYPES, inference_format
from lightdet.errors import NetworkError, UserError
from lightdet.inference.runtime import NO_NUMBERS, RawDetections
from lightdet.models import DetectionNetwork
from lightdet.models.agreement import all_finite
from lightdet.models.fast_cpu import fast_cpu
from lightdet.models.weights import weights_digest
from lightdet.structures import Preprocessing
from lightdet.structures.scores import raw_floor

Precision = Literal["fp32", "bf16", "fp16"]


class TorchRuntime:
    """Runs a network and its post-processing; see `lightdet.inference.runtime.Runtime`.

    Args:
        detector: put into evaluation mode and moved to `device` here.
        names: class names by label, as many as the detector has classes.
        preprocessing: how pictures become input; `scale` is applied here.
        confidence: lowest score kept, in [0, 1]; every one that reaches it as reported (`structures.scores`) is kept.
        iou: NMS threshold, in [0, 1].
        max_detections: most boxes per picture.
        agnostic: boxes of different classes also suppress each other.
        device: where to run.
        precision: fp32, bf16 or fp16 (post-processing stays fp32).
        threads: processor threads; None: chosen by a short measurement.

    Attributes:
        detector: the network as trained.
        running: the network that runs: on the CPU an equivalent rewritten copy (see `lightdet.models.fast_cpu`) if
            that is faster, otherwise the detector itself.
        computing: how the network is computed (see `lightdet.compute.inference`); applies to the whole process.
    """

    def __init__(
        self,
        detector: DetectionNetwork,
        names: Sequence[str],
        preprocessing: Preprocessing,
        *,
        confidence: float = 0.25,
        iou: float = 0.55,
        max_detections: int = 300,
        agnostic: bool = False,
        device: torch.device | str = "cpu",
        precision: Precision = "fp32",
        threads: int | None = None,
    ) -> None:
        for what, value in (("confidence", confidence), ("iou", iou)):
            if not 0.0 <= value <= 1.0:
                raise UserError(f"{what} must lie in 0-1, got {value}")
        if len(names) != detector.num_classes:
            raise UserError(f"the model has {detector.num_classes} classes, but {len(names)} names are given")
        if precision != "fp32" and precision not in DTYPES:
            raise UserError(f"unknown precision '{precision}'; use fp32, bf16 or fp16")
        if precision == "fp16" and torch.device(device).type == "cpu":
            raise UserError("fp16 needs a GPU; use bf16 or fp32 on the CPU")
        self.names = tuple(names)
        self.preprocessing = preprocessing
        self.milliseconds: dict[str, float] = {}
        self.confidence = confidence
        self.iou = iou
        self.max_detections = max_detections
        self.agnostic = agnostic
        self.device = torch.device(device)
        self.precision = precision
        self.detector = detector.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.running, self.computing = ready_for_inference(
            self.detector,
            fast_cpu(self.detector),
            side=preprocessing.imgsz,
            precision=precision,
            threads=threads,
            device=self.device,
        )

    @property
    def network(self) -> DetectionNetwork:
        """The detector."""
        network: DetectionNetwork = self.detector
        return network

    kind = "torch"

    def weights_digest(self) -> str:
        """Return the SHA-256 of the trained tensors, to know them again."""
        return weights_digest(self.detector)

    def as_trained(self) -> TorchRuntime:
        """From now on, run the detector as trained: exports are compared with that."""
        self.running = self.detector
        return self

    @torch.inference_mode()
    def __call__(self, batch: Image) -> list[RawDetections]:
        """Return the boxes in each picture of uint8 RGB ``[B, H, W, 3]``, H and W multiples of 32.

        Raises:
            NetworkError: the network returns values that are not numbers.
        """
        start = time.perf_counter()
        outputs = self._network(self._to_input(batch))
        if not all_finite(outputs):
            raise NetworkError(NO_NUMBERS)
        network = self._clock()
        found = self.detector.select(
            outputs,
            confidence=raw_floor(self.confidence),
            iou=self.iou,
            max_detections=self.max_detections,
            agnostic=self.agnostic,
        )
        results = [_to_numpy(picture) for picture in found]
        self.milliseconds = {
            "network": (network - start) * 1e3,
            "postprocess": (self._clock() - network) * 1e3,
        }
        return results

    def _to_input(self, batch: Image) -> Tensor:
        # [B, H, W, 3] viewed as [B, 3, H, W] is already in channels-last order: nothing is copied.
        images = torch.from_numpy(np.ascontiguousarray(batch)).to(self.device).permute(0, 3, 1, 2)
        return images.float().mul_(self.preprocessing.scale).contiguous(memory_format=self.computing.memory_format)

    def _network(self, images: Tensor) -> Any:
        with inference_format(self.precision, self.device):
            return self.running(images)

    def _clock(self) -> float:
        """The time when all work so far is done: a GPU works asynchronously."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _to_numpy(found: tuple[Tensor, Tensor, Tensor]) -> RawDetections:
    boxes, scores, labels = (part.cpu().numpy() for part in found)
    return boxes.astype(np.float32), scores.astype(np.float32), labels.astype(np.int64)
