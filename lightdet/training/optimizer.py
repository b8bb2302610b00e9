"""Optimizers: weight decay only on convolution and linear weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from lightdet.training.muon import Muon

NOMINAL_BATCH = 64


def build_optimizer(
    network: nn.Module,
    name: str,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    batch: int,
    threads: int = 1,
) -> Optimizer:
    """Return SGD (Nesterov), AdamW or Muon over two groups: decayed weights; biases, norms and gate values without.

    For SGD the decay is for a batch of 64 and shrinks with smaller batches, which take more steps per epoch.

    Args:
        batch: pictures per step over all processes and accumulated batches.
        threads: that share a step of Muon.
    """
    weights = {id(module.weight) for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    trained = [p for p in network.parameters() if p.requires_grad]
    decayed = [p for p in trained if id(p) in weights]
    others = [p for p in trained if id(p) not in weights]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    if name == "sgd":
        groups[0]["weight_decay"] = weight_decay * batch / NOMINAL_BATCH
        return SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0, fused=True)
    if name == "adamw":
        groups[0]["weight_decay"] = weight_decay
        return AdamW(groups, lr=lr, betas=(momentum, 0.999), fused=True)
    if name == "muon":
        groups[0] |= {"weight_decay": weight_decay, "muon": True}
        return Muon(groups, lr=lr, betas=(momentum, 0.999), foreach=True, threads=threads)
    raise ValueError(f"unknown optimizer '{name}'; known: sgd, adamw, muon")


def scale_gradients(parameters: Iterable[nn.Parameter], factor: float) -> None:
    """Multiply all gradients by `factor`."""
    if factor != 1:
        torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], factor)


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> Tensor:
    """Scale all gradients together to an L2 norm of at most `limit`; returns the norm before.

    Does what torch's ``clip_grad_norm_`` does, but on the CPU too in one call for all tensors instead of one call each.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    if norm.device.type != "cpu" or factor < 1:  # not checked on a GPU, which would have to be waited for
        torch._foreach_mul_(gradients, factor)
    return norm
