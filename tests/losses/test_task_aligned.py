"""The choice of matches by alignment against loops."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from lightdet.losses import TaskAligned

# Powers of numbers with few digits differ clearly or not at all.
levels = st.integers(0, 8).map(lambda eighths: eighths / 8)
candidates = st.lists(st.tuples(levels, levels, st.integers(0, 4), st.integers(0, 12)), max_size=40)
"""Score, overlap, box, place."""
areas = st.lists(st.sampled_from([3.0, 1000.0, 1024.0, 5e4]), min_size=5, max_size=5)
"""Of the five boxes; below 32 x 32 pixels they are small."""


def chosen_by_loops(
    rows: list[tuple[float, float, int, int]], area: list[float], most: int
) -> tuple[list[int], dict[int, float]]:
    fit = [max(score, 1e-9) ** 0.5 * max(overlap, 1e-9) ** 6 for score, overlap, _, _ in rows]
    wanted: list[int] = []
    for box in range(5):
        own = [k for k, row in enumerate(rows) if row[2] == box]
        wanted += sorted(own, key=lambda k: -fit[k])[:most]
    won = []
    for k in wanted:
        rivals = [other for other in wanted if rows[other][3] == rows[k][3]]
        if min(rivals, key=lambda other: (-fit[other], rows[other][2])) == k:
            won.append(k)
    goals = {}
    for k in won:
        same = [other for other in won if rows[other][2] == rows[k][2]]
        goals[k] = fit[k] / max(fit[other] for other in same) * max(rows[other][1] for other in same)
    small = {k: overlap for k, (_, overlap, box, _) in enumerate(rows) if area[box] < 32 * 32}
    return sorted({*won, *small}), goals | small


@given(candidates, areas, st.integers(1, 6))
def test_as_by_loops(rows: list[tuple[float, float, int, int]], area: list[float], most: int) -> None:
    # a box claims a place once
    rows = list({(box, place): (score, overlap, box, place) for score, overlap, box, place in rows}.values())
    columns = torch.tensor(rows, dtype=torch.float64).reshape(-1, 4).unbind(1)
    box, place = (each.long() for each in columns[2:])
    keep, goal = TaskAligned(most=most).choose(*columns[:2], torch.tensor(area).double()[box], box, place, 5)
    won, goals = chosen_by_loops(rows, area, most)
    assert keep.nonzero()[:, 0].tolist() == won
    for index, value in goals.items():
        assert abs(goal[index].item() - value) < 1e-9


def test_every_box_has_the_overlap_of_its_best_and_no_more() -> None:
    draw = torch.Generator().manual_seed(0)
    score, overlap = torch.rand(2, 200, generator=draw)
    box, place = torch.randint(0, 9, (200,), generator=draw), torch.arange(200)
    keep, goal = TaskAligned().choose(score, overlap, torch.full((200,), 1e4), box, place, 9)
    for each in range(9):
        own = keep & (box == each)
        assert own.sum() == 10
        assert torch.isclose(goal[own].max(), overlap[own].max())


def test_no_candidates() -> None:
    nothing = torch.zeros(0)
    keep, goal = TaskAligned().choose(nothing, nothing, nothing, nothing.long(), nothing.long(), 0)
    assert keep.shape == goal.shape == (0,)
