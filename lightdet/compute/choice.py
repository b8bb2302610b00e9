"""The choice itself: how a network is computed on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from lightdet.layers.pool import Pools, use_pools
from lightdet.wording import counted

POOLS_IN_WORDS: dict[str, str] = {"torch": "PyTorch's pools", "onednn": "oneDNN's pools"}


@dataclass(frozen=True)
class Computing:
    """How a network is computed. Every choice gives the same values, up to rounding and except as said for `replicas`.

    Attributes:
        precision: fp32, bf16 or fp16.
        channels_last: memory order of pictures and features.
        pools: which max-pool is called (see `lightdet.layers.pool`).
        replicas: copies of the network that take a part of each batch, side by side, with one set of weights. Batch
            normalization sees the part (docs/adr/0015).
        threads: of the processor, per replica.
        rewritten: the network runs as `lightdet.models.fast_cpu` rewrote it; for inference alone.
        images_per_second: as measured by the probe, without loss and data loading; None if nothing was measured.
    """

    precision: str = "fp32"
    channels_last: bool = True
    pools: Pools = "torch"
    replicas: int = 1
    threads: int = 1
    rewritten: bool = False
    images_per_second: float | None = None

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory order as torch calls it."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def apply(self) -> None:
        """Apply the choice to this process: the pools, and the threads of the calling thread."""
        use_pools(self.pools)
        torch.set_num_threads(self.threads)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the run's facts."""
        return asdict(self)

    @property
    def kernels(self) -> str:
        """Memory order and variants, in words."""
        order = "channels last" if self.channels_last else "channels first"
        return f"{order}, {'rewritten network' if self.rewritten else POOLS_IN_WORDS[self.pools]}"

    def describe(self) -> str:
        """One line for the log."""
        shared = counted(self.threads, "thread")
        workers = shared if self.replicas == 1 else f"{self.replicas} replicas of {shared}"
        speed = "" if self.images_per_second is None else f"; {self.images_per_second:.0f} img/s"
        return f"computes: {self.precision}, {self.kernels}, {workers}{speed}"
