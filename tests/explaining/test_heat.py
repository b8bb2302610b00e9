"""Heat in pixels of the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.explaining.heat import Heat, hottest, picture_heat
from lightdet.explaining.overlay import draw_heat, draw_overlay
from lightdet.geometry.letterbox import plan_letterbox


@given(st.integers(20, 900), st.integers(20, 900), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_the_hot_spot_returns_to_where_it_was_in_the_picture(width: int, height: int, x: float, y: float) -> None:
    side = 128
    transform, _ = plan_letterbox((width, height), (side, side))
    there = transform.apply(np.array([[x * width, y * height, x * width, y * height]], np.float32))[0]
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    density = np.exp(-((columns - there[0]) ** 2 + (rows - there[1]) ** 2) / 18).astype(np.float32)
    heat = picture_heat(density, transform, (width, height))
    assert heat.values.shape == (height, width)
    assert heat.values.max() == 1
    assert heat.peak is not None
    pixel = max(width, height) / side  # a pixel of the input, in pixels of the picture
    assert abs(heat.peak[0] + 0.5 - x * width) <= pixel + 1
    assert abs(heat.peak[1] + 0.5 - y * height) <= pixel + 1


def test_heat_on_the_border_is_left_out() -> None:
    transform, _ = plan_letterbox((100, 50), (64, 64))
    density = np.zeros((64, 64), np.float32)
    density[:10] = 9.0  # above the picture
    density[32, 5] = 1.0
    heat = picture_heat(density, transform, (100, 50))
    assert heat.peak is not None
    assert abs(heat.peak[1] - 25) <= 1
    assert abs(heat.peak[0] - 8) <= 1
    density[32, 5] = 0.0
    assert picture_heat(density, transform, (100, 50)).is_empty


def test_shares_count_parts_of_pixels() -> None:
    heat = Heat(np.array([[1.0, 0.0], [0.5, 0.5]], np.float32))
    assert heat.share_in(np.array([0, 0, 1, 1], np.float32)) == pytest.approx(0.5)
    assert heat.share_in(np.array([0, 0, 0.5, 1], np.float32)) == pytest.approx(0.25)
    assert heat.share_in(np.array([-3, -3, 9, 9], np.float32)) == pytest.approx(1)
    assert heat.area_share(np.array([0, 0, 2, 0.5], np.float32)) == pytest.approx(0.25)


def test_no_heat_is_told_as_such() -> None:
    empty = Heat(np.zeros((4, 4), np.float32))
    assert empty.is_empty
    assert empty.peak is None
    assert empty.share_in(np.array([0, 0, 2, 2], np.float32)) is None


def test_the_hotter_wins() -> None:
    one, two = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
    one[0, 0], two[1, 1] = 1, 0.5
    assert hottest([Heat(one), Heat(two)]).values.tolist() == [[1, 0], [0, 0.5]]


def test_cold_pixels_show_the_picture_and_hot_ones_do_not() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    values = np.zeros((60, 80), np.float32)
    values[20:40, 30:50] = 1
    drawn = draw_heat(picture, Heat(values))
    assert np.array_equal(drawn[values == 0], picture[values == 0])
    hot = drawn[30, 40].astype(int)
    assert hot[0] > hot[2] + 40  # red


@pytest.mark.parametrize("size", [(30, 20), (200, 200), (1500, 40), (40, 1500)])
def test_an_overlay_keeps_the_picture_whole(size: tuple[int, int]) -> None:
    width, height = size
    picture = np.full((height, width, 3), 90, np.uint8)
    drawn = draw_overlay(picture, Heat(np.zeros((height, width), np.float32)), "why 'scratch' 0.87, a long sentence")
    factor = drawn.shape[1] // width
    assert drawn.shape[1] == factor * width
    assert drawn.shape[0] > factor * height
    assert (drawn[: factor * height] == 90).all()
    assert drawn[factor * height :].max() > 150  # letters
