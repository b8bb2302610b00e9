"""The networks, their weights on disk, and the way from raw grids to detections."""

from lightdet.models.detector import DetectionNetwork, Detector

__all__ = ["DetectionNetwork", "Detector"]
