"""AP against a calculation of its own, written here from the definition, and pycocotools' silence."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from evaluation_scenes import NAMES, annotation, detections
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lightdet.evaluation.average_precision import evaluate
from lightdet.structures import Detections

# --- the definition, one box at a time, in plain Python ------------------------------------------------------------


def plain_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def plain_ap(pictures, label, threshold):
    """Greedy matching, precision made monotone, mean at 101 recalls. `pictures`: (detection rows, truth rows)."""
    marks = []  # (score, right)
    total = 0
    for found, truths in pictures:
        mine = [t for t in truths if t[4] == label]
        total += len(mine)
        taken = set()
        for row in sorted((f for f in found if f[5] == label), key=lambda f: -f[4]):
            options = [(plain_iou(row, t), i) for i, t in enumerate(mine) if i not in taken]
            best = max(options, default=(0.0, -1))
            right = best[0] >= threshold
            if right:
                taken.add(best[1])
            marks.append((row[4], right))
    if not total:
        return None
    marks.sort(key=lambda mark: -mark[0])
    points, hits = [], 0
    for number, (_, right) in enumerate(marks, start=1):
        hits += right
        points.append((hits / total, hits / number))
    levels = [r / 100 for r in range(101)]
    return sum(max((p for r, p in points if r >= level - 1e-12), default=0.0) for level in levels) / 101


corner = st.integers(0, 12)
side = st.integers(1, 8)
box = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
truth_row = st.tuples(box, st.integers(0, 2)).map(lambda t: (*t[0], t[1]))


@st.composite
def pictures(draw):
    """Pictures whose scores all differ, so that no order is left to chance."""
    counts = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=4))
    total = sum(count for count, _ in counts)
    scores = draw(st.permutations(range(1, total + 1))) if total else []
    scores = iter([s / (total + 1) for s in scores])
    made = []
    for found, truths in counts:
        rows = [(*draw(box), next(scores), draw(st.integers(0, 2))) for _ in range(found)]
        made.append((rows, [draw(truth_row) for _ in range(truths)]))
    return made


def has_ties(made):
    """Two equal overlaps of one detection: which box is taken is then the implementation's own choice."""
    for found, truths in made:
        for row in found:
            shares = [plain_iou(row, t) for t in truths if t[4] == row[5]]
            shares = [round(s, 9) for s in shares if s > 0]
            if len(set(shares)) < len(shares):
                return True
    return False


@settings(max_examples=150, deadline=None)
@given(pictures())
def test_equals_the_definition(made):
    assume(not has_ties(made))
    metrics = evaluate(
        [detections(found) for found, _ in made],
        [annotation([t[:4] for t in truths], [t[4] for t in truths]) for _, truths in made],
        NAMES,
    )
    thresholds = [0.5 + 0.05 * i for i in range(10)]
    table = [[plain_ap(made, label, t) for t in thresholds] for label in range(3)]
    present = [row for row in table if row[0] is not None]
    for row, each in zip(table, metrics.per_class, strict=True):
        if row[0] is None:
            assert each.ap50 is None and each.ap50_95 is None and each.recall is None
        else:
            assert each.ap50 == pytest.approx(row[0], abs=1e-6)
            assert each.ap75 == pytest.approx(row[5], abs=1e-6)
            assert each.ap50_95 == pytest.approx(sum(row) / 10, abs=1e-6)
    if not present:
        assert metrics.map50 is None and metrics.map50_95 is None
        return
    assert metrics.map50 == pytest.approx(sum(row[0] for row in present) / len(present), abs=1e-6)
    assert metrics.map50_95 == pytest.approx(sum(sum(row) for row in present) / 10 / len(present), abs=1e-6)


# --- examples -------------------------------------------------------------------------------------------------------


def test_perfect_detections_score_one():
    truth = annotation([[10, 10, 50, 50], [60, 60, 160, 160]], [0, 1])
    found = detections([(10, 10, 50, 50, 0.9, 0), (60, 60, 160, 160, 0.8, 1)])
    metrics = evaluate([found], [truth], NAMES, sizes=True)
    assert [metrics.map50, metrics.map75, metrics.map50_95] == pytest.approx([1.0, 1.0, 1.0])
    assert (metrics.precision, metrics.recall, metrics.f1) == (1.0, 1.0, 1.0)
    assert metrics.map_small is None
    assert [metrics.map_medium, metrics.map_large] == pytest.approx([1.0, 1.0])
    assert 0.0 < metrics.threshold <= 0.8


def test_known_curve():
    # Right, wrong, right of two boxes: precision 1 up to recall 0.5 (51 of the 101 points), then 2/3.
    truth = annotation([[0, 0, 10, 10], [20, 20, 30, 30]], [0, 0])
    found = detections([(0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.8, 0), (20, 20, 30, 30, 0.7, 0)])
    metrics = evaluate([found], [truth], NAMES)
    assert metrics.map50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert metrics.pr_curves.shape == (3, 101)
    assert metrics.pr_curves[0].mean() == pytest.approx(metrics.map50)
    assert metrics.recall == 1.0 and metrics.precision == pytest.approx(2 / 3)


@pytest.mark.parametrize("cap, expected", [(1, 51 / 101), (2, 51 / 101), (3, None)])
def test_the_cap_is_of_each_picture_and_class(cap, expected):
    truth = annotation([[0, 0, 10, 10], [20, 20, 30, 30]], [0, 0])
    found = detections([(0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.8, 0), (20, 20, 30, 30, 0.7, 0)])
    metrics = evaluate([found], [truth], NAMES, max_detections=cap)
    assert metrics.max_detections == cap
    assert metrics.map50 == pytest.approx(expected if expected else (51 + 50 * 2 / 3) / 101)


def test_crowd_regions_swallow_detections():
    truth = annotation([[0, 0, 100, 100], [120, 120, 150, 150]], [0, 0], crowd=[True, False])
    found = detections([(5, 5, 30, 30, 0.9, 0), (40, 40, 60, 60, 0.8, 0), (120, 120, 150, 150, 0.7, 0)])
    metrics = evaluate([found], [truth], NAMES)
    assert metrics.map50 == pytest.approx(1.0)
    assert metrics.boxes == 1 and metrics.precision == 1.0
    assert metrics.per_class[0].boxes == 1


def test_nothing_found():
    truth = annotation([[0, 0, 10, 10]], [1])
    metrics = evaluate([Detections.empty()], [truth], NAMES)
    assert metrics.map50 == 0.0
    assert (metrics.precision, metrics.recall, metrics.f1) == (0.0, 0.0, 0.0)
    assert metrics.per_class[1].recall == 0.0 and metrics.per_class[0].recall is None


@pytest.mark.parametrize("found", [[], [(0, 0, 5, 5, 0.9, 2)]])
def test_no_ground_truth(found):
    metrics = evaluate([detections(found)], [annotation([], [])], NAMES, sizes=True)
    assert metrics.map50 is None and metrics.recall_100 is None
    assert metrics.background_images == 1
    assert metrics.background_alarms == len(found)
    values = json.loads(json.dumps(metrics.as_dict(), allow_nan=False))
    assert [values[key] for key in ("map50", "precision", "recall", "f1", "threshold")] == [None] * 5


def test_no_picture_at_all():
    metrics = evaluate([], [], NAMES)
    assert metrics.map50 is None and metrics.images == 0


def test_alarms_on_clean_pictures_cost_precision():
    truth, clean = annotation([[0, 0, 10, 10]], [0]), annotation([], [])
    right, wrong = detections([(0, 0, 10, 10, 0.5, 0)]), detections([(0, 0, 10, 10, 0.9, 0)])
    metrics = evaluate([right, wrong], [truth, clean], NAMES)
    assert metrics.map50 == pytest.approx(0.5)


def test_json_has_the_promised_keys():
    truth = annotation([[0, 0, 10, 10]], [0])
    values = evaluate([detections([(0, 0, 10, 10, 0.5, 0)])], [truth], NAMES).as_dict()
    assert {"map50", "map75", "map50_95", "per_class", "precision", "recall", "f1", "threshold"} <= set(values)
    assert list(values["per_class"]) == list(NAMES)
    for each in values["per_class"].values():
        assert {"ap50", "ap50_95", "precision", "recall", "f1", "images", "boxes"} <= set(each)
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_same_numbers_as_pycocotools_from_files(tmp_path):
    rng = np.random.default_rng(3)
    truths, found, gt, dt = [], [], [], []
    for number in range(1, 21):
        boxes = rng.integers(0, 100, (4, 2)).repeat(2, axis=1)[:, [0, 2, 1, 3]] + [0, 0, 30, 40]
        labels = rng.integers(0, 2, 4)
        shifted = boxes + rng.integers(-6, 7, boxes.shape)
        rows = [(*b, s, c) for b, s, c in zip(shifted.tolist(), rng.uniform(0, 1, 4).tolist(), labels, strict=True)]
        truths.append(annotation(boxes, labels))
        found.append(detections(rows))
        for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
            xywh = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            entry = {"image_id": number, "category_id": label, "bbox": xywh, "area": xywh[2] * xywh[3], "iscrowd": 0}
            gt.append({"id": len(gt) + 1, **entry})
        for box, score, label in found[-1]:
            xywh = [float(v) for v in (box[0], box[1], box[2] - box[0], box[3] - box[1])]
            dt.append({"image_id": number, "category_id": label, "bbox": xywh, "score": score})
    path = tmp_path / "gt.json"
    classes = [{"id": i, "name": name} for i, name in enumerate(NAMES)]
    images = [{"id": number} for number in range(1, 21)]
    path.write_text(json.dumps({"images": images, "categories": classes, "annotations": gt}))
    reference = COCO(str(path))
    job = COCOeval(reference, reference.loadRes(dt), "bbox")
    job.evaluate()
    job.accumulate()
    job.summarize()
    metrics = evaluate(found, truths, NAMES, sizes=True)
    assert 0.1 < job.stats[0] < 0.9
    values = [metrics.map50_95, metrics.map50, metrics.map75, metrics.map_small, metrics.map_medium, metrics.map_large]
    assert [-1.0 if value is None else value for value in values] == pytest.approx(job.stats[:6].tolist(), abs=1e-12)
    assert metrics.recall_100 == pytest.approx(job.stats[8], abs=1e-12)


def test_silent(capfd):
    evaluate([detections([(0, 0, 10, 10, 0.5, 0)])], [annotation([[0, 0, 10, 10]], [0])], NAMES, sizes=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "predictions, truths, names, word",
    [
        ([], [annotation([], [])], NAMES, "0 predictions for 1"),
        ([], [], (), "class names"),
        ([], [], ("a", "a"), "only once"),
        ([Detections.empty()], [annotation([[0, 0, 1, 1]], [3])], NAMES, "label 3 has no name"),
        ([detections([(0, 0, 1, 1, 0.5, 4)])], [annotation([], [])], NAMES, "label 4 has no name"),
    ],
)
def test_wrong_arguments(predictions, truths, names, word):
    with pytest.raises(ValueError, match=word):
        evaluate(predictions, truths, names)


def test_quick_enough_for_every_epoch():
    rng = np.random.default_rng(0)
    truths, found = [], []
    for _ in range(360):
        corners = rng.uniform(0, 150, (100, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(5, 50, (100, 2))], axis=1)
        scores = -np.sort(-rng.uniform(0, 1, 100).astype(np.float32))
        found.append(Detections(boxes.astype(np.float32), scores, rng.integers(0, 3, 100)))
        truths.append(annotation(boxes[:3] + 1, rng.integers(0, 3, 3)))
    start = time.process_time()
    evaluate(found, truths, NAMES)
    assert time.process_time() - start < 4.0  # about 0.5 s; the room is for busy machines
