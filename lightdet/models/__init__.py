"""The networks, their weights on disk, and the way from raw grids to detections."""

from lightdet.models.detector import AnchorFreeDetector, DetectionNetwork, Detector

__all__ = ["AnchorFreeDetector", "DetectionNetwork", "Detector"]
