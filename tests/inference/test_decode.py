"""Decoding and selection in numpy against the same in torch, which was written apart from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plain_voting import Found, overlap, voted

from lightdet.decisions import DecisionRule
from lightdet.inference.decode import decode_cells, logit, select, sigmoid, split_detections
from lightdet.models.heads import decode_grids
from lightdet.models.postprocess import postprocess
from lightdet.structures import Detections

ANCHORS = (((8.0, 9.0), (12.0, 20.0)), ((30.0, 20.0), (25.0, 50.0)), ((60.0, 60.0), (90.0, 70.0)))
STRIDES = (8, 16, 32)


def grids(classes: int, seed: int = 0, height: int = 64, width: int = 96) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.normal(0, 2, (2 * (5 + classes), height // s, width // s)).astype(np.float32) for s in STRIDES]


def in_torch(raw: list[np.ndarray]) -> torch.Tensor:
    cells = [torch.from_numpy(g).view(1, 2, -1, *g.shape[1:]).permute(0, 1, 3, 4, 2) for g in raw]
    return decode_grids(cells, torch.tensor(ANCHORS), STRIDES)


@pytest.mark.parametrize("classes", [1, 2, 6])
@pytest.mark.parametrize("confidence", [0.0, 0.001, 0.25, 0.9, 1.0])
def test_the_same_detections_as_in_torch(classes: int, confidence: float) -> None:
    raw = grids(classes, seed=classes)
    settings = {"confidence": confidence, "iou": 0.5, "max_detections": 50}
    boxes, scores, labels = postprocess(in_torch(raw), **settings)[0]  # type: ignore[arg-type]
    found = select(decode_cells(raw, ANCHORS, STRIDES, confidence), **settings)  # type: ignore[arg-type]
    assert (len(found[0]) > 0) == (confidence < 1.0)
    assert len(found[0]) == len(boxes)
    assert np.allclose(found[0], boxes.numpy(), atol=1e-3)
    assert np.allclose(found[1], scores.numpy(), atol=1e-6)
    assert (found[2] == labels.numpy()).all()
    assert [part.dtype for part in found] == [np.float32, np.float32, np.int64]


def greedy(candidates: np.ndarray, confidence: float, iou: float, most: int, agnostic: bool) -> list[Found]:
    """Suppression as it is defined, in plain numbers: the best first, each unless one that stays overlaps it."""
    found: list[Found] = []
    for x, y, w, h, objectness, *classes in candidates.tolist():
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        scores = [(objectness * share, label) for label, share in enumerate(classes)]
        kinds = [max(scores, key=lambda each: each[0])] if agnostic else scores
        found += [(box, score, label) for score, label in kinds if score >= confidence]
    kept: list[Found] = []
    for each in sorted(found, key=lambda each: -each[1]):
        rivals = [other for other in kept if agnostic or other[2] == each[2]]
        if all(overlap(each[0], other[0]) <= iou for other in rivals):
            kept.append(each)
    kept = kept[:most]
    kinds_of = [[(box, score, 0 if agnostic else label) for box, score, label in some] for some in (kept, found)]
    moved = voted(*kinds_of, confidence)
    return [(box, score, label) for box, (_, score, label) in zip(moved, kept, strict=True)]


places = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(5, 30), st.integers(5, 30))


@given(st.lists(places, max_size=14), st.integers(0, 2**32 - 1), st.sampled_from([0.31, 0.57, 0.83]), st.integers(1, 9))
def test_one_suppression_over_all_classes(rows: list[tuple[int, ...]], seed: int, iou: float, most: int) -> None:
    # Not by class first and then across: what a dropped box had suppressed would be lost, and with it a defect.
    draw = np.random.default_rng(seed)
    # No score is the floor of 0.3 but for rounding: there all weights are rounding too.
    scores = draw.permutation(np.linspace(0.201, 1.0, 3 * len(rows), dtype=np.float32)).reshape(-1, 3)
    candidates = np.concatenate([np.array(rows, np.float32).reshape(-1, 4), np.ones((len(rows), 1)), scores], axis=1)
    candidates = candidates.astype(np.float32)
    for agnostic in (True, False):
        wanted = greedy(candidates, 0.3, iou, most, agnostic)
        options = {"confidence": 0.3, "iou": iou, "max_detections": most, "agnostic": agnostic}
        ours = select(candidates, **options)  # type: ignore[arg-type]
        for boxes, found, labels in (ours, postprocess(torch.from_numpy(candidates)[None], **options)[0]):  # type: ignore[arg-type]
            assert labels.tolist() == [label for *_, label in wanted]
            assert np.allclose(found, [score for _, score, _ in wanted])
            assert np.allclose(boxes, np.array([box for box, *_ in wanted]).reshape(-1, 4), atol=1e-4)
    names = ("a", "b", "c")  # with one threshold for all the decision stays as it was: the best box of a place is kept
    few, all_ = (
        select(candidates, confidence=0.3, iou=iou, max_detections=99, agnostic=flag) for flag in (True, False)
    )
    rule = DecisionRule(0.6)
    assert rule.decide(Detections(*few, names, (99, 99))).ok == rule.decide(Detections(*all_, names, (99, 99))).ok


@pytest.mark.parametrize("confidence", [0.0, 0.3])
def test_every_cell_that_passes_is_decoded_and_no_other(confidence: float) -> None:
    raw = grids(3)
    decoded = decode_cells(raw, ANCHORS, STRIDES, confidence)
    wanted = in_torch(raw)[0].numpy()
    wanted = wanted[wanted[:, 4] >= confidence]
    last = [np.ascontiguousarray(grid.transpose(1, 2, 0)) for grid in raw]
    assert np.array_equal(decode_cells(last, ANCHORS, STRIDES, confidence, channels_last=True), decoded)
    order = [np.lexsort(part.round(3).T[:2]) for part in (decoded, wanted)]
    assert decoded.shape == wanted.shape
    assert np.allclose(decoded[order[0]], wanted[order[1]], atol=1e-3)


def test_a_saturated_objectness_passes_a_threshold_of_one() -> None:
    raw = grids(1)
    raw[0][4, 0, 0] = 40.0
    found = select(decode_cells(raw, ANCHORS, STRIDES, 1.0), confidence=1.0, iou=0.5, max_detections=9)
    assert found[1].tolist() == [1.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_no_detection(bad: float) -> None:
    raw = grids(2)
    for grid in raw:
        grid[:] = bad
    raw[1][:, 1, 1] = 3.0
    boxes, _, _ = select(decode_cells(raw, ANCHORS, STRIDES, 0.1), confidence=0.1, iou=1.0, max_detections=300)
    assert np.isfinite(boxes).all()
    nan = np.full((4, 8), np.nan, np.float32)
    assert len(select(nan, confidence=0.0, iou=0.5, max_detections=9)[0]) == 0


def test_sigmoid_and_logit_undo_each_other_and_do_not_overflow() -> None:
    values = np.array([-200, -5, 0, 5, 200], np.float32)
    assert np.allclose(sigmoid(values), [0, 1 / (1 + np.exp(5)), 0.5, 1 / (1 + np.exp(-5)), 1])
    assert logit(float(sigmoid(np.array([1.5], np.float32))[0])) == pytest.approx(1.5, abs=1e-5)


def test_rows_of_a_network_with_its_own_nms_are_divided_by_picture() -> None:
    rows = np.array(
        [[1, 0, 0, 5, 5, 0.9, 2], [1, 1, 1, 5, 5, 0.3, 0], [0, 2, 2, 5, 5, 0.5, 1], [1, 3, 3, 5, 5, 0.95, 1],
         [0, np.nan, 2, 5, 5, 0.8, 1]], np.float32,
    )  # fmt: skip
    first, second, third = split_detections(rows, 3, confidence=0.4, max_detections=1)
    assert first[1].tolist() == [0.5] and first[0].tolist() == [[2, 2, 5, 5]] and first[2].tolist() == [1]
    assert second[1].tolist() == pytest.approx([0.95])
    assert len(third[0]) == 0 and third[0].shape == (0, 4)
