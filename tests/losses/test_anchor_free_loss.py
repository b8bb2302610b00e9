"""The loss of YOLOX as loops over single numbers, in double precision; the assignment is tested on its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightdet.losses import AnchorFreeLoss, SimOTA

STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 64, 32
SIZES = [(HEIGHT // s, WIDTH // s) for s in STRIDES]

Corners = tuple[float, float, float, float]


def cross_entropy(logit: float, goal: float) -> float:
    softplus = max(logit, 0.0) + math.log1p(math.exp(-abs(logit)))
    return softplus - goal * logit


def overlap(a: Corners, b: Corners) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def giou(a: Corners, b: Corners) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - max(width, 0.0) * max(height, 0.0)
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return overlap(a, b) - (hull - union) / hull


@dataclass
class Gains:
    box: float = 5.0
    objectness: float = 1.0
    classification: float = 1.0
    box_iou: str = "iou"
    class_weights: Sequence[float] | None = None


@dataclass
class Reference:
    box: float = 0.0
    objectness: float = 0.0
    classification: float = 0.0
    total: float = 0.0
    goals: dict[tuple[int, int], float] = field(default_factory=dict)  # (image, cell): IoU


def flatten(grids: Sequence[Tensor]) -> list[list[tuple[int, int, int, list[float]]]]:
    """For each picture its cells as (stride, row, column, values)."""
    pictures = []
    for picture in range(grids[0].shape[0]):
        cells = []
        for grid, stride in zip(grids, STRIDES, strict=True):
            values = grid[picture].double().tolist()
            cells += [(stride, r, c, values[r][c]) for r in range(grid.shape[1]) for c in range(grid.shape[2])]
        pictures.append(cells)
    return pictures


def decode(stride: int, row: int, column: int, values: Sequence[float]) -> Corners:
    x, y = (values[0] + column) * stride, (values[1] + row) * stride
    width, height = math.exp(values[2]) * stride, math.exp(values[3]) * stride
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def assign(grids: Sequence[Tensor], targets: Tensor) -> list[tuple[int, int, int]]:
    """SimOTA on the boxes and logits of the grids: (image, cell, box)."""
    pictures = flatten([grid.detach() for grid in grids])
    boxes = torch.tensor([[decode(*cell) for cell in cells] for cells in pictures])
    logits = torch.tensor([[cell[3][4:] for cell in cells] for cells in pictures])
    found = SimOTA().assign(targets, boxes, logits, SIZES, STRIDES)
    return list(zip(found.image.tolist(), found.cell.tolist(), found.box.tolist(), strict=True))


def reference(
    grids: Sequence[Tensor],
    targets: Tensor,
    gains: Gains,
    matches: list[tuple[int, int, int]],
    goals: dict[tuple[int, int], float] | None = None,
) -> Reference:
    """The loss number by number; with `goals`, class targets are not computed but taken."""
    result = Reference()
    pictures = flatten(grids)
    labelled = targets.double().tolist()
    divisor = max(len(matches), len(pictures))
    matched = {(image, cell) for image, cell, _ in matches}
    for image, cell, box in matches:
        stride, row, column, values = pictures[image][cell]
        label, wanted = int(labelled[box][1]), tuple(labelled[box][2:])
        found = decode(stride, row, column, values)
        shared = overlap(found, wanted)  # type: ignore[arg-type]
        quality = shared**2 if gains.box_iou == "iou" else giou(found, wanted)  # type: ignore[arg-type]
        result.box += gains.box * (1 - quality) / divisor
        goal = shared if goals is None else goals[image, cell]
        result.goals[image, cell] = goal
        each = [cross_entropy(v, goal if c == label else 0.0) for c, v in enumerate(values[5:])]
        weight = gains.class_weights[label] if gains.class_weights else 1.0
        result.classification += gains.classification * weight * sum(each) / divisor
    for image, cells in enumerate(pictures):
        for number, (_, _, _, values) in enumerate(cells):
            goal = float((image, number) in matched)
            result.objectness += gains.objectness * cross_entropy(values[4], goal) / divisor
    result.total = (result.box + result.objectness + result.classification) * len(pictures)
    return result


def random_grids(seed: int, pictures: int, classes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(pictures, rows, columns, 5 + classes, generator=generator) for rows, columns in SIZES]


def build(classes: int, gains: Gains = Gains(), **settings_: object) -> AnchorFreeLoss:  # noqa: B008
    weights = None if gains.class_weights is None else torch.tensor(gains.class_weights)
    return AnchorFreeLoss(
        STRIDES,
        classes,
        box=gains.box,
        objectness=gains.objectness,
        classification=gains.classification,
        box_iou=gains.box_iou,
        class_weights=weights,
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
    found = build(classes, gains)(grids, targets)
    expected = reference(grids, targets, gains, assign(grids, targets))
    parts = {name: value.item() for name, value in found.parts.items()}
    assert parts == pytest.approx(
        {"box": expected.box, "objectness": expected.objectness, "classification": expected.classification},
        rel=1e-4,
        abs=1e-6,
    )
    assert found.total.item() == pytest.approx(expected.total, rel=1e-4)


@given(st.data(), st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_number_by_number(data: st.DataObject, seed: int, pictures: int, classes: int) -> None:
    check(classes, random_grids(seed, pictures, classes), data.draw(labelled(pictures, classes)), Gains())


# Two boxes of one shape around nearly one centre (they want the same cells), one far off, in the first of two pictures.
CROWDED = torch.tensor([[0, 1, 20.0, 8.0, 34.0, 20.0], [0, 2, 21.0, 8.0, 35.0, 20.0], [0, 0, 40.0, 2.0, 62.0, 30.0]])


@pytest.mark.parametrize(
    "gains",
    [
        Gains(box_iou="giou"),
        Gains(class_weights=(0.5, 3.0, 1.25)),
        Gains(box=0.2, objectness=0.7, classification=1.5),
        Gains(box_iou="giou", class_weights=(1.0, 2.0, 0.0)),
    ],
    ids=["giou", "class weights", "gains", "together"],
)
def test_each_setting(gains: Gains) -> None:
    check(3, random_grids(1, 2, 3), CROWDED, gains)


def test_complete_iou_is_another_box_term() -> None:
    grids = random_grids(1, 2, 3)
    terms = {kind: build(3, Gains(box_iou=kind))(grids, CROWDED).parts["box"].item() for kind in ("giou", "ciou")}
    assert terms["ciou"] != pytest.approx(terms["giou"])
    assert math.isfinite(terms["ciou"])


@pytest.mark.parametrize("classes", [1, 3])
def test_a_batch_without_boxes_has_objectness_alone(classes: int) -> None:
    grids = [grid.requires_grad_() for grid in random_grids(2, 2, classes)]
    terms = build(classes)(grids, torch.zeros(0, 6))
    assert terms.parts["box"] == 0
    assert terms.parts["classification"] == 0
    assert terms.parts["objectness"] > 0
    terms.total.backward()
    for grid in grids:  # a gradient of zero, not none: several processes wait for each other's
        assert grid.grad is not None
        assert not grid.grad[..., :4].any()
        assert not grid.grad[..., 5:].any()
        assert (grid.grad[..., 4] > 0).all()


def test_background_weighs_no_more_than_one_match_a_picture() -> None:
    grids = random_grids(2, 2, 3)
    cells = torch.cat([grid.flatten(1, 2) for grid in grids], dim=1)[..., 4].double()
    expected = torch.nn.functional.softplus(cells).sum().item() / 2
    assert build(3)(grids, torch.zeros(0, 6)).parts["objectness"].item() == pytest.approx(expected, rel=1e-5)


def test_a_perfect_network_has_next_to_no_loss() -> None:
    grids = [torch.zeros(1, rows, columns, 8) for rows, columns in SIZES]
    for grid in grids:
        grid[..., 4:] = -30.0
    target = torch.tensor([[0, 1, 12.0, 4.0, 28.0, 20.0]])  # centre 20, 12: cell 2, 1 of the finest grid
    for row, column, x, y in ((1, 2, 0.5, 0.5),):
        grids[0][0, row, column] = torch.tensor([x, y, math.log(2), math.log(2), 30.0, -30.0, 30.0, -30.0])
    terms = build(3, assignment=SimOTA(candidates=1))(grids, target)
    assert terms.total.item() == pytest.approx(0, abs=1e-4)


def test_gradients_are_the_slopes_of_the_formulas() -> None:
    gains = Gains(class_weights=(0.5, 3.0, 1.25))
    grids = [grid.requires_grad_() for grid in random_grids(7, 2, 3)]
    build(3, gains)(grids, CROWDED).total.backward()
    matches = assign(grids, CROWDED)
    plain = [grid.detach().double() for grid in grids]
    goals = reference(plain, CROWDED, gains, matches).goals
    places = [
        (level, b, r, c)
        for level, (rows, columns) in enumerate(SIZES)
        for b in range(2)
        for r in range(rows)
        for c in range(columns)
    ]
    offsets = [0, *torch.tensor([rows * columns for rows, columns in SIZES]).cumsum(0).tolist()]
    number = {(b, offsets[level] + r * SIZES[level][1] + c): (level, b, r, c) for level, b, r, c in places}
    wanted = [number[image, cell] for image, cell, _ in matches][:5]
    for level, *cell in [*wanted, (0, 1, 3, 7), (2, 1, 0, 1)]:
        for entry in range(8):
            place = (*cell, entry)
            slopes = []
            for step in (1e-5, -1e-5):
                moved = [grid.clone() for grid in plain]
                moved[level][place] += step
                slopes.append(reference(moved, CROWDED, gains, matches, goals).total)
            gradient = grids[level].grad
            assert gradient is not None
            assert gradient[place].item() == pytest.approx((slopes[0] - slopes[1]) / 2e-5, rel=2e-3, abs=1e-4)


def test_half_precision_grids_give_a_float32_loss() -> None:
    grids = [grid.bfloat16() for grid in random_grids(4, 2, 3)]
    terms = build(3)(grids, CROWDED)
    assert terms.total.dtype == torch.float32
    same = build(3)([grid.float() for grid in grids], CROWDED)
    assert terms.total.item() == pytest.approx(same.total.item(), rel=1e-6)


def test_huge_sides_stay_numbers_and_nan_reaches_the_loss() -> None:
    grids = random_grids(4, 2, 3)
    for grid in grids:
        grid[..., 2:4] = 1e4
    assert math.isfinite(build(3)(grids, CROWDED).total.item())
    for grid in grids:
        grid[...] = math.nan
    assert math.isnan(build(3)(grids, CROWDED).total.item())


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
        torch.testing.assert_close(joined, grid.grad, rtol=1e-4, atol=1e-6)
