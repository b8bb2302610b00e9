"""Drawing keeps to the picture, leaves the original alone and says everything it was told to say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.drawing import PALETTE, class_color, draw_boxes, draw_detections
from lightdet.fonts import has_letters, text_mask
from lightdet.structures import Detections

NAMES = ("Kratzer Öl", "Трещина", "a very long name that cannot fit into a small picture at all")


def detections(boxes, names=NAMES):
    count = len(boxes)
    scores = np.linspace(0.9, 0.2, count, dtype=np.float32)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), scores, np.arange(count) % 3, names)


coordinate = st.floats(-50, 150, width=32)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(st.tuples(coordinate, coordinate, st.floats(0, 120), st.floats(0, 120)), max_size=6),
    st.booleans(),
)
def test_any_size_any_box(width, height, rows, dashed):
    image = np.full((height, width, 3), 90, np.uint8)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32).reshape(-1, 4)
    texts = [NAMES[index % 3] for index in range(len(boxes))]
    colors = [class_color(index) for index in range(len(boxes))]
    drawn = draw_boxes(image, boxes, texts, colors, dashed=[dashed] * len(boxes))
    assert drawn.shape == image.shape and drawn.dtype == np.uint8
    assert (image == 90).all()


def test_the_line_stands_on_the_edge_of_the_box():
    image = np.full((100, 100, 3), 128, np.uint8)
    drawn = draw_boxes(image, np.array([[20, 30, 60, 70]], np.float32), [""], [(255, 0, 0)])
    red = (drawn == (255, 0, 0)).all(axis=2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (20, 59, 30, 69)
    assert (drawn[31, 19] == 0).all() and (drawn[50, 40] == 128).all()


def test_a_box_over_the_whole_picture_shows_on_all_four_sides():
    drawn = draw_boxes(np.zeros((50, 80, 3), np.uint8), np.array([[0, 0, 80, 50]], np.float32), [""], [(255, 255, 255)])
    assert (drawn[0] == 255).all() and (drawn[-1] == 255).all()
    assert (drawn[:, 0] == 255).all() and (drawn[:, -1] == 255).all()


@pytest.mark.parametrize("box", [(0, 0, 30, 12), (380, 0, 400, 20), (390, 290, 400, 300), (-20, 280, 5, 400)])
def test_the_label_is_whole_wherever_the_box_lies(box):
    image = np.full((300, 400, 3), 7, np.uint8)
    color = (230, 159, 0)
    drawn = draw_boxes(image, np.array([box], np.float32), ["inclusion 0.87"], [color])
    bare = draw_boxes(image, np.array([box], np.float32), [""], [color])
    changed = (drawn != bare).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    mask = text_mask("inclusion 0.87", 11)
    label = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert label.shape[1] >= mask.shape[1] - 4
    assert (label == 0).all(axis=2).sum() >= (mask == 255).sum() > 20  # every full letter pixel is there


def test_names_beyond_ascii_have_letters():
    question_marks = text_mask("???????", 20)
    for text in ("Трещина", "ΑΒΓΔ", "Kratzer-Öl"):
        mask = text_mask(text, 20)
        assert mask.max() > 128 and mask.shape != question_marks.shape
    assert not np.array_equal(text_mask("Ö", 20), text_mask("O", 20))
    assert text_mask("a\nb\x07", 12).shape[0] == text_mask("ab", 12).shape[0]
    assert text_mask("", 12).max() == 0


def test_the_best_detection_is_on_top():
    boxes = [[20, 20, 60, 60], [20, 20, 60, 60]]
    drawn = draw_detections(np.full((100, 100, 3), 128, np.uint8), detections(boxes, ("a", "b", "c")))
    assert tuple(drawn[59, 45]) == PALETTE[0]


def test_names_are_optional():
    found = detections([[5, 5, 30, 30]], names=())
    image = np.full((64, 64, 3), 128, np.uint8)
    with_numbers = draw_detections(image, found)
    assert not np.array_equal(with_numbers, draw_detections(image, found, names=("hole",)))
    assert not np.array_equal(with_numbers, draw_detections(image, found, scores=False))
    assert np.array_equal(draw_detections(image, Detections.empty()), image)


def test_names_that_no_font_has_are_told_apart(monkeypatch):
    monkeypatch.setattr("lightdet.fonts._wide_font_path", lambda: None)
    for function in (text_mask, has_letters):
        function.cache_clear()
    first, second = text_mask("划痕", 20), text_mask("凹坑", 20)
    assert first.shape != second.shape or (first != second).any()
    assert np.array_equal(first, text_mask("[5212][75d5]", 20))
    assert has_letters("Трещина") and not has_letters("划痕 1")
    image = np.full((120, 160, 3), 7, np.uint8)
    box = np.array([[40, 40, 90, 90]], np.float32)
    found = Detections(box, np.array([0.5], np.float32), np.array([3]), ("a", "b", "c", "划痕"), (160, 120))
    assert np.array_equal(draw_detections(image, found), draw_boxes(image, box, ["#3 0.50"], [class_color(3)]))
    for function in (text_mask, has_letters):
        function.cache_clear()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(60, 700),
    st.integers(60, 700),
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(4, 60), st.integers(4, 60)), min_size=1, max_size=20
    ),
)
def test_no_defect_of_a_small_picture_lies_under_a_label(width, height, rows):
    image = np.full((height, width, 3), 90, np.uint8)
    boxes = []
    for x, y, w, h in rows:
        left, top = round(x * (width - min(w, width))), round(y * (height - min(h, height)))
        boxes.append((left, top, min(left + w, width), min(top + h, height)))
        image[top : top + h, left : left + w] = 200
    found = detections(boxes)
    drawn = draw_detections(image, found, legend=True)
    assert drawn.shape[1:] == image.shape[1:] and drawn.shape[0] >= height
    plain = draw_boxes(image, found.boxes, [""] * len(boxes), [class_color(int(label)) for label in found.labels])
    if drawn.shape[0] > height:  # all is said below the picture
        assert max(width, height) <= 640 and np.array_equal(drawn[:height], plain)
    elif max(width, height) <= 640:
        covered = (drawn != plain).any(axis=2)
        for left, top, right, bottom in boxes:
            assert covered[top:bottom, left:right].mean() <= 0.31
    assert draw_detections(image, found).shape == image.shape  # frames of a video keep their size


def test_a_label_stands_beside_the_other_boxes_where_it_can():
    image = np.full((300, 400, 3), 90, np.uint8)
    found = detections([(100, 100, 200, 200), (100, 60, 200, 98)], ("ab", "cd", "ef"))
    drawn = draw_detections(image, found)
    plain = draw_boxes(image, found.boxes, ["", ""], [class_color(0), class_color(1)])
    covered = (drawn != plain).any(axis=2)
    assert covered.any() and not covered[60:98, 100:200].any() and not covered[100:200, 100:200].any()
