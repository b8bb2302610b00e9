"""A judge for tests with a calibrated network that finds colours; its model file holds its decision, as JSON."""

from __future__ import annotations

import json
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from inference.color_network import ColorRuntime

from lightdet.assembly.zones import read_zones
from lightdet.drift.reference import Reference
from lightdet.drift.statistics import VERSION
from lightdet.inference.predictor import Predictor
from lightdet.inference.watching import look_at
from lightdet.inference.zoned import ZonedPredictor
from lightdet.line.child import as_child
from lightdet.line.judge import Judge, JudgeJob, answer_all


def judge(job: JudgeJob, pipe: Connection) -> None:
    """As `judge_pictures`, without a network."""
    as_child()
    decision = json.loads(job.file.read_text(encoding="utf-8"))
    predictor = Predictor(ColorRuntime(), confidence=0.1, decision=decision, no_promise=job.no_promise)
    zoned = predictor if job.zones is None else ZonedPredictor(predictor, read_zones(job.zones))
    answer_all(Judge(zoned), 2, pipe)


def picture(random: np.random.Generator, light: float) -> np.ndarray:
    """A gray part, uint8 ``[96, 128, 3]``."""
    levels = random.normal(light + random.normal(0, 4), 6, (96, 128, 1))
    return np.repeat(levels.clip(0, 255).astype(np.uint8), 3, axis=2)


def decision() -> dict[str, Any]:
    """What calibration writes, on 60 pictures of light 60."""
    random, predictor = np.random.default_rng(1), Predictor(ColorRuntime(), confidence=0.1)
    rule = predictor.usual_rule()
    pictures = [picture(random, 60.0) for _ in range(60)]
    reference = Reference.of([look_at(each, predictor(each), rule, ok=True).values for each in pictures], "passed")
    assert reference is not None
    return {
        "rule": rule.as_dict(),
        "promise": {"rate": "escape_rate", "target": 0.02, "confidence": 0.95},
        "conditions": predictor.conditions.as_dict(),
        "reference": {"version": VERSION, **reference.as_dict()},
    }


def put_parts(folder: Path, name: str, light: float, number: int, seed: int = 2) -> None:
    """Write so many pictures."""
    random = np.random.default_rng(seed)
    for place in range(number):
        hidden = folder / f".{name}{place:03d}.png"
        cv2.imwrite(str(hidden), picture(random, light))
        hidden.rename(folder / f"{name}{place:03d}.png")
