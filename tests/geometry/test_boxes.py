"""Box conversions undo each other and agree with arithmetic done by hand, on numpy arrays and on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lightdet.arrays import FloatArray
from lightdet.geometry.boxes import box_area, clip_boxes, cxcywh_to_xyxy, xyxy_to_cxcywh

SIDES = st.floats(0, 4096, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> FloatArray:
    corner = draw(hnp.arrays(np.float32, (draw(st.integers(0, 8)), 2), elements=SIDES))
    size = draw(hnp.arrays(np.float32, corner.shape, elements=SIDES))
    return np.concatenate([corner, corner + size], axis=1)


@given(boxes())
def test_there_and_back(corners: FloatArray) -> None:
    np.testing.assert_allclose(cxcywh_to_xyxy(xyxy_to_cxcywh(corners)), corners, atol=2e-3)
    np.testing.assert_allclose(xyxy_to_cxcywh(cxcywh_to_xyxy(corners)), corners, atol=2e-3)


@given(boxes())
def test_tensors_and_arrays_agree(corners: FloatArray) -> None:
    for convert in (xyxy_to_cxcywh, cxcywh_to_xyxy, box_area):
        of_array = convert(corners)
        of_tensor = convert(torch.from_numpy(corners.copy()))
        assert of_array.dtype == np.float32
        np.testing.assert_array_equal(of_tensor.numpy(), of_array)


@given(boxes())
def test_the_input_stays_as_it_was(corners: FloatArray) -> None:
    before = corners.copy()
    for convert in (xyxy_to_cxcywh, cxcywh_to_xyxy, lambda b: clip_boxes(b, 10, 10)):
        result = convert(corners)
        result[...] = -1
        np.testing.assert_array_equal(corners, before)


def test_by_hand() -> None:
    corners = np.array([[[10, 20, 30, 60]]], np.float32)  # any leading shape
    np.testing.assert_array_equal(xyxy_to_cxcywh(corners), [[[20, 40, 20, 40]]])
    np.testing.assert_array_equal(cxcywh_to_xyxy(np.array([[20, 40, 20, 40]], np.float32)), [[10, 20, 30, 60]])
    np.testing.assert_array_equal(box_area(corners), [[800]])


@given(boxes(), st.integers(1, 2000), st.integers(1, 2000))
def test_clipped_boxes_lie_in_the_picture(corners: FloatArray, width: int, height: int) -> None:
    clipped = clip_boxes(corners - 100, width, height)
    assert clipped.dtype == np.float32 and clipped.shape == corners.shape
    assert (clipped >= 0).all() and (clipped[:, 0::2] <= width).all() and (clipped[:, 1::2] <= height).all()
    assert (clipped[:, 2:] >= clipped[:, :2]).all()
    np.testing.assert_array_equal(clip_boxes(clipped, width, height), clipped)


@pytest.mark.parametrize("convert", [xyxy_to_cxcywh, cxcywh_to_xyxy])
def test_no_boxes(convert: object) -> None:
    assert convert(np.zeros((0, 4), np.float32)).shape == (0, 4)  # type: ignore[operator]
