"""Time by stage and pictures per second, of one model or of several in turn; needs no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightdet.arrays import FloatArray, Image

STAGES = ("preprocess", "network", "postprocess", "total")
ROUNDS = 5
MIN_BATCHES = 3
MAX_BATCHES = 50
"""Enough for a median: a slow model need not wait for thousands of runs of a fast one."""


@dataclass(frozen=True, eq=False)
class Latency:
    """Milliseconds of single pictures.

    Attributes:
        samples: by stage, one value per run; ``total`` is the time of the whole call, measured apart.
        boxes: detections in the picture (NMS works more, the more there are).
    """

    samples: dict[str, FloatArray]
    boxes: int

    def median(self) -> dict[str, float]:
        """The median of each stage."""
        return {stage: round(float(np.median(values)), 3) for stage, values in self.samples.items()}

    def p95(self) -> dict[str, float]:
        """The 95th percentile of each stage."""
        return {stage: round(float(np.percentile(values, 95)), 3) for stage, values in self.samples.items()}


def sample_picture(width: int = 1280, height: int = 960, seed: int = 0) -> Image:
    """Return a gray part with soft shading and grain: uint8 ``[height, width, 3]``, deterministic for a seed."""
    draw = np.random.default_rng(seed)
    shading = 110 + 40 * np.sin(np.linspace(0, 3, width))[None, :] * np.cos(np.linspace(0, 2, height))[:, None]
    grained = shading[..., None] + draw.normal(0, 6, (height, width, 1))
    return np.broadcast_to(np.clip(grained, 0, 255).astype(np.uint8), (height, width, 3)).copy()


def measure_latency(predictors: Sequence[Any], picture: Image, *, runs: int = 50, warmup: int = 5) -> list[Latency]:
    """Time `runs` single calls of each predictor, of either task, after `warmup` calls that do not count.

    Several are measured in turn (A B A B …, in blocks), so that a machine that slows down or speeds up affects
    all of them equally; the first call of a block, with the caches full of the other model, does not count.
    """
    samples: list[dict[str, list[float]]] = [{stage: [] for stage in STAGES} for _ in predictors]
    for predictor in predictors:
        for _ in range(warmup):
            predictor(picture)
    rounds = min(ROUNDS, runs) if len(predictors) > 1 else 1
    for turn in range(rounds):
        count = runs * (turn + 1) // rounds - runs * turn // rounds
        for predictor, into in zip(predictors, samples, strict=True):
            if len(predictors) > 1:
                predictor(picture)
            for _ in range(count):
                start = time.perf_counter()
                found = predictor(picture)
                into["total"].append((time.perf_counter() - start) * 1e3)
                for stage in STAGES[:-1]:
                    into[stage].append(found.milliseconds.get(stage, 0.0))
    boxes = [len(getattr(predictor(picture), "boxes", ())) for predictor in predictors]
    return [
        Latency({stage: np.array(values, np.float32) for stage, values in of_one.items()}, count)
        for of_one, count in zip(samples, boxes, strict=True)
    ]


def measure_throughput(predictors: Sequence[Any], picture: Image, *, batch: int, seconds: float = 2.0) -> list[float]:
    """Return the pictures per second of each predictor, batch by batch, all stages included; the median of batches.

    Each gets at least `seconds` (or 50 batches) and three batches, in turn with the others, after one that does not
    count.
    """
    pictures = [picture] * batch
    times: list[list[float]] = [[] for _ in predictors]
    for predictor in predictors:
        predictor.batch(pictures)

    def wanting(taken: list[float]) -> bool:
        return len(taken) < MIN_BATCHES or (sum(taken) < seconds and len(taken) < MAX_BATCHES)

    while any(wanting(taken) for taken in times):
        for predictor, taken in zip(predictors, times, strict=True):
            start = time.perf_counter()
            predictor.batch(pictures)
            taken.append(time.perf_counter() - start)
    return [round(batch / float(np.median(taken)), 2) for taken in times]
