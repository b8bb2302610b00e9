"""The networks, their weights on disk, and the step from raw grids to detections."""

from lightdet.models.detector import AnchorFreeDetector, DetectionNetwork, Detector

__all__ = ["AnchorFreeDetector", "DetectionNetwork", "Detector"]
