"""A network with the loss that its configuration names, ready for the trainer."""

from __future__ import annotations

from typing import Any

import torch

from lightdet.build.class_balance import class_frequencies, inverse_class_weights
from lightdet.config import LossConfig, RunConfig
from lightdet.data.pictures import Pictures
from lightdet.losses import DetectionLoss
from lightdet.models import DetectionNetwork, Detector
from lightdet.training.distributed import Processes
from lightdet.training.precision import resolve_precision
from lightdet.training.task import DetectionTask, Task


def build_task(
    config: RunConfig,
    pictures: Pictures,
    network: DetectionNetwork,
    device: torch.device,
    processes: Processes,
) -> Task:
    """Return `network` with its loss, on its device; the data set's `pictures` tell how frequent the classes are."""
    if isinstance(network, Detector) and isinstance(config.loss, LossConfig):
        loss: Any = _anchor_loss(config.loss, pictures, network, processes)
    else:
        raise TypeError(f"no loss is known for a {type(network).__name__}")
    return DetectionTask(
        network,
        loss.to(device),
        precision=resolve_precision(config.train.precision, device),
        confidence=config.eval.confidence,
        iou=config.eval.iou,
        max_detections=config.eval.max_detections,
    )


def _anchor_loss(config: LossConfig, pictures: Pictures, detector: Detector, processes: Processes) -> DetectionLoss:
    weights = None
    if config.class_weights == "inverse_frequency":
        weights = inverse_class_weights(class_frequencies(pictures, detector.num_classes))
    return DetectionLoss(
        detector.anchors,
        detector.strides,
        detector.num_classes,
        box=config.box,
        objectness=config.objectness,
        classification=config.classification,
        balance=config.objectness_balance,
        ratio=config.anchor_ratio,
        box_iou=config.box_iou,
        label_smoothing=config.label_smoothing,
        class_weights=weights,
        mean_count=processes.mean,
        processes=processes.count,
    )
