"""Box conversions for both numpy arrays and tensors; conventions in `lightdet.structures`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from lightdet.arrays import FloatArray

    Array = TypeVar("Array", FloatArray, Tensor)


def xyxy_to_cxcywh(boxes: Array) -> Array:
    """``[..., 4]`` corners → centre x, centre y, width, height; a new array."""
    out = boxes * 1  # a copy of the same kind
    out[..., 0] = (boxes[..., 0] + boxes[..., 2]) / 2
    out[..., 1] = (boxes[..., 1] + boxes[..., 3]) / 2
    out[..., 2] = boxes[..., 2] - boxes[..., 0]
    out[..., 3] = boxes[..., 3] - boxes[..., 1]
    return out


def cxcywh_to_xyxy(boxes: Array) -> Array:
    """``[..., 4]`` centre x, centre y, width, height → corners; a new array."""
    out = boxes * 1
    half_w, half_h = boxes[..., 2] / 2, boxes[..., 3] / 2
    out[..., 0] = boxes[..., 0] - half_w
    out[..., 1] = boxes[..., 1] - half_h
    out[..., 2] = boxes[..., 0] + half_w
    out[..., 3] = boxes[..., 1] + half_h
    return out


def clip_boxes(boxes: FloatArray, width: float, height: float) -> FloatArray:
    """``[N, 4]`` corners cut to the picture ``[0, width] x [0, height]``; a new array."""
    limits = np.array([width, height, width, height], dtype=np.float32)
    return np.clip(boxes, 0, limits).astype(np.float32)


def box_area(boxes: Array) -> Array:
    """``[..., 4]`` corners → area ``[...]`` in square pixels."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
