"""The whole loss (eqs. 8-11) as loops over single numbers, in double precision."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightdet.losses import DetectionLoss, TaskAligned

STRIDES = (8, 16, 32)
ANCHORS = [
    [[7.0, 9.0], [15.0, 11.0]],
    [[18.0, 25.0], [30.0, 21.0]],
    [[40.0, 30.0], [33.0, 60.0]],
]
WIDTH, HEIGHT = 64, 32

Corners = tuple[float, float, float, float]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def cross_entropy(logit: float, goal: float) -> float:
    """Eq. 9 for one number: -(goal log p + (1 - goal) log(1 - p))."""
    return -(goal * math.log(sigmoid(logit)) + (1 - goal) * math.log(sigmoid(-logit)))


def overlap(a: Corners, b: Corners) -> float:
    """Eq. 10."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def giou(a: Corners, b: Corners) -> float:
    """Eq. 11."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - max(width, 0.0) * max(height, 0.0)
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return overlap(a, b) - (hull - union) / hull


def ciou(a: Corners, b: Corners) -> float:
    """Zheng 2020."""
    rho2 = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
    c2 = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    v = 4 / math.pi**2 * (math.atan((a[2] - a[0]) / (a[3] - a[1])) - math.atan((b[2] - b[0]) / (b[3] - b[1]))) ** 2
    return overlap(a, b) - rho2 / c2 - (v * v / (1 - overlap(a, b) + v) if v else 0.0)


@dataclass
class Gains:
    box: float = 0.05
    objectness: float = 1.0
    classification: float = 0.5
    balance: Sequence[float] = (4.0, 1.0, 0.4)
    ratio: float = 4.0
    smoothing: float = 0.0
    class_weights: Sequence[float] | None = None
    box_iou: str = "giou"


@dataclass
class Reference:
    """`goals` are the objectness targets by (level, image, anchor, row, column): constants for the gradient."""

    box: float = 0.0
    objectness: float = 0.0
    classification: float = 0.0
    total: float = 0.0
    goals: dict[tuple[int, ...], float] = field(default_factory=dict)


def claims(x: float, y: float, rows: int, columns: int) -> list[tuple[int, int]]:
    """The cell of a centre (in cells) and the neighbours less than half a cell away."""
    row, column = min(int(y), rows - 1), min(int(x), columns - 1)
    found = [(row, column)]
    if x - column < 0.5 and column > 0:
        found.append((row, column - 1))
    if column + 1 - x < 0.5 and column + 1 < columns:
        found.append((row, column + 1))
    if y - row < 0.5 and row > 0:
        found.append((row - 1, column))
    if row + 1 - y < 0.5 and row + 1 < rows:
        found.append((row + 1, column))
    return found


def decode(values: Sequence[float], anchor: Sequence[float], row: int, column: int, stride: int) -> Corners:
    x = (2 * sigmoid(values[0]) - 0.5 + column) * stride
    y = (2 * sigmoid(values[1]) - 0.5 + row) * stride
    width, height = (2 * sigmoid(values[2])) ** 2 * anchor[0], (2 * sigmoid(values[3])) ** 2 * anchor[1]
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def reference(
    grids: Sequence[Tensor], targets: Tensor, gains: Gains, goals: dict[tuple[int, ...], float] | None = None
) -> Reference:
    """The loss of a batch, number by number; with `goals`, objectness targets are not computed but taken."""
    result = Reference()
    classes = grids[0].shape[-1] - 5
    shape_term = giou if gains.box_iou == "giou" else ciou
    for level, grid in enumerate(grids):
        pictures, per_cell, rows, columns, _ = grid.shape
        values = grid.double().tolist()
        terms_box, terms_class = [], []
        level_goals: dict[tuple[int, ...], float] = {}
        for picture, label, x1, y1, x2, y2 in targets.double().tolist():
            for a, anchor in enumerate(ANCHORS[level]):
                width, height = x2 - x1, y2 - y1
                if max(width / anchor[0], anchor[0] / width, height / anchor[1], anchor[1] / height) >= gains.ratio:
                    continue
                centre = (x1 + x2) / 2 / STRIDES[level], (y1 + y2) / 2 / STRIDES[level]
                for row, column in claims(*centre, rows, columns):
                    cell = values[int(picture)][a][row][column]
                    found = decode(cell, anchor, row, column, STRIDES[level])
                    terms_box.append(1 - shape_term(found, (x1, y1, x2, y2)))
                    place = (level, int(picture), a, row, column)
                    level_goals[place] = max(level_goals.get(place, 0.0), overlap(found, (x1, y1, x2, y2)))
                    if classes > 1:
                        high, low = 1 - gains.smoothing / 2, gains.smoothing / 2
                        each = [cross_entropy(cell[5 + c], high if c == int(label) else low) for c in range(classes)]
                        weight = gains.class_weights[int(label)] if gains.class_weights else 1.0
                        terms_class.append(weight * sum(each) / classes)
        level_goals = level_goals if goals is None else {k: v for k, v in goals.items() if k[0] == level}
        result.goals |= level_goals
        if terms_box:
            result.box += gains.box * sum(terms_box) / len(terms_box)
        if terms_class:
            result.classification += gains.classification * classes / 80 * sum(terms_class) / len(terms_class)
        every = [
            cross_entropy(values[b][a][row][column][4], level_goals.get((level, b, a, row, column), 0.0))
            for b in range(pictures)
            for a in range(per_cell)
            for row in range(rows)
            for column in range(columns)
        ]
        side = math.sqrt(rows * columns) * STRIDES[level]
        result.objectness += gains.objectness * gains.balance[level] * side / 640 * sum(every) / len(every)
    result.total = (result.box + result.objectness + result.classification) * grids[0].shape[0]
    return result


def random_grids(seed: int, pictures: int, classes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        1.5 * torch.randn(pictures, len(ANCHORS[level]), HEIGHT // s, WIDTH // s, 5 + classes, generator=generator)
        for level, s in enumerate(STRIDES)
    ]


def build(classes: int, gains: Gains = Gains(), **settings_: object) -> DetectionLoss:  # noqa: B008
    return DetectionLoss(
        torch.tensor(ANCHORS),
        STRIDES,
        classes,
        box=gains.box,
        objectness=gains.objectness,
        classification=gains.classification,
        balance=gains.balance,
        ratio=gains.ratio,
        box_iou=gains.box_iou,
        label_smoothing=gains.smoothing,
        class_weights=None if gains.class_weights is None else torch.tensor(gains.class_weights),
        **settings_,  # type: ignore[arg-type]
    )


@st.composite
def labelled(draw: st.DrawFn, pictures: int, classes: int) -> Tensor:
    """Boxes of at least a pixel within the picture, on eighths of a pixel."""
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        width, height = draw(st.integers(8, WIDTH * 8)), draw(st.integers(8, HEIGHT * 8))
        x, y = draw(st.integers(0, WIDTH * 8 - width)), draw(st.integers(0, HEIGHT * 8 - height))
        picture, label = draw(st.integers(0, pictures - 1)), draw(st.integers(0, classes - 1))
        rows.append([picture, label, x / 8, y / 8, (x + width) / 8, (y + height) / 8])
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)


def check(classes: int, grids: list[Tensor], targets: Tensor, gains: Gains) -> None:
    found, expected = build(classes, gains)(grids, targets), reference(grids, targets, gains)
    parts = {name: value.item() for name, value in found.parts.items()}
    assert parts == pytest.approx(
        {"box": expected.box, "objectness": expected.objectness, "classification": expected.classification},
        rel=1e-4,
        abs=1e-6,
    )
    assert found.total.item() == pytest.approx(expected.total, rel=1e-4)


@given(st.data(), st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4))
@settings(max_examples=40)
def test_number_by_number(data: st.DataObject, seed: int, pictures: int, classes: int) -> None:
    check(classes, random_grids(seed, pictures, classes), data.draw(labelled(pictures, classes)), Gains())


# Two boxes of one shape around one centre (they claim the same cells), one far off, in the first of two pictures.
CROWDED = torch.tensor([[0, 1, 20.0, 8.0, 34.0, 20.0], [0, 2, 21.0, 8.0, 35.0, 20.0], [0, 0, 40.0, 2.0, 62.0, 30.0]])


@pytest.mark.parametrize(
    "gains",
    [
        Gains(smoothing=0.1),
        Gains(class_weights=(0.5, 3.0, 1.25)),
        Gains(box_iou="ciou"),
        Gains(box=0.2, objectness=0.7, classification=1.5, balance=(1.0, 2.0, 3.0)),
        Gains(ratio=2.0, smoothing=0.2, class_weights=(1.0, 2.0, 0.0)),
    ],
    ids=["smoothing", "class weights", "ciou", "gains", "together"],
)
def test_each_setting(gains: Gains) -> None:
    check(3, random_grids(1, 2, 3), CROWDED, gains)


def test_of_two_boxes_in_a_cell_the_better_one_sets_the_objectness_in_any_order() -> None:
    grids, loss = random_grids(1, 2, 3), build(3)
    shared = set(reference(grids, CROWDED[:1], Gains()).goals) & set(reference(grids, CROWDED[1:2], Gains()).goals)
    assert shared, "the example has cells that two boxes claim"
    terms = [loss(grids, CROWDED[list(order)]) for order in ((0, 1, 2), (2, 1, 0))]
    assert terms[0].total.item() == pytest.approx(terms[1].total.item(), rel=1e-5)
    assert terms[0].parts["objectness"].item() == pytest.approx(reference(grids, CROWDED, Gains()).objectness, rel=1e-5)


def test_a_batch_without_boxes_has_objectness_alone() -> None:
    grids = [grid.requires_grad_() for grid in random_grids(2, 2, 3)]
    terms = build(3)(grids, torch.zeros(0, 6))
    assert terms.parts["box"] == 0
    assert terms.parts["classification"] == 0
    assert terms.parts["objectness"] > 0
    terms.total.backward()
    for grid in grids:
        assert grid.grad is not None
        assert not grid.grad[..., :4].any()
        assert not grid.grad[..., 5:].any()
        assert (grid.grad[..., 4] > 0).all()


def test_a_perfect_network_has_next_to_no_loss() -> None:
    """Decode the inverse: a box that lies on a cell's middle and has an anchor's shape."""
    grids = [torch.zeros(1, 2, HEIGHT // s, WIDTH // s, 8) for s in STRIDES]
    for grid in grids:
        grid[..., 4] = -30.0
    x, y, (width, height) = 20.0, 12.0, ANCHORS[0][0]
    targets = torch.tensor([[0, 1, x - width / 2, y - height / 2, x + width / 2, y + height / 2]])
    grids[0][0, 0, 1, 2, 4] = 30.0
    grids[0][0, 0, 1, 2, 5:] = torch.tensor([-30.0, 30.0, -30.0])
    terms = build(3, Gains(ratio=1.05))(grids, targets)
    assert terms.total.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("box_iou", ["giou", "ciou"])
def test_gradients_are_the_slopes_of_the_formulas(box_iou: str) -> None:
    gains = Gains(box_iou=box_iou, smoothing=0.1, class_weights=(0.5, 3.0, 1.25))
    grids = [grid.requires_grad_() for grid in random_grids(7, 2, 3)]
    terms = build(3, gains)(grids, CROWDED)
    terms.total.backward()
    plain = [grid.detach().double() for grid in grids]
    goals = reference(plain, CROWDED, gains).goals
    wanted = [place for place in goals if place[0] == 0][:3] + [place for place in goals if place[0] > 0][:3]
    # CIoU's trade-off is held constant (see tests/geometry/test_iou.py): its boxes are checked there.
    entries = range(8) if box_iou == "giou" else range(4, 8)
    for level, *cell in [*wanted, (0, 1, 0, 0, 0), (2, 1, 1, 0, 1)]:
        for entry in entries:
            place = (*cell, entry)
            slopes = []
            for step in (1e-5, -1e-5):
                moved = [grid.clone() for grid in plain]
                moved[level][place] += step
                slopes.append(reference(moved, CROWDED, gains, goals).total)
            slope = (slopes[0] - slopes[1]) / 2e-5
            gradient = grids[level].grad
            assert gradient is not None
            assert gradient[place].item() == pytest.approx(slope, rel=2e-3, abs=1e-6)


def test_one_class_leaves_its_logit_alone() -> None:
    grids = [grid.requires_grad_() for grid in random_grids(3, 2, 1)]
    targets = CROWDED * torch.tensor([1, 0, 1, 1, 1, 1])
    terms = build(1)(grids, targets)
    assert terms.parts["classification"] == 0
    terms.total.backward()
    assert all(grid.grad is not None and not grid.grad[..., 5:].any() for grid in grids)


def test_half_precision_grids_give_a_float32_loss() -> None:
    terms = build(3)([grid.bfloat16() for grid in random_grids(4, 2, 3)], CROWDED)
    assert terms.total.dtype == torch.float32
    exact = build(3)(random_grids(4, 2, 3), CROWDED)
    assert terms.total.item() == pytest.approx(exact.total.item(), rel=0.02)


@pytest.mark.parametrize("uneven", [False, True], ids=["boxes in both", "boxes in one"])
def test_two_processes_with_half_a_batch_take_the_step_of_one(uneven: bool) -> None:
    """Each sees half of the pictures; counts are averaged over both, and so are the gradients."""
    second = CROWDED + torch.tensor([3.0, 0, 0, 0, 0, 0])
    targets = CROWDED if uneven else torch.cat((CROWDED, second[:2]))
    whole = [grid.requires_grad_() for grid in random_grids(5, 4, 3)]
    full = build(3)(whole, targets)
    full.total.backward()

    counts: list[Tensor] = []

    def note(count: Tensor) -> Tensor:
        counts.append(count.clone())
        return count

    halves = []
    for first in (0, 2):
        mine = targets[(targets[:, 0] >= first) & (targets[:, 0] < first + 2)] - torch.tensor([first, 0, 0, 0, 0, 0])
        halves.append(([grid.detach()[first : first + 2].requires_grad_() for grid in whole], mine))
        build(3, mean_count=note)(*halves[-1])
    mean = torch.stack(counts).mean(0)
    terms = [build(3, mean_count=lambda count: mean, processes=2)(grids, mine) for grids, mine in halves]
    assert sum(t.total.item() for t in terms) / 2 == pytest.approx(full.total.item(), rel=1e-5)
    for half, (grids, _) in zip(terms, halves, strict=True):
        (half.total / 2).backward()
        assert all(grid.grad is not None for grid in grids)
    for level, grid in enumerate(whole):
        joined = torch.cat([grids[level].grad for grids, _ in halves])  # type: ignore[misc]
        torch.testing.assert_close(joined, grid.grad, rtol=1e-4, atol=1e-7)


class KeepsBoxes(TaskAligned):
    """Chooses all candidates of some boxes, with their IoU for objectness."""

    def __init__(self, *kept: int) -> None:
        object.__setattr__(self, "kept", kept)

    def choose(
        self, score: Tensor, overlap: Tensor, area: Tensor, box: Tensor, place: Tensor, boxes: int
    ) -> tuple[Tensor, Tensor]:
        assert score.shape == overlap.shape == area.shape == box.shape == place.shape and boxes == len(CROWDED)
        return torch.isin(box, torch.tensor(self.kept)), overlap


@pytest.mark.parametrize("kept", [(0, 1, 2), (0,), (2,), (0, 2), ()])
def test_the_loss_of_chosen_matches_is_that_of_their_boxes(kept: tuple[int, ...]) -> None:
    grids = random_grids(1, 2, 3)
    chosen = build(3, alignment=KeepsBoxes(*kept))(grids, CROWDED)
    alone = build(3)(grids, CROWDED[list(kept)])
    assert chosen.total.item() == pytest.approx(alone.total.item(), rel=1e-6)
    for name, value in alone.parts.items():
        assert chosen.parts[name].item() == pytest.approx(value.item(), rel=1e-6), name


@pytest.mark.parametrize("classes", [1, 3])
def test_what_is_asked_of_the_alignment(classes: int) -> None:
    """Scores are objectness times the box's class; candidates share a place where they share cell and anchor."""
    seen = {}

    class Looks(TaskAligned):
        def choose(self, score: Tensor, overlap: Tensor, area: Tensor, box: Tensor, place: Tensor, boxes: int) -> Any:
            seen.update(score=score, overlap=overlap, area=area, box=box, place=place)
            return super().choose(score, overlap, area, box, place, boxes)

    grids = random_grids(4, 2, classes)
    targets = CROWDED % torch.tensor([2, classes, 1e9, 1e9, 1e9, 1e9])
    build(classes, alignment=Looks())(grids, targets)
    wanted = reference(grids, targets, Gains())
    assert len(seen["place"].unique()) == len(wanted.goals)
    sides = targets[:, 4:] - targets[:, 2:4]
    assert torch.allclose(seen["area"], (sides[:, 0] * sides[:, 1])[seen["box"]])
    scores = []
    for level, picture, anchor, row, column in wanted.goals:
        values = grids[level][picture, anchor, row, column].tolist()
        scores.append([sigmoid(values[4]) * (sigmoid(v) if classes > 1 else 1.0) for v in values[5:]])
    possible = np.array(scores).ravel()
    assert all(np.isclose(possible, value, rtol=1e-4).any() for value in seen["score"].tolist())
    best = {place: max(seen["overlap"][seen["place"] == place].tolist()) for place in seen["place"].tolist()}
    assert sorted(best.values()) == pytest.approx(sorted(wanted.goals.values()), rel=1e-4, abs=1e-6)


def test_small_boxes_learn_as_if_there_were_no_choice_and_others_do_not() -> None:
    grids = random_grids(1, 2, 3)
    few = TaskAligned(most=1)
    for scale, same in ((1.0, True), (4.0, False)):  # sides of 12 to 28 pixels, and of 48 to 112
        targets = CROWDED * torch.tensor([1, 1, *[scale] * 4])
        chosen, every = (build(3, alignment=each)(grids, targets).total.item() for each in (few, None))
        assert (chosen == pytest.approx(every, rel=1e-6)) == same
