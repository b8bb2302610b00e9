"""What boxes with labels must be."""

from __future__ import annotations

import numpy as np

from lightdet.arrays import FloatArray, IntArray


def check_boxes(boxes: FloatArray, labels: IntArray) -> None:
    """Refuse what are not boxes ``[N, 4]`` with a label each.

    Raises:
        ValueError: and why.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype != np.float32:
        raise ValueError(f"boxes must be float32 [N, 4], got {boxes.dtype} {boxes.shape}")
    if labels.shape != (len(boxes),) or labels.dtype != np.int64:
        raise ValueError(f"labels must be int64 [{len(boxes)}], got {labels.dtype} {labels.shape}")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite")
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError("boxes must have x2 >= x1 and y2 >= y1")
    if (labels < 0).any():
        raise ValueError("labels must not be negative")
