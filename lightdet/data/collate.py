"""Samples → a batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from lightdet.structures import Batch, Sample


def collate(samples: Sequence[Sample], indices: Sequence[int] = ()) -> Batch:
    """Stack samples of equal size; images stay uint8 in channels-last memory."""
    images = torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2)
    rows = [
        np.concatenate(
            (np.full((len(s.labels), 1), i, np.float32), s.labels[:, None].astype(np.float32), s.boxes), axis=1
        )
        for i, s in enumerate(samples)
    ]
    return Batch(images, torch.from_numpy(np.concatenate(rows)), tuple(int(i) for i in indices))
