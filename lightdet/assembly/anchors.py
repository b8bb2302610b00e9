"""Anchors fitted to a data set if the network's own fit it badly; how many of its boxes are small."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lightdet.config import LossConfig, RunConfig
from lightdet.data.anchors import anchor_recall, anchor_similarity, fit_anchors
from lightdet.data.pictures import Pictures, trainable
from lightdet.losses import SMALL
from lightdet.models import DetectionNetwork, Detector
from lightdet.training.reporting import Reporter


def choose_anchors(config: RunConfig, pictures: Pictures, network: DetectionNetwork, reporter: Reporter) -> None:
    """Fit the anchors to the training boxes if the detector's own fit them badly; says what it did.

    Badly: a smaller share of boxes than ``train.anchor_recall`` match one, or boxes and their best anchors are less
    similar than ``train.anchor_similarity``. A network without anchors is not changed.
    """
    if not isinstance(network, Detector) or not isinstance(config.loss, LossConfig):
        return
    detector = network
    sides = _sides(pictures)
    old = detector.anchors.numpy().reshape(-1, 2)
    recall, alike = anchor_recall(sides, old, config.loss.anchor_ratio), anchor_similarity(sides, old)
    fit = f"match {recall:.1%} of the training boxes, similarity {alike:.2f}"
    wanted = config.train.fit_anchors and getattr(config.model, "anchors", None) is None
    if not wanted or (recall >= config.train.anchor_recall and alike >= config.train.anchor_similarity):
        reporter.note(f"anchors {fit}")
        return
    fitted = fit_anchors(sides, *detector.anchors.shape[:2], seed=config.train.seed)
    new = fitted.reshape(-1, 2)
    better_recall, better = anchor_recall(sides, new, config.loss.anchor_ratio), anchor_similarity(sides, new)
    if better_recall < recall or better <= alike:
        reporter.note(f"anchors {fit}; fitted ones would be no better")
        return
    detector.anchors.copy_(torch.from_numpy(fitted))
    shown = "; ".join(" ".join(f"{w:g}x{h:g}" for w, h in level) for level in fitted)
    reporter.note(
        f"the anchors fit badly ({fit}); fitted new ones to the data set "
        f"(match {better_recall:.1%}, similarity {better:.2f}): {shown}"
    )


def share_of_small_boxes(pictures: Pictures) -> float:
    """The share of the training boxes with an area below `SMALL` squared, at the input's size; 0 without boxes."""
    sides = _sides(pictures)
    return float((sides.prod(axis=1) < SMALL**2).mean()) if len(sides) else 0.0


def _sides(pictures: Pictures) -> Any:
    """Widths and heights of the training boxes in input pixels: ``[M, 2]``."""
    each = []
    for annotation in pictures.annotations:
        boxes, _ = trainable(annotation)
        each.append((boxes[:, 2:] - boxes[:, :2]) * pictures.scale(annotation))
    sides = np.concatenate(each)
    return sides[(sides > 0).all(axis=1)]
