"""Labels that a detector contradicts: what is doubted, how much, and what never is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightdet.evaluation.label_doubts import Doubt, label_doubts
from lightdet.structures import Annotation, Detections

SIZE = (100, 100)
HERE, THERE = (10, 10, 40, 40), (60, 60, 90, 90)


def truth(*boxes: tuple[tuple[float, ...], int], crowd: bool = False) -> Annotation:
    corners = np.array([box for box, _ in boxes], np.float32).reshape(-1, 4)
    labels = np.array([label for _, label in boxes], np.int64)
    return Annotation(Path("a.png"), SIZE, corners, labels, np.ones(len(boxes), bool) if crowd else None)


def found(*boxes: tuple[tuple[float, ...], int, float]) -> Detections:
    ranked = sorted(boxes, key=lambda each: -each[2])
    corners = np.array([box for box, _, _ in ranked], np.float32).reshape(-1, 4)
    scores, labels = np.array([s for _, _, s in ranked], np.float32), np.array([c for _, c, _ in ranked], np.int64)
    return Detections(corners, scores, labels, size=SIZE)


GOOD = [(truth((HERE, label)), found((HERE, label, 0.9))) for label in (0, 1)] * 10
"""Pictures that show that the detector knows both classes."""


def doubts(picture: Annotation, answer: Detections, known: tuple[bool, ...] = (True, True)) -> list[Doubt]:
    """The doubts about one picture among good ones, the strong ones alone."""
    pairs = [(picture, answer), *GOOD]
    told = label_doubts([each for each, _ in pairs], [each for _, each in pairs], known)
    assert [each.doubt for each in told] == sorted((each.doubt for each in told), reverse=True)
    assert all(0 < each.doubt <= 1 for each in told)
    assert all(each.picture == 0 for each in told if each.doubt > 0.2), "good labels are not doubted"
    return [each for each in told if each.picture == 0 and each.doubt > 0.2]


@pytest.mark.parametrize(
    ("picture", "answer", "kind", "box"),
    [
        (truth((HERE, 0)), found((HERE, 0, 0.9), (THERE, 1, 0.8)), "missing", None),
        (truth((HERE, 0), (THERE, 1)), found((HERE, 0, 0.9)), "extra", 1),
        (truth((HERE, 0)), found((HERE, 1, 0.9)), "class", 0),
        (truth(((25, 10, 55, 40), 0)), found((HERE, 0, 0.9)), "place", 0),
    ],
)
def test_each_kind_of_error_is_told_once_and_as_what_it_is(
    picture: Annotation, answer: Detections, kind: str, box: int | None
) -> None:
    (told,) = doubts(picture, answer)
    assert (told.kind, told.box) == (kind, box)
    assert (told.answer is None) == (kind == "extra")


def test_the_surer_answer_weighs_more() -> None:
    pictures = [truth((HERE, 0)), truth((HERE, 0)), *(each for each, _ in GOOD)]
    answers = [found((HERE, 1, 0.6)), found((HERE, 1, 0.9)), *(each for _, each in GOOD)]
    first, second = label_doubts(pictures, answers, (True, True))[:2]
    assert (first.picture, second.picture) == (1, 0)
    assert first.doubt > second.doubt


def test_an_answer_that_agrees_speaks_for_the_label() -> None:
    assert doubts(truth((HERE, 0)), found((HERE, 0, 0.9), (HERE, 1, 0.85))) == []


def test_a_class_that_the_detector_never_finds_is_not_called_empty() -> None:
    pairs = [*GOOD, *[(truth((THERE, 2)), found())] * 5]
    told = label_doubts([each for each, _ in pairs], [each for _, each in pairs], (True, True, True))
    assert not [each for each in told if each.kind == "extra" and each.picture >= len(GOOD)]


def test_unknown_classes_and_crowds_are_left_alone() -> None:
    assert doubts(truth((THERE, 1)), found(), (True, False)) == []
    assert doubts(truth((HERE, 0), crowd=True), found((HERE, 1, 0.9), ((12, 12, 20, 20), 0, 0.8))) == []


def test_nothing_at_all_is_doubted_without_labels_and_answers() -> None:
    assert label_doubts([truth()], [found()], (True,)) == []
    assert label_doubts([], [], (True,)) == []
