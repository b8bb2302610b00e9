"""How unequal the classes of a data set are, and weights that compensate for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lightdet.data.pictures import Pictures, trainable


def class_frequencies(pictures: Pictures, num_classes: int) -> Any:
    """Boxes by class, float64 ``[C]``."""
    labels = np.concatenate([trainable(a)[1] for a in pictures.annotations])
    return np.bincount(labels, minlength=num_classes).astype(np.float64)


def inverse_class_weights(frequencies: Any) -> torch.Tensor:
    """Weights ``[C]`` in inverse proportion to the frequency, with mean 1 over the boxes; at most 10."""
    share = np.maximum(frequencies, 1) / max(1.0, frequencies.sum())
    weights = 1 / (share * len(share))
    return torch.tensor(np.minimum(weights, 10.0), dtype=torch.float32)


def picture_weights(pictures: Pictures, frequencies: Any) -> Any:
    """How often to draw each picture: by its rarest class, float64 ``[N]``; background like the most frequent one."""
    rarity = 1 / np.sqrt(np.maximum(frequencies, 1))
    least = float(rarity[frequencies > 0].min())
    return np.array([max((float(rarity[k]) for k in trainable(a)[1]), default=least) for a in pictures.annotations])
