"""Muon: weights move by matrices whose singular values are all about 1."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

from lightdet.training.parallel import parallel_map

STEP_SIZE = 0.4
"""Root mean square of a weight's change at a rate of 1, between the 0.2 to 0.4 of AdamW's steps (docs/recipe.md)."""
STEPS = 5
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315
"""Jordan's polynomial of a singular value: each step applies it."""
Turn = tuple[Tensor, dict[str, Any]]
"""A weight and its group."""


class Muon(AdamW):
    """AdamW, except that in groups with ``"muon": True`` each weight's change is orthogonalized.

    A convolution's weight is the matrix of its output channels and all that they see. Its gradients' running mean
    (Nesterov) is replaced by about the nearest matrix with orthonormal rows or columns, so that all directions are
    learnt alike and not mostly the few that dominate the gradient. K. Jordan et al. 2024, "Muon: An optimizer for
    hidden layers in neural networks"; the size of the steps as in J. Liu et al. 2025, "Muon is scalable for LLM
    training". ``torch.optim.Muon`` takes matrices only and computes in bf16, which AVX2 has no units for.

    The group's ``betas[0]`` is the momentum; ``lr`` and ``weight_decay`` act as in AdamW.

    Args:
        groups: of parameters, as for any optimizer.
        threads: that share the matrices; their number changes no bit of the result.
        settings: as for AdamW.
    """

    def __init__(self, groups: Any, *, threads: int = 1, **settings: Any) -> None:
        super().__init__(groups, **settings)
        self.threads = threads

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step by the gradients there are; `closure` as for any optimizer."""
        groups = self.param_groups
        turns = [
            (weight, group)
            for group in groups
            if group.get("muon")
            for weight in group["params"]
            if weight.grad is not None
        ]
        for weight, _ in turns:
            self._begin(weight)
        parallel_map(self._turn, _shares(turns, self.threads), replicas=self.threads)
        self.param_groups = [group for group in groups if not group.get("muon")]
        super().step(closure)
        self.param_groups = groups

    def _begin(self, weight: Tensor) -> None:
        state = self.state[weight]
        if not state:  # with AdamW's names, which it looks for when a saved state is loaded
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(weight)

    @torch.no_grad()  # a setting of each thread
    def _turn(self, share: Sequence[Turn]) -> None:
        for weight, group in share:
            state, momentum, gradient = self.state[weight], group["betas"][0], weight.grad
            assert gradient is not None  # noqa: S101 - chosen by that
            state["step"] += 1
            mean = state["exp_avg"].lerp_(gradient, 1 - momentum)
            change = orthogonal(gradient.lerp(mean, momentum).flatten(1))
            size = STEP_SIZE * max(change.shape) ** 0.5
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(change.view(weight.shape), alpha=-group["lr"] * size)


def _shares(turns: Sequence[Turn], threads: int) -> list[list[Turn]]:
    """Share them by what they cost: one thread gets the few large ones, so that the threads seldom meet in Python."""
    costs = [_products(weight) for weight, _ in turns]
    shares: list[list[Turn]] = [[] for _ in range(threads)]
    before, whole = 0.0, sum(costs)
    for cost, turn in sorted(zip(costs, turns, strict=True), key=itemgetter(0), reverse=True):
        shares[int(threads * (before + cost / 2) / whole)].append(turn)
        before += cost
    return shares


def _products(weight: Tensor) -> float:
    """About how many multiplications `orthogonal` takes, and as many as it could do while it is called."""
    rows, columns = sorted((weight.shape[0], weight[0].numel()))
    many = 2 * rows <= columns
    return rows**2 * (4 * STEPS * rows + 2 * columns if many else STEPS * (rows + 2 * columns)) + 12e6


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix (n, m) with orthonormal rows or columns: its singular values as 0.7 to 1.2.

    Those below about a thousandth of the norm stay smaller. Five steps of Newton and Schulz with Jordan's coefficients.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    x = _by_products(x) if 2 * x.shape[0] <= x.shape[1] else _by_itself(x)
    return x if wide else x.T


def _by_itself(x: Tensor) -> Tensor:
    for _ in range(STEPS):
        square = x @ x.T
        x = torch.addmm(x, _quadratic(square), x, beta=LINEAR)
    return x


def _by_products(x: Tensor) -> Tensor:
    """The same with x xᵀ instead of x until the end, which takes fewer operations where x has many columns."""
    square, whole = x @ x.T, torch.eye(x.shape[0], dtype=x.dtype, device=x.device)
    for _ in range(STEPS):
        factor = _quadratic(square)
        factor.diagonal().add_(LINEAR)
        whole = factor @ whole
        square = factor @ square @ factor
    return whole @ x


def _quadratic(square: Tensor) -> Tensor:
    return torch.addmm(square, square, square, beta=CUBIC, alpha=QUINTIC)
