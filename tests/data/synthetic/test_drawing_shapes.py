"""The pieces that pictures are made of: windows, outlines, layers, camera."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.data.synthetic.camera import draw_camera
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import (
    Pose,
    blob,
    circle,
    rectangle,
    resampled,
    ribbon,
    rounded_rectangle,
)
from lightdet.data.synthetic.scene import outward_normals


def some_layers(size: int = 40) -> Layers:
    rng = np.random.default_rng(0)
    planes = rng.uniform(0.2, 0.8, (2, 3, size, size)).astype(np.float32)
    maps = rng.uniform(0, 1, (2, size, size)).astype(np.float32)
    return Layers(Window.whole(size), planes[0], planes[1], maps[0], maps[1])


@given(st.floats(6, 34), st.floats(6, 34), st.floats(1.5, 6))
def test_shapes_have_the_area_of_their_formula(x: float, y: float, radius: float) -> None:
    window = Window.whole(40)
    center = np.array([x, y])
    assert window.disc(center, radius).sum() == pytest.approx(math.pi * radius**2, rel=0.06)
    # OpenCV's anti-aliased rim of a filled polygon is off by up to a pixel; boxes come from the pixels drawn.
    area = float(window.polygon(circle(center, radius)).sum())
    assert math.pi * (radius - 0.5) ** 2 <= area <= math.pi * (radius + 1) ** 2


@given(st.floats(8, 30), st.floats(8, 30))
def test_shapes_are_centred_where_they_were_put(x: float, y: float) -> None:
    window = Window(2, 1, 39, 40)
    center = np.array([x, y])
    columns, rows = window.coordinates()
    shapes = ((window.disc(center, 4), 0.1), (window.ring(center, 2, 4), 0.1), (window.polygon(circle(center, 4)), 0.4))
    for alpha, tolerance in shapes:
        mass = alpha.sum()
        assert (alpha * columns).sum() / mass == pytest.approx(x, abs=tolerance)
        assert (alpha * rows).sum() / mass == pytest.approx(y, abs=tolerance)


def test_a_window_shows_the_same_as_the_whole() -> None:
    outline = blob(np.random.default_rng(1), np.array([20.0, 18.0]), 9)
    part = Window(8, 5, 33, 31)
    rows, columns = part.within(Window.whole(40))
    assert np.array_equal(part.polygon(outline), Window.whole(40).polygon(outline)[rows, columns])


def test_window_around_points_outside_is_none() -> None:
    assert Window.around(np.array([[-9.0, 4.0], [-5.0, 6.0]]), 2, 40) is None
    assert Window.around(np.array([[-9.0, 4.0], [5.0, 6.0]]), 2, 40) == Window(0, 2, 7, 8)


@given(st.floats(-4, 4), st.floats(0.5, 20), st.floats(-3, 3), st.floats(-3, 3))
def test_pose_keeps_lengths_and_angles(angle: float, unit: float, x: float, y: float) -> None:
    pose = Pose(np.array([5.0, 7.0]), angle, unit)
    moved = pose.at(x, y)
    assert math.hypot(*(moved - pose.center)) == pytest.approx(unit * math.hypot(x, y), abs=1e-9)
    assert np.allclose(pose.at(1, 0) - pose.center, unit * pose.axis)


@pytest.mark.parametrize("outline", [rectangle(2, 3, 9, 8), circle(np.array([5.0, 5.0]), 3)[::-1]])
def test_normals_point_outwards_in_either_order(outline: np.ndarray) -> None:
    for points in (outline, outline[::-1]):
        dense = resampled(points, 0.5)
        normals = outward_normals(dense)
        middle = dense.mean(axis=0)
        assert (((dense - middle) * normals).sum(axis=1) > 0).all()
        assert np.allclose(np.hypot(normals[:, 0], normals[:, 1]), 1)


def test_rounded_rectangle_stays_within_its_sides() -> None:
    points = rounded_rectangle(8, 5, 1)
    assert np.allclose(points.max(axis=0), [4, 2.5])
    assert np.allclose(points.min(axis=0), [-4, -2.5])


def test_ribbon_is_as_wide_as_asked() -> None:
    path = np.stack([np.linspace(0, 10, 5), np.zeros(5)], axis=1)
    outline = ribbon(path, np.full(5, 3.0))
    assert outline[:, 1].max() == pytest.approx(1.5)
    assert outline[:, 1].min() == pytest.approx(-1.5)


def test_a_view_shares_and_a_copy_does_not() -> None:
    layers = some_layers()
    window = Window(4, 6, 20, 22)
    before = layers.material.copy()
    patch = layers.view(window).copy()
    patch.paint(np.ones(window.shape, np.float32), np.array([1.0, 0.0, 0.5]))
    patch.carve(np.ones(window.shape, np.float32))
    assert np.array_equal(layers.material, before)
    layers.take(patch)
    assert np.allclose(layers.material[:, 6:22, 4:20], np.array([1.0, 0.0, 0.5])[:, None, None])
    assert (layers.coverage[6:22, 4:20] == 0).all()
    changed = (layers.material != before).any(axis=0)
    changed[6:22, 4:20] = False
    assert not changed.any()


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_drawing_touches_only_where_alpha_is_not_zero(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = some_layers()
    alpha = layers.window.disc(rng.uniform(0, 40, 2), rng.uniform(0.5, 9))
    reference = some_layers()
    layers.tint(alpha, 0.3)
    layers.paint(alpha, rng.uniform(0, 1, (3, 40, 40)).astype(np.float32))
    layers.emboss(alpha, 2.0)
    layers.carve(alpha)
    outside = alpha == 0
    assert np.array_equal(layers.material[:, outside], reference.material[:, outside])
    assert np.array_equal(layers.relief[outside], reference.relief[outside])
    assert np.array_equal(layers.coverage[outside], reference.coverage[outside])


def test_restoring_goes_back_exactly() -> None:
    layers, below = some_layers(), some_layers()
    alpha = np.ones((40, 40), np.float32)
    layers.paint(alpha, np.array([0.1, 0.2, 0.3]))
    layers.emboss(alpha, 3.0)
    layers.restore(alpha, below)
    assert np.allclose(layers.material, below.material, atol=1e-6)
    assert np.allclose(layers.relief, below.relief, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_window_is_developed_like_the_whole_picture(seed: int) -> None:
    layers = some_layers(64)
    camera = draw_camera(np.random.default_rng(seed), 64)
    whole = camera.develop(layers, layers.window)
    window = Window(20, 15, 50, 44)
    part = camera.develop(layers.view(window.grown(camera.reach, layers.window)), window)
    rows, columns = window.within(layers.window)
    # Vector units may round the last bit of a float differently at another alignment: one level at most.
    assert np.abs(part.astype(int) - whole[rows, columns]).max() <= 1
