"""IoU, GIoU and CIoU against scalar formulas, and against pixels counted on a grid."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightdet.geometry.iou import complete_iou, generalized_iou, iou

Box = tuple[float, float, float, float]
Overlap = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

sides = st.floats(0.125, 50)
places = st.floats(-100, 100)
boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), places, places, sides, sides)
whole = st.integers(0, 11)
whole_sides = st.integers(1, 8)
whole_boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), whole, whole, whole_sides, whole_sides)


def scalar_iou(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = width * height if width > 0 and height > 0 else 0.0
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def scalar_giou(a: Box, b: Box) -> float:
    """Rezatofighi 2019, algorithm 1: IoU - |C without (A or B)| / |C|."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = width * height if width > 0 and height > 0 else 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return shared / union - (hull - union) / hull


def scalar_ciou(a: Box, b: Box) -> float:
    """Zheng 2020, eqs. 7-11: IoU - rho^2 / c^2 - alpha v."""
    overlap = scalar_iou(a, b)
    rho2 = ((a[0] + a[2]) / 2 - (b[0] + b[2]) / 2) ** 2 + ((a[1] + a[3]) / 2 - (b[1] + b[3]) / 2) ** 2
    c2 = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    v = 4 / math.pi**2 * (math.atan((a[2] - a[0]) / (a[3] - a[1])) - math.atan((b[2] - b[0]) / (b[3] - b[1]))) ** 2
    alpha = v / ((1 - overlap) + v) if v > 0 else 0.0
    return overlap - rho2 / c2 - alpha * v


def doubles(*rows: Box) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@given(boxes, boxes)
def test_the_scalar_formulas(a: Box, b: Box) -> None:
    one, other = doubles(a), doubles(b)
    assert iou(one, other).item() == pytest.approx(scalar_iou(a, b), abs=1e-4)
    giou, ratio = generalized_iou(one, other)
    assert giou.item() == pytest.approx(scalar_giou(a, b), abs=1e-4)
    assert ratio.item() == pytest.approx(scalar_iou(a, b), abs=1e-4)
    ciou, ratio = complete_iou(one, other)
    assert ciou.item() == pytest.approx(scalar_ciou(a, b), abs=1e-4)
    assert ratio.item() == pytest.approx(scalar_iou(a, b), abs=1e-4)


@given(whole_boxes, whole_boxes)
@settings(max_examples=60)
def test_counted_pixels(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    in_a = {(x, y) for x in range(a[0], a[2]) for y in range(a[1], a[3])}
    in_b = {(x, y) for x in range(b[0], b[2]) for y in range(b[1], b[3])}
    either = in_a | in_b
    across = {x for x, _ in either}
    down = {y for _, y in either}
    hull = (max(across) + 1 - min(across)) * (max(down) + 1 - min(down))
    expected = len(in_a & in_b) / len(either)
    one, other = torch.tensor([a], dtype=torch.float32), torch.tensor([b], dtype=torch.float32)
    assert iou(one, other).item() == pytest.approx(expected, abs=1e-5)
    assert generalized_iou(one, other)[0].item() == pytest.approx(expected - (hull - len(either)) / hull, abs=1e-5)


@given(boxes, boxes)
def test_symmetric_and_in_range(a: Box, b: Box) -> None:
    one, other = torch.tensor([a]), torch.tensor([b])
    assert -1e-6 <= iou(one, other).item() <= 1 + 1e-4
    torch.testing.assert_close(iou(one, other), iou(other, one))
    overlap: Overlap
    for overlap in (generalized_iou, complete_iou):
        torch.testing.assert_close(overlap(one, other), overlap(other, one))
        assert overlap(one, other)[0].item() <= overlap(one, other)[1].item() + 1e-4
    assert -1 - 1e-6 <= generalized_iou(one, other)[0].item() <= 1 + 1e-4


@given(boxes)
def test_a_box_with_itself(a: Box) -> None:
    same = doubles(a)
    for value in (iou(same, same), generalized_iou(same, same)[0], complete_iou(same, same)[0]):
        assert value.item() == pytest.approx(1, abs=1e-4)


def test_far_apart_boxes_come_close_to_minus_one() -> None:
    assert generalized_iou(doubles((0, 0, 1, 1)), doubles((9999, 9999, 10000, 10000)))[0].item() < -0.999


def test_pairs_match_by_place_and_broadcast() -> None:
    a = doubles((0, 0, 2, 2), (5, 5, 9, 9))
    b = doubles((1, 1, 3, 3), (5, 5, 9, 9))
    assert iou(a, b).tolist() == pytest.approx([1 / 7, 1.0], abs=1e-6)
    table = iou(a[:, None], b[None])
    assert table.shape == (2, 2)
    assert table[0].tolist() == pytest.approx([1 / 7, 0], abs=1e-6)


DEGENERATE = [
    ((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)),  # one point twice
    ((1.0, 1.0, 1.0, 1.0), (5.0, 5.0, 5.0, 5.0)),  # two points
    ((0.0, 0.0, 4.0, 0.0), (0.0, 0.0, 4.0, 0.0)),  # no height
    ((0.0, 0.0, 0.0, 4.0), (2.0, 0.0, 2.0, 4.0)),  # no width
    ((0.0, 0.0, 4.0, 4.0), (2.0, 2.0, 2.0, 2.0)),  # a point inside
    ((0.0, 0.0, 4.0, 4.0), (0.0, 0.0, 4.0, 4.0)),  # equal
    ((0.0, 0.0, 4.0, 4.0), (4.0, 0.0, 8.0, 4.0)),  # sharing a side
    ((0.0, 0.0, 4.0, 4.0), (4.0, 4.0, 8.0, 8.0)),  # sharing a corner
    ((0.0, 0.0, 4.0, 4.0), (500.0, 500.0, 600.0, 600.0)),  # far apart
    ((0.0, 0.0, 8.0, 8.0), (2.0, 2.0, 4.0, 4.0)),  # one within the other
]


@pytest.mark.parametrize("overlap", [generalized_iou, complete_iou])
@pytest.mark.parametrize(("a", "b"), DEGENERATE)
def test_values_and_gradients_are_finite(overlap: Overlap, a: Box, b: Box) -> None:
    one, other = torch.tensor([a], requires_grad=True), torch.tensor([b], requires_grad=True)
    value, ratio = overlap(one, other)
    (1 - value).sum().backward()
    assert torch.isfinite(value).all()
    assert 0 <= ratio.item() <= 1 + 1e-6
    for box in (one, other):
        assert box.grad is not None
        assert torch.isfinite(box.grad).all()


def test_disjoint_boxes_are_drawn_together() -> None:
    box, goal = torch.tensor([[0.0, 0.0, 2.0, 2.0]], requires_grad=True), torch.tensor([[6.0, 0.0, 8.0, 2.0]])
    generalized_iou(box, goal)[0].sum().backward()
    assert box.grad is not None
    assert box.grad[0, 2] > 0  # growing towards the goal raises GIoU, where IoU alone has no slope
    still = torch.tensor([[0.0, 0.0, 2.0, 2.0]], requires_grad=True)
    iou(still, goal).sum().backward()
    assert still.grad is not None
    assert not still.grad.any()


def test_giou_gradient_is_that_of_its_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(6, 2, generator=generator, dtype=torch.float64) * 10
    a = torch.cat((corners, corners + 1 + 5 * torch.rand(6, 2, generator=generator, dtype=torch.float64)), dim=1)
    b = a + torch.randn(6, 4, generator=generator, dtype=torch.float64) * 0.4
    assert torch.autograd.gradcheck(lambda one: generalized_iou(one, b)[0], a.requires_grad_())


def test_ciou_gradient_takes_the_trade_off_for_a_constant() -> None:
    a, b = (0.0, 0.0, 4.0, 2.0), (1.0, 0.5, 4.5, 4.0)
    v = 4 / math.pi**2 * (math.atan(4 / 2) - math.atan(3.5 / 3.5)) ** 2
    alpha = v / (1 - scalar_iou(a, b) + v)

    def with_constant(box: Box) -> float:
        own = math.atan((box[2] - box[0]) / (box[3] - box[1]))
        aspect = 4 / math.pi**2 * (own - math.atan(1.0)) ** 2
        overlap = scalar_iou(box, b)
        plain = scalar_ciou(box, b) + aspect**2 / (1 - overlap + aspect)  # without its alpha v
        return plain - alpha * aspect

    box = torch.tensor([a], dtype=torch.float64, requires_grad=True)
    complete_iou(box, doubles(b))[0].sum().backward()
    assert box.grad is not None
    for place in range(4):
        more, less = list(a), list(a)
        more[place] += 1e-6
        less[place] -= 1e-6
        slope = (with_constant(tuple(more)) - with_constant(tuple(less))) / 2e-6
        assert box.grad[0, place].item() == pytest.approx(slope, abs=1e-5)
