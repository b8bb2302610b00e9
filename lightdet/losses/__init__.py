"""Assignment of boxes to anchors, and the losses; they get anchors and strides, never the model."""

from lightdet.losses.anchor_free_loss import AnchorFreeLoss
from lightdet.losses.assignment import GridMatches, assign_anchors, match_anchors
from lightdet.losses.detection_loss import DetectionLoss
from lightdet.losses.distillation import DistillationLoss, agree
from lightdet.losses.simota import CellMatches, SimOTA
from lightdet.losses.task_aligned import SMALL, TaskAligned

__all__ = [
    "SMALL",
    "AnchorFreeLoss",
    "CellMatches",
    "DetectionLoss",
    "DistillationLoss",
    "GridMatches",
    "SimOTA",
    "TaskAligned",
    "agree",
    "assign_anchors",
    "match_anchors",
]
