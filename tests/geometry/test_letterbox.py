"""The letterbox: the picture comes whole, in place and in proportion, and its map can be undone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lightdet.arrays import Image
from lightdet.geometry.letterbox import letterbox, plan_letterbox, rectangle_for, resize

SIDE = st.integers(1, 3000)
SMALL = st.integers(1, 90)
TARGET = st.integers(1, 12).map(lambda n: 32 * n)
SIZES = st.tuples(SIDE, SIDE)
TARGETS = st.tuples(TARGET, TARGET)


def noise(width: int, height: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(SIZES, TARGETS, st.booleans(), st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=5))
def test_apply_and_invert_undo_each_other(
    size: tuple[int, int], target: tuple[int, int], upscale: bool, shares: list[tuple[float, ...]]
) -> None:
    transform, _ = plan_letterbox(size, target, upscale=upscale)
    boxes = (np.array(shares, np.float32).reshape(-1, 4) * np.array([*size, *size])).astype(np.float32)
    moved = transform.apply(boxes)
    assert moved.dtype == np.float32
    # float32 at input coordinates up to `target`, divided by the scale
    tolerance = 1e-6 * max(target) / min(transform.scale_x, transform.scale_y) + 1e-3
    np.testing.assert_allclose(transform.invert(moved), boxes, atol=tolerance)


@given(SIZES, TARGETS, st.booleans())
def test_the_whole_picture_lands_on_the_scaled_area(
    size: tuple[int, int], target: tuple[int, int], upscale: bool
) -> None:
    transform, (width, height) = plan_letterbox(size, target, upscale=upscale)
    x1, y1, x2, y2 = transform.apply(np.array([[0, 0, *size]], np.float32))[0]
    np.testing.assert_allclose([x2 - x1, y2 - y1], [width, height], rtol=1e-5)
    assert x1 >= 0 and x2 <= target[0] + 1e-3 and y1 >= 0 and y2 <= target[1] + 1e-3
    # centred, at most one pixel aside, and filling one side unless it was not to grow
    assert abs((x1 + x2) - target[0]) <= 1 + 1e-3 and abs((y1 + y2) - target[1]) <= 1 + 1e-3
    if upscale or size[0] >= target[0] or size[1] >= target[1]:
        assert width == target[0] or height == target[1]
    else:
        assert (width, height) == size


@given(SIZES, TARGETS)
def test_proportions_are_kept(size: tuple[int, int], target: tuple[int, int]) -> None:
    _, (width, height) = plan_letterbox(size, target)
    ratio = min(target[0] / size[0], target[1] / size[1])
    assert abs(width - size[0] * ratio) <= 1 and abs(height - size[1] * ratio) <= 1


@given(SMALL, SMALL, TARGETS, st.integers(0, 255), st.booleans())
def test_size_padding_and_map_agree_with_the_pixels(
    width: int, height: int, target: tuple[int, int], pad: int, upscale: bool
) -> None:
    picture = np.full((height, width, 3), (pad + 128) % 256, np.uint8)
    padded, transform = letterbox(picture, target, pad_value=pad, upscale=upscale)
    assert padded.shape == (target[1], target[0], 3) and padded.dtype == np.uint8 and padded.flags.c_contiguous
    x1, y1, x2, y2 = (round(float(v)) for v in transform.apply(np.array([[0, 0, width, height]], np.float32))[0])
    inside = np.zeros(padded.shape[:2], bool)
    inside[y1:y2, x1:x2] = True
    assert (padded[inside] == (pad + 128) % 256).all()
    assert (padded[~inside] == pad).all()


@given(SMALL, SMALL, st.integers(0, 40), st.integers(0, 40))
def test_without_scaling_every_pixel_is_kept(width: int, height: int, more_x: int, more_y: int) -> None:
    picture = noise(width, height)
    padded, transform = letterbox(picture, (width + more_x, height + more_y), upscale=False)
    x, y = transform.offset_x, transform.offset_y
    np.testing.assert_array_equal(padded[y : y + height, x : x + width], picture)
    assert (transform.scale_x, transform.scale_y) == (1.0, 1.0)


@given(st.integers(8, 60), st.integers(8, 60), st.data())
def test_a_mark_is_found_where_its_box_says(width: int, height: int, data: st.DataObject) -> None:
    """A white block on black, enlarged: the light's centre of mass is the centre of the mapped box."""
    x = data.draw(st.integers(0, width - 4))
    y = data.draw(st.integers(0, height - 4))
    picture = np.zeros((height, width, 3), np.uint8)
    picture[y : y + 4, x : x + 4] = 255
    padded, transform = letterbox(picture, (256, 256), pad_value=0)
    x1, y1, x2, y2 = transform.apply(np.array([[x, y, x + 4, y + 4]], np.float32))[0]
    light = padded[..., 0].astype(np.float64)
    rows, columns = np.mgrid[0:256, 0:256] + 0.5  # pixel i covers [i, i + 1)
    assume(x > 1 and y > 1 and x + 6 < width and y + 6 < height)  # light spills symmetrically away from borders
    assert abs((light * columns).sum() / light.sum() - (x1 + x2) / 2) < 0.25
    assert abs((light * rows).sum() / light.sum() - (y1 + y2) / 2) < 0.25


@given(SIZES, TARGET)
def test_a_rectangle_holds_the_picture_and_little_more(size: tuple[int, int], imgsz: int) -> None:
    rectangle = rectangle_for(size, imgsz)
    ratio = imgsz / max(size)
    for side, held in zip(size, rectangle, strict=True):
        assert held % 32 == 0
        assert side * ratio - 0.5 <= held < max(33, side * ratio + 32.5)
    assert max(rectangle) == imgsz


@pytest.mark.parametrize(
    ("size", "rectangle"), [((1920, 1080), (640, 384)), ((1080, 1920), (384, 640)), ((5, 5000), (32, 640))]
)
def test_rectangles_by_hand(size: tuple[int, int], rectangle: tuple[int, int]) -> None:
    assert rectangle_for(size, 640) == rectangle


@given(SMALL, SMALL, SMALL, SMALL)
def test_resize_gives_the_size_and_keeps_the_brightness(width: int, height: int, to_x: int, to_y: int) -> None:
    flat = np.full((height, width, 3), 77, np.uint8)
    resized = resize(flat, (to_x, to_y))
    assert resized.shape == (to_y, to_x, 3) and (resized == 77).all()


def test_shrinking_averages() -> None:
    """No thin scratch may fall between the samples."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 33] = 255
    assert resize(picture, (8, 64))[:, 4].min() >= 255 // 8
