"""Muon: weights move by matrices whose singular values are all about 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

STEP_SIZE = 0.4
"""Root mean square of a weight's change at a rate of 1, between the 0.2 to 0.4 of AdamW's steps (docs/recipe.md)."""


class Muon(AdamW):
    """AdamW, except that in groups with ``"muon": True`` each weight's change is orthogonalized.

    A convolution's weight is the matrix of its output channels and all that they see. Its gradients' running mean
    (Nesterov) is replaced by about the nearest matrix with orthonormal rows or columns, so that all directions are
    learnt alike and not mostly the few that dominate the gradient. K. Jordan et al. 2024, "Muon: An optimizer for
    hidden layers in neural networks"; the size of the steps as in J. Liu et al. 2025, "Muon is scalable for LLM
    training". ``torch.optim.Muon`` takes matrices only and computes in bf16, which AVX2 has no units for.

    The group's ``betas[0]`` is the momentum; ``lr`` and ``weight_decay`` act as in AdamW.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step by the gradients there are; `closure` as for any optimizer."""
        groups = self.param_groups
        for group in groups:
            if group.get("muon"):
                for weight in group["params"]:
                    if weight.grad is not None:
                        self._turn(weight, weight.grad, group)
        self.param_groups = [group for group in groups if not group.get("muon")]
        super().step(closure)
        self.param_groups = groups

    def _turn(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, momentum = self.state[weight], group["betas"][0]
        if not state:  # with AdamW's names, which it looks for when a saved state is loaded
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(weight)
        state["step"] += 1
        mean = state["exp_avg"].lerp_(gradient, 1 - momentum)
        change = orthogonal(gradient.lerp(mean, momentum).flatten(1))
        size = STEP_SIZE * max(change.shape) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(change.view(weight.shape), alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix (n, m) with orthonormal rows or columns: its singular values as 0.7 to 1.2.

    Those below about a thousandth of the norm stay smaller. Five steps of Newton and Schulz with Jordan's coefficients.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x if wide else x.T
