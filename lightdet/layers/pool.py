"""Chained max-pools of stride 1, by whichever library is faster on this machine.

PyTorch's own max-pool records the position of every maximum in 64 bits, which costs more than the pooling. oneDNN's
does not, and is five times faster if the processor has AVX-512; without it oneDNN has no fast path for channels-last
tensors and takes three to four times as long as PyTorch's. `lightdet.compute` measures and chooses.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

Pools = Literal["torch", "onednn"]

_in_use: Pools = "torch"


def use_pools(pools: Pools) -> None:
    """Choose for this process: ``torch``, or ``onednn`` for tensors that it supports (PyTorch's for all others)."""
    global _in_use  # noqa: PLW0603 - a property of the machine, not of a network
    _in_use = pools


def pools_in_use() -> Pools:
    """The choice of `use_pools`; initially ``torch``."""
    return _in_use


def chained_max_pools(x: Tensor, count: int, kernel: int = 5) -> list[Tensor]:
    """Pool ``[B, C, H, W]`` `count` times in a chain with a `kernel` (odd, stride 1, same padding).

    The values are those of `torch.nn.functional.max_pool2d`. If two values of a window are equal, the gradient
    may go to the other one.
    """
    pad = kernel // 2
    if not (_in_use == "onednn" and onednn_takes(x)):
        pooled = [x]
        for _ in range(count):
            pooled.append(max_pool2d(pooled[-1], kernel, 1, pad))
        return pooled[1:]
    inner = x.to_mkldnn()
    results = []
    for _ in range(count):
        inner = torch.ops.aten.mkldnn_max_pool2d(inner, [kernel, kernel], [1, 1], [pad, pad])
        results.append(inner.to_dense().contiguous(memory_format=torch.channels_last))
    return results


def onednn_takes(x: Tensor) -> bool:
    """Whether oneDNN can pool this tensor: on the CPU, channels last, of a type that the processor supports."""
    # A graph traced for export must hold plain operations.
    recorded = torch._C._get_tracing_state() is not None or torch.compiler.is_compiling()
    if recorded or x.device.type != "cpu" or x.numel() == 0:
        return False
    # In any other memory order the results would have to be rearranged.
    return x.is_contiguous(memory_format=torch.channels_last) and _onednn_knows(x.dtype)


@cache
def _onednn_knows(dtype: torch.dtype) -> bool:
    """Whether this build of torch has oneDNN, and the processor supports `dtype`."""
    if not torch._C._has_mkldnn or dtype not in (torch.float32, torch.bfloat16):
        return False
    try:
        probe = torch.zeros(1, 1, 4, 4, dtype=dtype).to_mkldnn()
        torch.ops.aten.mkldnn_max_pool2d(probe, [3, 3], [1, 1], [1, 1]).to_dense()
    except (RuntimeError, AttributeError):  # the processor is too old for it
        return False
    return True
