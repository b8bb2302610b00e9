"""A score reaches a threshold as it is reported, to four decimals: so says every door, or a part is OK at one and NG
at another."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from color_network import ColorRuntime, paint
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil
from small_detector import save_small_detector

import lightdet
from lightdet.decisions import DecisionRule
from lightdet.decisions.zones import Zone, Zones
from lightdet.inference.predictor import Predictor
from lightdet.inference.runtime import RawDetections
from lightdet.inference.tiled import TiledPredictor
from lightdet.inference.zoned import ZonedPredictor, in_zones
from lightdet.line.judge import Judge
from lightdet.line.messages import Item
from lightdet.models.weights import load_model, save_model
from lightdet.runs.archive.judging import Job, judge
from lightdet.runs.archive.judging import load_model as archive_model
from lightdet.service.loading import load_model as service_loader
from lightdet.service.loading import load_with_rule
from lightdet.service.model_settings import ModelSettings
from lightdet.structures.scores import raw_floor, reaches, reported

SIDE = 64
EVERYWHERE = Zones((Zone("all", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))),))
around_a_step = st.tuples(st.integers(1, 10_000), st.floats(-0.6, 0.6)).map(
    lambda drawn: (min(1.0, (drawn[0] + drawn[1]) / 1e4), drawn[0] / 1e4)
)
pairs = around_a_step | st.tuples(st.floats(0, 1), st.floats(0, 1))
"""A score and a threshold."""


class Sees(ColorRuntime):
    """Gives every patch one score, and as a network's post-processing does, nothing below its own lowest score."""

    kind, precision, iou, agnostic, max_detections = "torch", "fp32", 0.5, False, 100

    def __init__(self, score: float, confidence: float) -> None:
        super().__init__()
        self.score, self.confidence = np.float32(score), confidence

    def __call__(self, batch: np.ndarray) -> list[RawDetections]:
        found = [(boxes, np.full(len(boxes), self.score), labels) for boxes, _, labels in super().__call__(batch)]
        kept = [scores >= raw_floor(self.confidence) for _, scores, _ in found]
        return [(b[k], s[k], labels[k]) for (b, s, labels), k in zip(found, kept, strict=True)]


@given(pairs)
def test_what_is_reported_reaches_what_it_says(pair: tuple[float, float]) -> None:
    score, threshold = float(np.float32(pair[0])), pair[1]
    reached = reported(score) >= threshold
    assert reported(score) == round(score, 4)
    assert bool(reaches(np.array([score], np.float32), threshold)[0]) == reached
    if reached:  # a network that gives scores in float32 loses none of these
        assert np.float32(score) >= np.float32(raw_floor(threshold))


PICTURE = paint(96, 96, ("red", 20, 20, 50, 40))


@given(pairs)
def test_each_predictor_decides_by_the_score_as_reported(pair: tuple[float, float]) -> None:
    score, threshold = pair
    rule = DecisionRule(threshold)
    everything = Predictor(Sees(score, 0.0), confidence=0.0)
    wanted = rule.decide(everything(PICTURE)).verdict
    at = Predictor(Sees(score, threshold), confidence=threshold)
    own = Zones((replace(EVERYWHERE.zones[0], threshold=threshold),))
    doors = {
        "predictor": at,
        "tiles": TiledPredictor(at, tile=64),
        "zones": ZonedPredictor(at, EVERYWHERE),
        "zones with a lower one beneath": ZonedPredictor(everything, EVERYWHERE, confidence=threshold),
        "zones with a threshold of their own": ZonedPredictor(at, own, confidence=1.0),
    }
    for door, predictor in doors.items():
        found = predictor(PICTURE)
        assert rule.decide(found).verdict == wanted, door
        assert bool(len(found)) == (wanted == "NG"), door
    assert bool(len(in_zones(everything(PICTURE), EVERYWHERE, at.names, threshold))) == (wanted == "NG")


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Pil.fromarray(picture).save(file, "PNG")
    return file.getvalue()


Case = tuple[Path, np.ndarray, float]
"""A calibrated detector, a picture whose best score is a little below its threshold, and the threshold."""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[np.ndarray, float]]]:
    """An untrained detector's file, and pictures with the best score in each."""
    path = tmp_path_factory.mktemp("detector") / "model.safetensors"
    save_small_detector(path, ("dent", "scratch"), bias=-10.5)
    model = lightdet.load(path, confidence=0.001, threads=1)
    draw = np.random.default_rng(5)
    seen = [draw.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(200)]
    return path, [(each, float(found.scores[0])) for each in seen if len(found := model(each))]


@pytest.fixture(scope="module", params=[(0.002, 0.1), (0.1, 0.25)], ids=["below serve's usual", "below detect's usual"])
def case(request: pytest.FixtureRequest, detector: Any, tmp_path_factory: pytest.TempPathFactory) -> Case:
    path, best = detector
    low, high = request.param
    picture, score = next(p for p in best if low < p[1] < high and reported(p[1]) > p[1])
    file = calibrated(path, reported(score), tmp_path_factory.mktemp("calibrated") / "model.safetensors")
    return file, picture, reported(score)


def calibrated(path: Path, threshold: float, target: Path, **rule: Any) -> Path:
    weights, card = load_model(path)
    conditions = lightdet.load(path, confidence=0.001, threads=1).conditions
    decision = {
        "rule": DecisionRule(threshold, **rule).as_dict(),
        "promise": {"rate": "escape_rate", "target": 0.02, "confidence": 0.95},
        "per_class": False,
        "conditions": conditions.as_dict(),
    }
    save_model(target, weights, replace(card, decision=decision))
    return target


def loaded(path: Path, picture: np.ndarray, **options: Any) -> str:
    return str(lightdet.load(path, threads=1, **options)(picture).decision.verdict)


def served(path: Path, picture: np.ndarray, **options: Any) -> str:
    predictor, rule, _ = load_with_rule(ModelSettings(path, threads=1, **options), service_loader)
    return str(rule.decide(predictor(picture)).verdict)


def archived(path: Path, picture: np.ndarray) -> str:
    (row,) = judge([archive_model(path, threads=1)], [Job("a.png", png(picture))])
    return str(row["decision"])


def on_a_line(path: Path, picture: np.ndarray) -> str:
    (answer,) = Judge(lightdet.load(path, threads=1)).judge([Item("a.png", png(picture))])
    return answer.verdict


DOORS: dict[str, Callable[[Path, np.ndarray], str]] = {
    "as at the calibration": lambda path, picture: loaded(path, picture, confidence=0.001),
    "load": loaded,
    "tiles": lambda path, picture: loaded(path, picture, tile=SIDE, no_promise=True),
    "zones": lambda path, picture: loaded(path, picture, zones=EVERYWHERE, no_promise=True),
    "serve": served,
    "archive": archived,
    "line": on_a_line,
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_gives_the_verdict_of_the_calibration(case: Case, door: str) -> None:
    file, picture, _ = case
    assert DOORS[door](file, picture) == "NG"


def test_a_lowest_score_that_is_asked_for_is_reached_likewise(case: Case) -> None:
    file, picture, threshold = case
    assert loaded(file, picture, confidence=threshold) == "NG"
    assert served(file, picture, confidence=threshold) == "NG"
    assert served(file, picture, threshold=threshold, confidence=threshold) == "NG"


def test_a_smallest_size_does_not_change_that(detector: Any, case: Case, tmp_path: Path) -> None:
    _, picture, threshold = case
    file = calibrated(detector[0], threshold, tmp_path / "model.safetensors", min_size=0.5)
    assert loaded(file, picture) == served(file, picture) == "NG"


def test_the_conditions_name_the_lowest_score_that_was_asked_for(case: Case) -> None:
    file, _, threshold = case
    model = lightdet.load(file, threads=1)
    assert model.confidence == model.conditions.confidence == threshold
