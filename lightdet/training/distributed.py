"""One process or many (torchrun): this process's rank, and communication with the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process among its peers; a single one needs no process group."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and prints."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of `value` over the processes; `value` itself if there is only one."""
        if self.count == 1:
            return value
        dist.all_reduce(value)
        return value / self.count

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether any process raised its flag."""
        if self.count == 1:
            return flag
        value = torch.tensor(float(flag), device=device)
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value.item())

    def wait(self) -> None:
        """Return once every process has reached this point."""
        if self.count > 1:
            dist.barrier()


def started_by_torchrun() -> bool:
    """Whether torchrun's environment is there."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))


def is_first_process() -> bool:
    """Whether this is the only process or torchrun's first; known before they are connected."""
    return not started_by_torchrun() or os.environ["RANK"] == "0"


@contextmanager
def process_group(device_type: str) -> Iterator[Processes]:
    """Join torchrun's processes (NCCL on CUDA, gloo elsewhere), or be the only one."""
    if not started_by_torchrun():
        yield Processes()
        return
    dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))
    finally:
        dist.destroy_process_group()
