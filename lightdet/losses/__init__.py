"""Assignment of boxes to anchors and the losses; told anchors and strides, never the model."""

from lightdet.losses.assignment import GridMatches, assign_anchors, match_anchors
from lightdet.losses.detection_loss import DetectionLoss

__all__ = ["DetectionLoss", "GridMatches", "assign_anchors", "match_anchors"]
