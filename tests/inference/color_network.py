"""A network that finds coloured rectangles, so that everything around a network is tested without one."""

from __future__ import annotations

import cv2
import numpy as np

from lightdet.inference.runtime import RawDetections
from lightdet.structures import Preprocessing

NAMES = ("red", "green", "blue")
SCORES = (0.9, 0.8, 0.7)


class ColorRuntime:
    """Reports every patch that is redder (0), greener (1) or bluer (2) than gray, to a fraction of a pixel."""

    def __init__(self, imgsz: int = 96, *, pad_value: int = 114, bit_depth: int = 16) -> None:
        self.names = NAMES
        self.precision = "fp32"
        self.preprocessing = Preprocessing(imgsz, pad_value=pad_value, bit_depth=bit_depth)
        self.milliseconds = {"network": 0.0, "postprocess": 0.0}
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, batch: np.ndarray) -> list[RawDetections]:
        assert batch.dtype == np.uint8 and batch.ndim == 4 and batch.shape[3] == 3
        self.shapes.append(batch.shape)
        self.milliseconds = {"network": 2.0 * len(batch), "postprocess": 1.0 * len(batch)}
        return [self._find(image.astype(np.float64) / 255) for image in batch]

    def _find(self, image: np.ndarray) -> RawDetections:
        boxes, scores, labels = [], [], []
        for label in range(3):
            others = np.delete(image, label, axis=2).max(axis=2)
            strength = np.clip(image[..., label] - others, 0, 1)
            count, marks = cv2.connectedComponents((strength > 0.12).astype(np.uint8))
            for mark in range(1, count):
                patch = np.where(cv2.dilate((marks == mark).astype(np.uint8), np.ones((3, 3))) > 0, strength, 0)
                across, down = patch.max(axis=0), patch.max(axis=1)
                # Blur at an edge moves neither the sum nor the centre of gravity of a profile.
                width, height = across.sum(), down.sum()
                x = (across * (np.arange(len(across)) + 0.5)).sum() / width
                y = (down * (np.arange(len(down)) + 0.5)).sum() / height
                boxes.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
                scores.append(SCORES[label])
                labels.append(label)
        return (
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(scores, np.float32),
            np.array(labels, np.int64),
        )


def paint(width: int, height: int, *patches: tuple[str, int, int, int, int], ground: int = 60) -> np.ndarray:
    """A gray picture with patches ``(color name, x1, y1, x2, y2)`` in full color."""
    image = np.full((height, width, 3), ground, np.uint8)
    for name, x1, y1, x2, y2 in patches:
        color = [0, 0, 0]
        color[NAMES.index(name)] = 255
        image[y1:y2, x1:x2] = color
    return image
