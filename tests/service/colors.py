"""A network for tests that finds coloured patches: what it finds is known from how the picture was painted."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil

from lightdet.errors import UserError
from lightdet.inference.predictor import Predictor
from lightdet.inference.zoned import ZonedPredictor
from lightdet.service.model_settings import ModelSettings
from lightdet.structures import Preprocessing

NAMES = ("red", "green", "=blue+")  # the last as a spreadsheet would like it


class ColorRuntime:
    """Reports every red (0), green (1) and blue (2) patch; the strength of the colour is its score."""

    def __init__(self, delay: float = 0.0) -> None:
        self.names = NAMES
        self.precision = "fp32"
        self.preprocessing = Preprocessing(256)
        self.milliseconds: dict[str, float] = {}
        self.delay = delay
        self.calls = 0

    def __call__(self, batch: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        began = time.perf_counter()
        time.sleep(self.delay)
        self.calls += 1
        found = [self._find(image.astype(int)) for image in batch]
        self.milliseconds = {"network": (time.perf_counter() - began) * 1e3, "postprocess": 0.0}
        return found

    def _find(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = []
        for label in range(3):
            strength = image[..., label] - np.delete(image, label, axis=2).max(axis=2)
            count, marks = cv2.connectedComponents((strength > 10).astype(np.uint8))
            for mark in range(1, count):
                y, x = np.nonzero(marks == mark)
                rows.append((strength[y, x].max() / 255, label, x.min(), y.min(), x.max() + 1, y.max() + 1))
        rows.sort(reverse=True)
        table = np.array(rows, np.float32).reshape(-1, 6)
        return table[:, 2:], table[:, 0], table[:, 1].astype(np.int64)


def load_colors(settings: ModelSettings) -> Predictor | ZonedPredictor:
    """A loader for services; ``COLORS_DELAY`` makes the network slow, ``COLORS_CRASH`` kills the process.

    A model file that says ``crash`` does so, too, and one that says ``broken`` is refused. ``COLORS_RECORD`` is a JSON
    file with the decision in the model's card.
    """
    content = settings.served.read_bytes()
    if os.environ.get("COLORS_CRASH") or b"crash" in content:
        os._exit(7)
    if b"broken" in content:
        raise UserError("is damaged", path=settings.model)
    runtime, kept = ColorRuntime(float(os.environ.get("COLORS_DELAY", "0"))), os.environ.get("COLORS_RECORD")
    return color_predictor(runtime, settings, json.loads(Path(kept).read_text(encoding="utf-8")) if kept else None)


def color_predictor(
    runtime: ColorRuntime, settings: ModelSettings, record: object = None
) -> Predictor | ZonedPredictor:
    """What `lightdet.load` would give."""
    predictor = Predictor(runtime, confidence=settings.confidence or 0.0, decision=record)
    return predictor if settings.zones is None else ZonedPredictor(predictor, settings.zones)


def paint(*patches: tuple[int, int, int, int, int, int], size: tuple[int, int] = (256, 192)) -> bytes:
    """A gray PNG with patches ``(label, strength 0-255, x1, y1, x2, y2)``."""
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    for label, strength, x1, y1, x2, y2 in patches:
        image[y1:y2, x1:x2] = 0
        image[y1:y2, x1:x2, label] = strength
    return encode(image)


def encode(image: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Pil.fromarray(image).save(stream, kind)
    return stream.getvalue()
