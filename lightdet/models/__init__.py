"""The networks, their weights on disk, and the way from raw grids to detections."""

from lightdet.models.detector import Detector

__all__ = ["Detector"]
