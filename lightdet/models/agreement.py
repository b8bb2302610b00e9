"""When two forms of a network count as equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

AGREE = 1e-4
"""Largest difference, relative to the largest output, for two forms of a network to count as equal."""


def agree(ours: Any, wanted: Any) -> bool:
    """Whether two networks' outputs are finite and equal up to rounding.

    Args:
        ours, wanted: tensors, or tuples, lists and mappings of them. Each tensor is compared with its counterpart,
            relative to the counterpart's largest value.
    """
    pairs = list(zip(tensors(ours), tensors(wanted), strict=False))
    if not pairs or len(list(tensors(ours))) != len(list(tensors(wanted))):
        return False
    return all(_close(a, b) for a, b in pairs)


def all_finite(outputs: Any) -> bool:
    """Whether each value of a network's outputs (tensors, or tuples, lists and mappings of them) is a finite number."""
    return all(bool(torch.isfinite(values).all()) for values in tensors(outputs))


def _close(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        return False
    return not a.numel() or bool((a - b).abs().max() <= AGREE * b.abs().max())


def tensors(outputs: Any) -> Iterator[Tensor]:
    """Each tensor of a network's outputs: one, or those in tuples, lists and mappings."""
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, Mapping):
        for value in outputs.values():
            yield from tensors(value)
    elif isinstance(outputs, tuple | list):
        for value in outputs:
            yield from tensors(value)
