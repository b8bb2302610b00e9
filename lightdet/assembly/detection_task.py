"""A network with the loss that its configuration names, ready for the trainer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lightdet.assembly.class_balance import class_frequencies, inverse_class_weights
from lightdet.assembly.distillation import Teacher, build_distillation
from lightdet.compute import Computing
from lightdet.config import LossConfig, RunConfig, SimOTALossConfig
from lightdet.data.pictures import Pictures
from lightdet.losses import AnchorFreeLoss, DetectionLoss, SimOTA, TaskAligned
from lightdet.models import AnchorFreeDetector, DetectionNetwork, Detector
from lightdet.models.torchvision_detectors import BuiltInLossNetwork
from lightdet.training.built_in_loss_task import BuiltInLossTask
from lightdet.training.distributed import Processes
from lightdet.training.replicas import Member
from lightdet.training.task import DetectionTask, Task


def build_task(
    config: RunConfig,
    pictures: Pictures,
    network: DetectionNetwork,
    device: torch.device,
    processes: Processes | Member,
    computing: Computing,
    teachers: Sequence[Teacher] = (),
    *,
    aligned: bool = False,
) -> Task:
    """Return `network` with its loss, on its device; the data set's `pictures` give the class frequencies.

    With `teachers`, the network also learns from them. What `aligned` means: `LossConfig.assignment`.
    """
    settings: dict[str, Any] = {
        "precision": computing.precision,
        "confidence": config.eval.confidence,
        "iou": config.eval.iou,
        "max_detections": config.eval.max_detections,
    }
    if isinstance(network, BuiltInLossNetwork):
        return BuiltInLossTask(network, mean_count=processes.mean, processes=processes.count, **settings)
    if isinstance(network, Detector) and isinstance(config.loss, LossConfig):
        loss: Any = _anchor_loss(config.loss, pictures, network, processes, aligned)
        if teachers:
            return build_distillation(
                config, network, loss.to(device), teachers, device, processes, settings, computing
            )
    elif isinstance(network, AnchorFreeDetector) and isinstance(config.loss, SimOTALossConfig):
        loss = _anchor_free_loss(config.loss, pictures, network, processes)
    else:
        raise TypeError(f"no loss is known for a {type(network).__name__}")
    return DetectionTask(network, loss.to(device), **settings)


def _anchor_loss(
    config: LossConfig, pictures: Pictures, detector: Detector, processes: Processes | Member, aligned: bool
) -> DetectionLoss:
    return DetectionLoss(
        detector.anchors,
        detector.strides,
        detector.num_classes,
        box=config.box,
        objectness=config.objectness,
        classification=config.classification,
        balance=config.balance(detector.strides),
        ratio=config.anchor_ratio,
        box_iou=config.box_iou,
        label_smoothing=config.label_smoothing,
        class_weights=_class_weights(config.class_weights, pictures, detector.num_classes),
        alignment=TaskAligned() if aligned else None,
        mean_count=processes.mean,
        processes=processes.count,
    )


def _anchor_free_loss(
    config: SimOTALossConfig, pictures: Pictures, detector: AnchorFreeDetector, processes: Processes | Member
) -> AnchorFreeLoss:
    return AnchorFreeLoss(
        detector.strides,
        detector.num_classes,
        assignment=SimOTA(config.centre_radius, config.candidates, config.overlap_weight),
        box=config.box,
        objectness=config.objectness,
        classification=config.classification,
        box_iou=config.box_iou,
        class_weights=_class_weights(config.class_weights, pictures, detector.num_classes),
        mean_count=processes.mean,
        processes=processes.count,
    )


def _class_weights(kind: str, pictures: Pictures, num_classes: int) -> torch.Tensor | None:
    if kind == "none":
        return None
    return inverse_class_weights(class_frequencies(pictures, num_classes))
