"""Heat of reported boxes: in the tile where each was found, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightdet.assembly.detector import build_detector
from lightdet.config import ModelConfig
from lightdet.explaining.answers import MOST_TOGETHER, DetectorAnswers
from lightdet.explaining.detector import DetectorExplainer
from lightdet.explaining.heat import hottest
from lightdet.explaining.reported import reported_heat
from lightdet.geometry.tiles import Tile
from lightdet.structures import Detections, Preprocessing

LEFT, RIGHT = Tile(0, 0, 64, 64), Tile(56, 0, 64, 64)


@pytest.fixture(scope="module")
def explainer() -> DetectorExplainer:
    """An untrained detector that reports something everywhere."""
    torch.manual_seed(0)
    network = build_detector(ModelConfig(widths=[8, 8, 16, 16, 16]), 2, 64)
    with torch.no_grad():
        for conv in network.head.outputs:  # type: ignore[union-attr]
            conv.bias.view(3, 7)[:, 4:] += 6
    return DetectorExplainer(network, ("dent", "scratch"), Preprocessing(64))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 120, 3), dtype=np.uint8)


def first(found: Detections, count: int) -> Detections:
    return found.only(np.arange(len(found)) < count)


def test_in_one_tile_it_is_the_heat_of_the_boxes(explainer: DetectorExplainer, picture: np.ndarray) -> None:
    look = explainer.look(picture)
    heat, explained = reported_heat(explainer, picture, first(look.detections, 3), [Tile(0, 0, 120, 64)])
    assert explained == 3
    np.testing.assert_array_equal(heat.values, hottest([look.box(number) for number in range(3)]).values)


def test_only_boxes_with_heat_are_shown(explainer: DetectorExplainer, picture: np.ndarray) -> None:
    found = explainer.look(picture).detections
    answer = DetectorAnswers(explainer).together(picture, found, [Tile(0, 0, 120, 64)])
    assert answer.detections is not None and len(answer.detections) == MOST_TOGETHER < len(found)
    assert answer.caption == f"evidence for the {MOST_TOGETHER} best boxes"


def test_a_box_has_its_heat_where_it_was_found(explainer: DetectorExplainer, picture: np.ndarray) -> None:
    crop = np.ascontiguousarray(picture[:, 56:])
    look = explainer.look(crop)
    number = int(np.flatnonzero(look.detections.boxes[:, 0] > 10)[0])  # it lies in the right tile alone
    shifted = look.detections.boxes[number : number + 1] + np.array([56, 0, 56, 0], np.float32)
    one = look.detections
    box = Detections(shifted, one.scores[[number]], one.labels[[number]], one.names, (120, 64))
    heat, explained = reported_heat(explainer, picture, box, [LEFT, RIGHT])
    assert explained == 1 and not heat.values[:, :56].any()
    np.testing.assert_array_equal(heat.values[:, 56:], look.box(number).values)


def test_a_box_that_the_network_does_not_report_has_no_heat(explainer: DetectorExplainer, picture: np.ndarray) -> None:
    other = Detections(
        np.array([[1, 1, 3, 2]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64), ("dent",), (120, 64)
    )
    heat, explained = reported_heat(explainer, picture, other, [LEFT, RIGHT])
    assert explained == 0 and heat.is_empty
