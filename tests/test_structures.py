"""The types that join the parts refuse what does not fit when it is made, not three steps later."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightdet.structures import Annotation, Batch, Detections, Preprocessing, Sample


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def labels(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


PICTURE = np.zeros((10, 20, 3), np.uint8)
ONE = boxes((1, 2, 3, 4))

BAD_BOXES = [
    (np.zeros((1, 4), np.float64), labels(0), "boxes must be float32"),
    (np.zeros(4, np.float32), labels(0), r"boxes must be float32 \[N, 4\]"),
    (np.zeros((1, 5), np.float32), labels(0), r"boxes must be float32 \[N, 4\]"),
    (ONE, np.zeros(1, np.int32), r"labels must be int64 \[1\]"),
    (ONE, labels(), r"labels must be int64 \[1\]"),
    (ONE, labels(-1), "labels must not be negative"),
    (boxes((3, 2, 1, 4)), labels(0), "x2 >= x1"),
    (boxes((1, 4, 3, 2)), labels(0), "y2 >= y1"),
    (boxes((np.nan, 0, 1, 1)), labels(0), "finite"),
    (boxes((0, 0, np.inf, 1)), labels(0), "finite"),
]


@pytest.mark.parametrize(("bad", "of", "message"), BAD_BOXES)
def test_bad_boxes_enter_nowhere(bad: np.ndarray, of: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Annotation(Path("a.png"), (20, 10), bad, of)
    with pytest.raises(ValueError, match=message):
        Sample(PICTURE, bad, of)
    with pytest.raises(ValueError, match=message):
        Detections(bad, np.zeros(len(of), np.float32), of)


def test_an_annotation_may_be_empty() -> None:
    background = Annotation(Path("a.png"), (20, 10), boxes(), labels())
    assert len(background) == 0 and background.crowd is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (0, 10)}, "size must be positive"),
        ({"crowd": np.zeros(2, bool)}, "crowd must have one flag per box"),
        ({"lines": (1, 2)}, "lines must have one number per box"),
    ],
)
def test_annotation_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Annotation(Path("a.png"), (20, 10), ONE, labels(0)), **change)


@pytest.mark.parametrize(
    "picture", [PICTURE[..., 0], PICTURE[..., :2], PICTURE.astype(np.float32), np.zeros((2, 10, 20, 3), np.uint8)]
)
def test_a_sample_is_rgb_of_bytes(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"image must be uint8 \[H, W, 3\]"):
        Sample(picture, ONE, labels(0))


def test_batch() -> None:
    batch = Batch(torch.zeros(2, 3, 32, 64), torch.zeros(5, 6), (7, 8))
    assert len(batch) == 2
    for images, targets in [
        (torch.zeros(3, 32, 64), torch.zeros(5, 6)),
        (torch.zeros(2, 1, 32, 64), torch.zeros(5, 6)),
        (torch.zeros(2, 3, 32, 64), torch.zeros(5, 5)),
        (torch.zeros(2, 3, 32, 64), torch.zeros(6)),
    ]:
        with pytest.raises(ValueError, match="must be"):
            Batch(images, targets)


@pytest.mark.parametrize(
    ("given_scores", "message"),
    [
        (scores(0.5), r"scores must be float32 \[2\]"),
        (np.array([0.5, 0.4]), r"scores must be float32 \[2\]"),
        (scores(1.5, 0.5), r"scores must lie in \[0, 1\]"),
        (scores(0.5, -0.1), r"scores must lie in \[0, 1\]"),
        (scores(np.nan, np.nan), r"scores must lie in \[0, 1\]"),
        (scores(0.4, 0.5), "best score first"),
    ],
)
def test_detections_refuse(given_scores: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(boxes((0, 0, 1, 1), (0, 0, 2, 2)), given_scores, labels(0, 1))


def test_every_label_has_a_name() -> None:
    with pytest.raises(ValueError, match="label 1 has no name: 1 names given"):
        Detections(ONE, scores(0.5), labels(1), ("scratch",))


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(0, 2)), max_size=10), st.floats(0, 1, width=32))
def test_above_keeps_those_and_their_order(found: list[tuple[float, int]], threshold: float) -> None:
    found = sorted(found, key=lambda pair: -pair[0])
    rows = boxes(*[(i, 0, i + 1, 1) for i in range(len(found))])
    all_of_them = Detections(rows, scores(*[s for s, _ in found]), labels(*[k for _, k in found]), ("a", "b", "c"))
    kept = all_of_them.above(threshold)
    assert [(s, k) for _, s, k in kept] == [(s, k) for s, k in found if s >= threshold]
    assert [int(box[0]) for box, _, _ in kept] == [i for i, (s, _) in enumerate(found) if s >= threshold]
    assert kept.names == all_of_them.names


def test_plain_values_for_json() -> None:
    found = Detections(ONE, scores(0.123456), labels(1), ("scratch", "dent"), (20, 10))
    assert json.loads(json.dumps(found.as_dicts())) == [
        {"box": [1.0, 2.0, 3.0, 4.0], "score": 0.1235, "label": 1, "name": "dent"}
    ]
    assert dataclasses.replace(found, names=()).as_dicts()[0]["name"] == "1"
    assert Detections.empty(("a",), (3, 4)).as_dicts() == []


@pytest.mark.parametrize("imgsz", [0, -32, 600, 31, 8224])
def test_the_input_is_a_multiple_of_32(imgsz: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 32, from 32 to 8192, got {imgsz}"):
        Preprocessing(imgsz)


@pytest.mark.parametrize("change", [{"pad_value": 256}, {"pad_value": -1}, {"bit_depth": 8}, {"bit_depth": 17}])
def test_preprocessing_refuses(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        Preprocessing(608, **change)


def test_they_are_frozen() -> None:
    for made in (Preprocessing(608), Detections.empty(), Annotation(Path("a"), (1, 1), boxes(), labels())):
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.size = (1, 2)  # type: ignore[misc]
