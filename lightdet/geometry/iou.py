"""Overlap of boxes as tensors: IoU, generalized IoU (Rezatofighi 2019; eqs. 10, 11) and complete IoU (Zheng 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

EPS = 1e-7


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of intersection and union of matching pairs of ``[..., 4]`` corners."""
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    intersection = (high - low).clamp(min=0).prod(-1)
    area_a = (a[..., 2:] - a[..., :2]).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).prod(-1)
    return intersection, area_a + area_b - intersection


def iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU in [0, 1] of matching pairs: ``[..., 4]``, ``[..., 4]`` corners → ``[...]``; broadcasts."""
    intersection, union = _overlap(a, b)
    return intersection / (union + EPS)


def generalized_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """GIoU in [-1, 1] (eq. 11) and IoU of matching pairs of ``[..., 4]`` corners → two ``[...]``."""
    intersection, union = _overlap(a, b)
    ratio = intersection / (union + EPS)
    low = torch.minimum(a[..., :2], b[..., :2])
    high = torch.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).prod(-1)
    return ratio - (hull - union) / (hull + EPS), ratio


def complete_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """CIoU (IoU minus centre distance and aspect terms) and IoU of matching pairs → two ``[...]``."""
    intersection, union = _overlap(a, b)
    ratio = intersection / (union + EPS)
    low = torch.minimum(a[..., :2], b[..., :2])
    high = torch.maximum(a[..., 2:], b[..., 2:])
    diagonal = (high - low).pow(2).sum(-1)
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2).pow(2).sum(-1)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    angle_a = torch.atan(size_a[..., 0] / (size_a[..., 1] + EPS))
    angle_b = torch.atan(size_b[..., 0] / (size_b[..., 1] + EPS))
    aspect = (4 / math.pi**2) * (angle_a - angle_b).pow(2)
    with torch.no_grad():  # Zheng 2020: the trade-off is a constant for the gradient
        trade = aspect / (1 - ratio + aspect + EPS)
    return ratio - apart / (diagonal + EPS) - trade * aspect, ratio
