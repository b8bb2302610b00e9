"""A detector built by hand: what it looks at is known exactly, and is not where its boxes are."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightdet.explaining.detector import DetectorExplainer
from lightdet.models import Detector
from lightdet.structures import Preprocessing

SIDE = 128
SIZE = 40.0
"""Of every box."""


class Brightness(nn.Module):
    """Mean brightness of each cell, at strides 8, 16 and 32."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(nn.functional.avg_pool2d(images.mean(1, keepdim=True), stride) for stride in (8, 16, 32))


class LeftNeighbour(nn.Module):
    """Stride 16 alone finds something: where the cell two to the left is bright."""

    num_classes = 2

    def forward(self, features: tuple[Tensor, ...], shallow: object) -> tuple[Tensor, ...]:
        grids = []
        for number, brightness in enumerate(features):
            b, _, h, w = brightness.shape
            left = nn.functional.pad(brightness, (2, 0))[..., :-2] if number == 1 else 0 * brightness
            objectness = 20 * left - 10
            zero = torch.zeros_like(objectness)
            classes = [zero - 8, zero + 8]
            grids.append(torch.stack([zero, zero, zero, zero, objectness, *classes], dim=-1).view(b, 1, h, w, 7))
        return tuple(grids)


def explainer(method: str = "hires-cam", side: int = SIDE) -> DetectorExplainer:
    network = Detector(Brightness(), nn.Identity(), LeftNeighbour(), [[[SIZE, SIZE]]] * 3)
    preprocessing = Preprocessing(side, pad_value=0)  # a gray border would be bright to this network
    return DetectorExplainer(network, ("dent", "spot"), preprocessing, method=method)  # type: ignore[arg-type]


def picture_with_cell(column: int, row: int, scale: int = 1) -> np.ndarray:
    picture = np.zeros((SIDE * scale, SIDE * scale, 3), np.uint8)
    step = 16 * scale
    picture[row * step : (row + 1) * step, column * step : (column + 1) * step] = 255
    return picture


@pytest.mark.parametrize("scale", [1, 3])
def test_heat_lies_on_the_evidence_not_in_the_box(scale: int) -> None:
    look = explainer().look(picture_with_cell(2, 5, scale))
    assert len(look.detections) == 1
    box = look.detections.boxes[0]
    centre = (box[:2] + box[2:]) / 2 / scale
    np.testing.assert_allclose(centre, [4 * 16 + 8, 5 * 16 + 8], atol=1e-3)
    heat = look.box(0)
    cell = np.array([2, 5, 3, 6], np.float32) * 16 * scale
    around = cell + np.array([-8, -8, 8, 8], np.float32) * scale  # cells are drawn smoothly
    assert heat.share_in(around) == pytest.approx(1.0, abs=0.01)
    assert heat.share_in(cell) > 0.5  # type: ignore[operator]
    assert heat.peak is not None
    assert cell[0] <= heat.peak[0] < cell[2]
    assert cell[1] <= heat.peak[1] < cell[3]
    assert heat.share_in(box) < 0.1  # type: ignore[operator]


def test_each_box_has_its_own_evidence() -> None:
    picture = np.maximum(picture_with_cell(1, 1), picture_with_cell(4, 6) // 4 * 3)
    look = explainer().look(picture)
    assert len(look.detections) == 2
    tops = [look.box(number).peak for number in range(2)]
    assert [(x // 16, y // 16) for x, y in tops] == [(1, 1), (4, 6)]  # type: ignore[misc]
    both = look.category(1)
    assert both.values[24, 24] == pytest.approx(1, abs=0.1)
    assert both.values[6 * 16 + 8, 4 * 16 + 8] == pytest.approx(1, abs=0.1)


def test_grad_cam_cannot_tell_which_of_two_bright_cells_it_was() -> None:
    """Why it is not the default for boxes."""
    picture = np.maximum(picture_with_cell(1, 1), picture_with_cell(4, 6) // 4 * 3)
    heat = explainer("grad-cam").look(picture).box(1)  # the weaker one, at (4, 6)
    assert heat.peak is not None
    assert (heat.peak[0] // 16, heat.peak[1] // 16) == (1, 1)


def test_a_class_without_boxes_shows_what_comes_closest() -> None:
    picture = picture_with_cell(3, 3) // 3  # too dark for a box
    look = explainer().look(picture)
    assert len(look.detections) == 0
    heat = look.category(1)
    assert heat.peak is not None
    assert (heat.peak[0] // 16, heat.peak[1] // 16) == (3, 3)
    assert look.best_score(1) < 0.25


def test_a_long_picture_goes_through_the_letterbox_and_back() -> None:
    picture = np.zeros((60, 128, 3), np.uint8)
    picture[14:30, 48:64] = 255  # 34 rows of border above: the cell in column 3, row 3
    look = explainer().look(picture)
    heat = look.category(1)
    assert heat.values.shape == (60, 128)
    assert heat.peak is not None
    assert 48 <= heat.peak[0] < 64
    assert 14 <= heat.peak[1] < 30


def test_a_black_picture_has_no_heat() -> None:
    assert explainer().look(np.zeros((50, 50, 3), np.uint8)).category(1).is_empty
