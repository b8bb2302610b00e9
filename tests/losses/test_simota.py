"""SimOTA against loops over every box and every cell of every grid, in double precision."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightdet.losses import SimOTA, simota

STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 96, 64
GRIDS = [(HEIGHT // stride, WIDTH // stride) for stride in STRIDES]
CELLS = sum(rows * columns for rows, columns in GRIDS)
PICTURES = 3

Match = tuple[int, int, int]  # image, cell, box


@st.composite
def target_rows(draw: st.DrawFn, classes: int) -> list[float]:
    """A labelled box with corners on quarter pixels, so centres fall on cell borders and middles too."""
    x1, x2 = sorted(draw(st.tuples(st.integers(0, WIDTH * 4), st.integers(0, WIDTH * 4))))
    y1, y2 = sorted(draw(st.tuples(st.integers(0, HEIGHT * 4), st.integers(0, HEIGHT * 4))))
    picture, label = draw(st.integers(0, PICTURES - 1)), draw(st.integers(0, classes - 1))
    return [float(picture), float(label), x1 / 4, y1 / 4, x2 / 4, y2 / 4]


def random_outputs(seed: int, classes: int, targets: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Boxes ``[B, N, 4]`` around the cells, some of them close to labelled ones, and logits ``[B, N, 1 + C]``."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(PICTURES, CELLS, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT])
    sides = 4 + 60 * torch.rand(PICTURES, CELLS, 2, generator=generator)
    boxes = torch.cat((centres - sides / 2, centres + sides / 2), dim=-1)
    for row in [] if targets is None else targets:
        good = torch.rand(CELLS, generator=generator) < 0.4
        shift = 3 * torch.randn(CELLS, 4, generator=generator)
        boxes[int(row[0])] = torch.where(good[:, None], row[2:] + shift, boxes[int(row[0])])
    boxes = torch.cat(
        (torch.minimum(boxes[..., :2], boxes[..., 2:]), torch.maximum(boxes[..., :2], boxes[..., 2:])), -1
    )
    return boxes, 2 * torch.randn(PICTURES, CELLS, 1 + classes, generator=generator)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union


def probability(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def by_hand(
    targets: Tensor, boxes: Tensor, logits: Tensor, radius: float, candidates: int, weight: float
) -> set[Match]:
    claims: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for index, (picture, label, x1, y1, x2, y2) in enumerate(targets.tolist()):
        if x2 <= x1 or y2 <= y1:
            continue
        costs, overlaps = [], []
        cell = -1
        for (rows, columns), stride in zip(GRIDS, STRIDES, strict=True):
            for row in range(rows):
                for column in range(columns):
                    cell += 1
                    apart_x = abs((column + 0.5) * stride - (x1 + x2) / 2)
                    apart_y = abs((row + 0.5) * stride - (y1 + y2) / 2)
                    if max(apart_x, apart_y) >= radius * stride:
                        continue
                    shared = overlap(boxes[int(picture), cell].tolist(), (x1, y1, x2, y2))
                    first, *rest = (probability(v) for v in logits[int(picture), cell].tolist())
                    scores = [math.sqrt(first * p) for p in rest]
                    cost = -sum(math.log(s if c == int(label) else 1 - s) for c, s in enumerate(scores))
                    overlaps.append(shared)
                    costs.append((cost - weight * math.log(shared + 1e-8), cell))
        wanted = max(1, int(sum(sorted(overlaps, reverse=True)[:candidates])))
        for cost, cell in sorted(costs)[:wanted]:
            claims.setdefault((int(picture), cell), []).append((cost, index))
    return {(picture, cell, min(wants)[1]) for (picture, cell), wants in claims.items()}


def assigned(targets: Tensor, boxes: Tensor, logits: Tensor, **numbers: float) -> list[Match]:
    matches = SimOTA(**numbers).assign(targets, boxes, logits, GRIDS, STRIDES)  # type: ignore[arg-type]
    found = list(zip(*(part.tolist() for part in (matches.image, matches.cell, matches.box)), strict=True))
    assert len(found) == len(matches)
    assert len({place[:2] for place in found}) == len(found), "a cell answers for one box"
    return found


@given(st.data(), st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_as_by_hand(data: st.DataObject, seed: int, classes: int) -> None:
    rows = data.draw(st.lists(target_rows(classes), max_size=7))
    targets = torch.tensor(rows).reshape(-1, 6)
    boxes, logits = random_outputs(seed, classes, targets)
    radius, candidates = data.draw(st.sampled_from([0.5, 1.5, 2.5])), data.draw(st.sampled_from([1, 4, 10]))
    found = assigned(targets, boxes, logits, radius=radius, candidates=candidates, overlap_weight=3.0)
    assert set(found) == by_hand(targets, boxes, logits, radius, candidates, 3.0)


CROWD = torch.tensor(
    [
        [0, 1, 20.0, 8.0, 52.0, 40.0],
        [0, 2, 24.0, 8.0, 56.0, 44.0],
        [2, 0, 40.0, 2.0, 62.0, 30.0],
        [0, 0, 30.0, 30.0, 30.0, 60.0],
        [2, 1, 0.0, 0.0, 96.0, 64.0],
    ]
)


def test_good_cells_give_a_box_more_of_them() -> None:
    boxes, logits = random_outputs(1, 3)
    few = assigned(CROWD[:1], boxes, logits)
    boxes[0] = CROWD[0, 2:]
    many = assigned(CROWD[:1], boxes, logits)
    assert len(few) < len(many)
    assert len(many) in (9, 10), "ten overlaps of 1, or a trifle less"


def test_a_batch_is_its_pictures_one_by_one() -> None:
    boxes, logits = random_outputs(3, 3, CROWD)
    together = assigned(CROWD, boxes, logits)
    alone = []
    for picture in range(PICTURES):
        mine = (CROWD[:, 0] == picture).nonzero()[:, 0]
        alone += [(p, cell, int(mine[box])) for p, cell, box in assigned(CROWD[mine], boxes, logits)]
    assert set(alone) == set(together)
    assert {p for p, _, _ in together} == {0, 2}, "an empty picture has no matches"


def test_the_order_of_the_boxes_does_not_matter() -> None:
    boxes, logits = random_outputs(4, 3, CROWD)
    order = torch.tensor([4, 2, 0, 3, 1])
    turned = assigned(CROWD[order], boxes, logits)
    assert {(p, c, int(order[b])) for p, c, b in turned} == set(assigned(CROWD, boxes, logits))


def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, logits = random_outputs(5, 3, CROWD)
    whole = assigned(CROWD, boxes, logits)
    monkeypatch.setattr(simota, "PORTION", 1)
    assert assigned(CROWD, boxes, logits) == whole


def test_of_two_equal_boxes_the_first_gets_the_cells() -> None:
    twice = CROWD[[0, 0]]
    boxes, logits = random_outputs(6, 3, twice)
    assert {box for _, _, box in assigned(twice, boxes, logits)} == {0}


@pytest.mark.parametrize("targets", [torch.zeros(0, 6), CROWD[3:4]], ids=["no box", "a box without area"])
def test_nothing_to_assign(targets: Tensor) -> None:
    boxes, logits = random_outputs(7, 3)
    assert assigned(targets, boxes, logits) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_outputs_that_are_no_numbers_end_in_matches_all_the_same(value: float) -> None:
    boxes, logits = random_outputs(8, 3)
    broken = assigned(CROWD, torch.full_like(boxes, value), torch.full_like(logits, value))
    assert {box for _, _, box in broken} == {0, 1, 2, 4}


def test_thousands_of_boxes_at_608_need_little_memory() -> None:
    """Boxes times cells times classes would be 1.2 thousand million numbers."""
    strides, sizes = (8, 16, 32), [(76, 76), (38, 38), (19, 19)]
    cells = sum(rows * columns for rows, columns in sizes)
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(2000, 2, generator=generator) * 560
    size = 4 + 40 * torch.rand(2000, 2, generator=generator)
    head = torch.stack((torch.arange(2000) % 2, torch.arange(2000) % 80), dim=1)
    targets = torch.cat((head, corner, corner + size), dim=1)
    boxes = torch.rand(2, cells, 4, generator=generator).sort(dim=-1).values * 608
    logits = torch.randn(2, cells, 81, generator=generator)
    largest = 0

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), keywords=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            result = function(*arguments, **(keywords or {}))
            if isinstance(result, Tensor):
                largest = max(largest, result.numel())
            return result

    with Watch():
        matches = SimOTA().assign(targets, boxes, logits, sizes, strides)
    assert len(matches) >= 500
    assert 0 < largest <= simota.PORTION
