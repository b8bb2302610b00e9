"""A detector's look at a picture: how unsure it is, and where the picture lies among its features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.data.audit.duplicates import thumbnail
from lightdet.picking.scores import disagreement, uncertainty
from lightdet.structures import Detections

LOWEST_SCORE = 0.05
"""Boxes below this say nothing: there are hundreds in every picture."""


@dataclass(frozen=True)
class Look:
    """One picture, as a detector saw it.

    Attributes:
        boxes: how many findings above `LOWEST_SCORE`.
        uncertainty, disagreement: see `lightdet.picking.scores`; the second between the picture and its mirror image.
        features: ``[D]``; from the network, or from the picture's thumbnail if the network cannot be asked.
        thumbnail: ``[32, 32]``, to find look-alikes.
    """

    boxes: int
    uncertainty: float
    disagreement: float
    features: FloatArray
    thumbnail: FloatArray


def has_features(predictor: Any) -> bool:
    """Whether the network's own features can be taken: from a trained model, not from an export."""
    return _backbone(predictor) is not None


def look(predictor: Any, picture: Image) -> Look:
    """Look at uint8 RGB ``[H, W, 3]`` and at its mirror image.

    Args:
        predictor: a detector from `lightdet.load`, with a confidence of about `LOWEST_SCORE`.
        picture: pixels.
    """
    with _features(predictor) as features:
        first = _found(predictor, picture)
    second = mirrored(_found(predictor, np.ascontiguousarray(picture[:, ::-1])))
    small = thumbnail(picture)
    where = np.concatenate(features) if features else (small - small.mean()).ravel()
    return Look(len(first), uncertainty(first.scores), disagreement(first, second), where, small)


def mirrored(found: Detections) -> Detections:
    """Detections in the mirror image of a picture, as boxes of the picture itself."""
    width = found.size[0]
    boxes = found.boxes[:, [2, 1, 0, 3]].copy()
    boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
    return Detections(boxes, found.scores, found.labels, found.names, found.size)


def _found(predictor: Any, picture: Image) -> Detections:
    found: Detections = predictor.batch([picture])[0]
    return found


@contextmanager
def _features(predictor: Any) -> Iterator[list[FloatArray]]:
    """Collect the mean of each channel of the backbone's coarsest map, per picture or tile, within the block."""
    backbone = _backbone(predictor)
    kept: list[FloatArray] = []
    maps: list[FloatArray] = []
    if backbone is None:
        yield kept
        return

    def keep(_module: Any, _given: Any, output: Any) -> None:
        last = output[-1] if isinstance(output, (list, tuple)) else output
        maps.append(last.detach().float().mean(dim=(2, 3)).cpu().numpy())

    hook = backbone.register_forward_hook(keep)
    try:
        yield kept
    finally:
        hook.remove()
        if maps:
            kept.append(np.concatenate(maps).mean(axis=0))


def _backbone(predictor: Any) -> Any:
    runtime = predictor.runtime
    return getattr(runtime.detector, "backbone", None) if runtime.kind == "torch" else None
