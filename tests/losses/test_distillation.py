"""The distance from a teacher, against a loop over cells written from its definition."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightdet.losses import DistillationLoss, agree
from lightdet.losses.distillation import SEEN

STRIDES = (8, 16, 32)
ANCHORS = torch.tensor([[[10.0, 14.0], [20.0, 9.0]], [[30.0, 31.0], [50.0, 24.0]], [[64.0, 80.0], [100.0, 90.0]]])
GAINS = {"box": 0.07, "objectness": 0.9, "classification": 0.6}
BALANCE = (3.0, 1.0, 0.5)


def grids(seed: int, classes: int, bias: float = -2.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = [torch.randn(2, 2, 3 * f, 2 * f, 5 + classes, generator=generator) * 2 for f in (4, 2, 1)]
    for grid in found:
        grid[..., 4] += bias
    return found


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def entropy(logit: float, goal: float) -> float:
    p = sigmoid(logit)
    return -(goal * math.log(p) + (1 - goal) * math.log(1 - p))


def corners(raw: list[float], anchor: list[float], stride: int) -> list[float]:
    x, y, w, h = (sigmoid(value) for value in raw[:4])
    cx, cy, width, height = (
        2 * x - 0.5,
        2 * y - 0.5,
        (2 * w) ** 2 * anchor[0] / stride,
        (2 * h) ** 2 * anchor[1] / stride,
    )
    return [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2]


def giou(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return shared / union - (hull - union) / hull


def by_hand(student: list[Tensor], teacher: list[Tensor], classes: int) -> float:
    box = objectness = classification = 0.0
    for level, (mine, theirs) in enumerate(zip(student, teacher, strict=True)):
        pairs = list(zip(mine.reshape(-1, 5 + classes).tolist(), theirs.reshape(-1, 5 + classes).tolist(), strict=True))
        cells = mine.shape[2] * mine.shape[3]
        told = math.fsum(entropy(m[4], sigmoid(t[4])) for m, t in pairs)
        objectness += told / len(pairs) * BALANCE[level]
        seen = [(index // cells % 2, m, t) for index, (m, t) in enumerate(pairs) if sigmoid(t[4]) > SEEN]
        total = math.fsum(sigmoid(t[4]) for _, _, t in seen)
        for which, m, t in seen:
            anchor, weight = ANCHORS[level][which].tolist(), sigmoid(t[4]) / total
            box += weight * (1 - giou(corners(m, anchor, STRIDES[level]), corners(t, anchor, STRIDES[level])))
            if classes > 1:
                each = [entropy(a, sigmoid(b)) for a, b in zip(m[5:], t[5:], strict=True)]
                classification += weight * sum(each) / classes
    side = 8 * math.sqrt(student[0].shape[2] * student[0].shape[3]) / 640
    parts = (
        box * GAINS["box"],
        objectness * GAINS["objectness"] * side,
        classification * GAINS["classification"] * classes / 80,
    )
    return sum(parts) * len(student[0])


def loss(classes: int) -> DistillationLoss:
    return DistillationLoss(ANCHORS, STRIDES, classes, balance=BALANCE, **GAINS)


@given(seed=st.integers(0, 999), classes=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_it_is_the_sum_over_cells(seed: int, classes: int) -> None:
    student, teacher = grids(seed, classes), grids(seed + 1000, classes)
    found = loss(classes)(student, teacher)
    assert float(found.total) == pytest.approx(by_hand(student, teacher, classes), rel=1e-4)


def test_a_teacher_that_sees_nothing_teaches_background() -> None:
    student, teacher = grids(0, 3, bias=0.0), grids(1, 3, bias=-30.0)
    for grid in student:
        grid.requires_grad_()
    loss(3)(student, teacher).total.backward()
    for grid in student:
        assert grid.grad is not None
        assert (grid.grad[..., 4] >= 0).all()
        assert not grid.grad[..., :4].any()
        assert not grid.grad[..., 5:].any()


def test_following_the_gradient_makes_the_student_agree() -> None:
    student, teacher = [g.requires_grad_() for g in grids(2, 3)], grids(3, 3, bias=0.0)
    measure = loss(3)
    optimizer = torch.optim.Adam(student, lr=0.1)
    first = float(measure(student, teacher).total.detach())
    for _ in range(400):
        optimizer.zero_grad()
        measure(student, teacher).total.backward()
        optimizer.step()
    least = float(measure(teacher, teacher).total)
    assert float(measure(student, teacher).total.detach()) - least < 0.2 * (first - least)


def test_processes_share_a_batch() -> None:
    """Two processes with a picture each take together the step of one with both."""
    student, teacher = grids(4, 2), grids(5, 2)
    whole = loss(2)(student, teacher).total
    sums: list[Tensor] = []

    def note(count: Tensor) -> Tensor:
        sums.append(count)
        return count

    halves = [([g[i : i + 1] for g in student], [g[i : i + 1] for g in teacher]) for i in range(2)]
    for half in halves:
        DistillationLoss(ANCHORS, STRIDES, 2, balance=BALANCE, mean_count=note, **GAINS)(*half)
    mean = (sums[0] + sums[1]) / 2
    shared = DistillationLoss(ANCHORS, STRIDES, 2, balance=BALANCE, mean_count=lambda _: mean, processes=2, **GAINS)
    assert float(sum(shared(*half).total for half in halves) / 2) == pytest.approx(float(whole), rel=1e-4)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 3))
def test_several_teachers_are_averaged_by_what_they_see(seed: int, teachers: int, classes: int) -> None:
    """Against a loop over cells: the mean of objectness, the rest weighted by it."""
    answers = [grids(seed + number, classes) for number in range(teachers)]
    for level, joined in enumerate(agree(answers)):
        own = [each[level] for each in answers]
        for place in [(0, 0, 0, 0), (1, 1, 2, 1), (0, 1, 1, 0)]:
            cells = [[sigmoid(value) for value in grid[place].tolist()] for grid in own]
            total = sum(cell[4] for cell in cells)
            wanted = [sum(cell[4] * cell[k] for cell in cells) / total for k in range(5 + classes)]
            wanted[4] = total / teachers
            assert [sigmoid(value) for value in joined[place].tolist()] == pytest.approx(wanted, rel=1e-3, abs=1e-5)


def test_who_sees_nothing_has_no_say_in_what_it_is() -> None:
    sees, sees_nothing = torch.zeros(1, 1, 1, 1, 7), torch.full((1, 1, 1, 1, 7), 3.0)
    sees[..., 4], sees_nothing[..., 4] = 6.0, -30.0
    (joined,) = agree([[sees], [sees_nothing]])
    assert joined[0, 0, 0, 0, 4].sigmoid().item() == pytest.approx(sigmoid(6.0) / 2, rel=1e-4)
    assert joined[0, 0, 0, 0, [0, 1, 2, 3, 5, 6]].tolist() == pytest.approx([0.0] * 6, abs=1e-4)
