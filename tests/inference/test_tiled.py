"""Large pictures: the same findings as by eye, whatever tile borders cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightdet.errors import UserError
from lightdet.inference.predictor import Predictor
from lightdet.inference.tiled import TiledPredictor
from lightdet.structures import Preprocessing


def test_every_patch_is_found_once(make_runtime: Callable[..., Any], painted: Callable[..., np.ndarray]) -> None:
    patches = [
        ("red", 10, 10, 30, 40),
        ("red", 70, 70, 100, 100),  # across the corner of four tiles
        ("green", 150, 20, 420, 50),  # longer than two tiles
        ("blue", 300, 200, 310, 204),
        ("green", 20, 150, 260, 330),  # larger than a tile on both sides
    ]
    image = painted(450, 350, *patches)
    found = TiledPredictor(Predictor(make_runtime()), tile=96, overlap=0.2, batch=7)(image)
    got = sorted((found.names[label], *np.round(box).astype(int).tolist()) for box, _, label in found)
    assert got == sorted(patches)


def test_tiles_of_another_size_are_scaled_and_mapped_back(
    make_runtime: Callable[..., Any], painted: Callable[..., np.ndarray]
) -> None:
    image = painted(500, 300, ("red", 180, 100, 221, 160), ground=0)
    found = TiledPredictor(Predictor(make_runtime(64)), tile=128, overlap=0.4)(image)
    assert len(found) == 1
    assert np.abs(found.boxes[0] - [180, 100, 221, 160]).max() <= 0.5


def test_a_picture_within_one_tile_gives_what_the_predictor_gives(
    make_runtime: Callable[..., Any], painted: Callable[..., np.ndarray]
) -> None:
    image = painted(80, 50, ("red", 10, 10, 30, 40))
    predictor = Predictor(make_runtime())
    assert TiledPredictor(predictor, tile=200)(image).boxes.tolist() == predictor(image).boxes.tolist()


def test_batches_hold_as_many_tiles_as_asked(
    make_runtime: Callable[..., Any], painted: Callable[..., np.ndarray]
) -> None:
    runtime = make_runtime()
    found = TiledPredictor(Predictor(runtime), tile=96, overlap=0.0, batch=4)(painted(288, 192))
    assert [shape[0] for shape in runtime.shapes] == [4, 2]
    assert found.size == (288, 192) and len(found) == 0
    assert found.milliseconds["network"] == pytest.approx(12.0)  # 2 ms for each of 6 tiles


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"tile": 8}, "32"), ({"tile": 96, "overlap": 0.95}, "overlap"), ({"tile": 96, "batch": 0}, "batch")],
)
def test_bad_settings_are_told(runtime: Any, settings: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TiledPredictor(Predictor(runtime), **settings)


def test_too_many_tiles_are_refused_before_the_work(runtime: Any) -> None:
    with pytest.raises(UserError, match="larger tiles"):
        TiledPredictor(Predictor(runtime), tile=32, overlap=0.9)(np.zeros((1000, 1000, 3), np.uint8))


class TwoPieces:
    """Sees one object in two tiles, with a score for each piece."""

    kind, precision, iou, agnostic, max_detections, confidence = "torch", "fp32", 0.5, False, 100, 0.001
    names, preprocessing = ("red",), Preprocessing(64)

    def __init__(self, *scores: float) -> None:
        self.scores = scores
        self.milliseconds: dict[str, float] = {}

    def __call__(self, batch: np.ndarray) -> list[Any]:
        boxes = ([[40, 20, 64, 40]], [[0, 20, 40, 40]])
        return [
            (np.array(box, np.float32), np.array([score], np.float32), np.zeros(1, np.int64))
            for box, score in zip(boxes, self.scores, strict=True)
        ]


@given(st.floats(0.02, 1), st.floats(-1, 1), st.floats(-1, 1))
@example(0.1006, -0.8, 0.05)
def test_rounded_scores_move_no_joined_box(threshold: float, best: float, mate: float) -> None:
    """A score counts as it is reported, to four decimals: the best piece may be rounded up, and its mate down."""
    threshold = round(threshold, 4)
    high = threshold + 5e-5 * best
    runtime = TwoPieces(high, 0.25 * high + 1e-4 * mate)
    picture = np.zeros((64, 96, 3), np.uint8)
    found = []
    for share in (1.0, 0.5, 0.05):
        predictor = TiledPredictor(Predictor(runtime, confidence=share * threshold), tile=64, overlap=0.5)
        found.append(predictor(picture).above(threshold).as_dicts())
    assert found[0] == found[1] == found[2]
