"""Boxes come back to the picture's own pixels; what is no picture is refused in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from lightdet.decisions import DecisionRule
from lightdet.decisions.zones import Zone, Zones
from lightdet.errors import UserError
from lightdet.inference.classifier import ClassifierPredictor
from lightdet.inference.inputs import to_picture
from lightdet.inference.predictor import Predictor
from lightdet.inference.tiled import TiledPredictor
from lightdet.inference.zoned import ZonedPredictor
from lightdet.structures import Preprocessing


@given(
    width=st.integers(40, 400),
    height=st.integers(40, 400),
    rect=st.booleans(),
    imgsz=st.sampled_from([64, 96, 160]),
    right=st.floats(0, 1),
    down=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_boxes_return_to_the_picture_within_half_a_pixel(
    painted: Callable[..., np.ndarray],
    make_runtime: Callable[..., Any],
    *,
    width: int,
    height: int,
    rect: bool,
    imgsz: int,
    right: float,
    down: float,
) -> None:
    side = max(6, max(width, height) * 8 // imgsz)  # at least 8 pixels of the network's input
    side_x, side_y = min(side, width - 4), min(side, height - 4)
    x, y = 2 + round(right * (width - 4 - side_x)), 2 + round(down * (height - 4 - side_y))
    image = painted(width, height, ("green", x, y, x + side_x, y + side_y), ground=0)
    found = Predictor(make_runtime(imgsz), rect=rect)(image)
    assert found.size == (width, height)
    assert found.labels.tolist() == [1]
    # Half a pixel of the picture, or what one gray level of 255 hides where pictures shrink much.
    scale = min(imgsz / width, imgsz / height)
    assert np.abs(found.boxes[0] - [x, y, x + side_x, y + side_y]).max() <= max(0.5, 0.16 / scale)


def test_a_box_is_clipped_to_the_picture_and_what_lies_in_the_border_is_dropped(runtime: Any) -> None:
    class Fixed:
        names, preprocessing, milliseconds = ("a",), runtime.preprocessing, {"network": 1.0}

        def __call__(self, batch: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            # 96 x 48 shown in rows 24 to 72: the second box lies wholly in the gray above.
            boxes = np.array([[-5, 20, 50, 80], [10, 0, 90, 23], [20, 30, 20, 40]], np.float32)
            return [(boxes, np.array([0.9, 0.8, 0.7], np.float32), np.zeros(3, np.int64))]

    found = Predictor(Fixed())(np.zeros((48, 96, 3), np.uint8))
    assert found.boxes.tolist() == [[0, 0, 50, 48]]


def test_confidence_keeps_the_better(runtime: Any, painted: Callable[..., np.ndarray]) -> None:
    image = painted(96, 96, ("red", 5, 5, 25, 25), ("blue", 50, 50, 80, 80))
    found = Predictor(runtime, confidence=0.8)(image)
    assert found.labels.tolist() == [0]
    assert set(found.milliseconds) == {"preprocess", "network", "postprocess"}


def test_a_batch_equals_its_pictures_one_by_one(
    make_runtime: Callable[..., Any], painted: Callable[..., np.ndarray]
) -> None:
    images = [
        painted(120, 60, ("red", 5, 5, 25, 25)),
        painted(60, 120, ("blue", 20, 50, 50, 80)),
        painted(240, 120, ("green", 20, 50, 90, 80)),
        painted(30, 30),
    ]
    for rect in (False, True):
        runtime = make_runtime()
        together = Predictor(runtime, rect=rect).batch(images)
        assert len(runtime.shapes) == (3 if rect else 1)
        alone = [Predictor(make_runtime(), rect=rect)(image) for image in images]
        for a, b in zip(together, alone, strict=True):
            assert a.size == b.size and a.boxes.tolist() == b.boxes.tolist() and a.labels.tolist() == b.labels.tolist()
    assert len(together[3]) == 0
    assert Predictor(make_runtime()).batch([]) == []


def test_paths_bytes_pillow_and_arrays_give_the_same(
    tmp_path: Path, runtime: Any, painted: Callable[..., np.ndarray]
) -> None:
    image = painted(100, 80, ("red", 5, 5, 25, 25))
    path = tmp_path / "Prüfling 1 – ☃.png"
    Pil.fromarray(image).save(path)
    predictor = Predictor(runtime)
    wanted = predictor(image)
    for given_as in (path, str(path), path.read_bytes(), Pil.fromarray(image), Pil.open(io.BytesIO(path.read_bytes()))):
        found = predictor(given_as)
        assert found.boxes.tolist() == wanted.boxes.tolist()
        assert "read" in found.milliseconds


def test_kinds_of_arrays_become_rgb() -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for array in (gray, gray[..., None]):
        assert to_picture(array).shape == (3, 4, 3)
        assert (to_picture(array) == gray[..., None]).all()
    alpha = np.dstack([gray, gray, gray, np.zeros_like(gray)])
    assert (to_picture(alpha) == gray[..., None]).all()
    deep = np.array([[0, 4095, 2048]], np.uint16)
    assert to_picture(deep, bit_depth=12)[0, :, 0].tolist() == [0, 255, 128]
    assert to_picture(np.array([[65535]], np.uint16))[0, 0].tolist() == [255] * 3


def test_a_16_bit_array_gives_what_its_file_gives(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (50, 60), dtype=np.uint16)
    Pil.fromarray(deep).save(tmp_path / "deep.png")
    for depth in (12, 16):
        assert (to_picture(deep, bit_depth=depth) == to_picture(tmp_path / "deep.png", bit_depth=depth)).all()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), "float"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4, 3), bool), "bool"),
        (np.zeros((3, 40, 40), np.uint8), "channels first"),
        (np.zeros((40, 40, 2), np.uint8), "40x40x2"),
        (np.zeros((1, 40, 40, 3), np.uint8), "one picture"),
        (np.zeros((0, 40, 3), np.uint8), "empty"),
        (np.zeros(5, np.uint8), "shape 5"),
        (None, "NoneType"),
        ([[1, 2]], "list"),
        (Path("nowhere.png"), "nowhere.png"),
        (b"", "empty"),
        (b"no picture at all", "not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(value: object, words: str, runtime: Any) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Predictor(runtime)(value)
    assert "\n" not in str(caught.value)


def test_a_tensor_is_refused_with_the_way_to_numpy(runtime: Any) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError, match=r"cpu\(\)\.numpy"):
        Predictor(runtime)(torch.zeros(3, 8, 8))


def test_values_that_are_no_numbers_are_told(runtime: Any) -> None:
    class Broken:
        names, preprocessing, milliseconds = ("a",), runtime.preprocessing, {}

        def __call__(self, batch: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            return [(np.full((1, 4), np.nan, np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))]

    with pytest.raises(UserError, match="not a number"):
        Predictor(Broken())(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("confidence", [-0.1, 1.5, float("nan")])
def test_confidence_out_of_range_is_refused(runtime: Any, confidence: float) -> None:
    with pytest.raises(UserError, match="confidence"):
        Predictor(runtime, confidence=confidence)


class Shares:
    """A classifier's network: how red a picture is."""

    names, precision, device = ("other", "red"), "fp32", "cpu"
    preprocessing = Preprocessing(96)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        red = batch[..., 0].mean(axis=(1, 2)) / 255
        return np.stack((1 - red, red), axis=1).astype(np.float32)


def with_batch(runtime: Any) -> list[Any]:
    """Everything that has a `batch`."""
    whole = Predictor(runtime)
    tiled, zones = TiledPredictor(whole, tile=96), Zones((Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1))),))
    return [whole, tiled, ZonedPredictor(whole, zones), ZonedPredictor(tiled, zones), ClassifierPredictor(Shares())]


ONE_PICTURE = [
    ("a.png", "list"),
    (Path("a.png"), "list"),
    (b"PNG", "list"),
    (Pil.new("RGB", (64, 48)), "list"),
    (np.zeros((48, 64), np.uint8), "48x64 is one"),
    (np.zeros((48, 64), np.uint16), "48x64 is one"),
    (np.zeros((48, 64, 1), np.uint8), "48x64x1 is one"),
    (np.zeros((48, 64, 3), np.uint8), "48x64x3 is one"),
    (np.zeros((48, 64, 4), np.uint8), "48x64x4 is one"),
    (np.zeros((3, 48, 64), np.uint8), "3 gray pictures, or one with its channels first"),
    (np.zeros((4, 48, 64), np.uint8), "4 gray pictures, or one with its channels first"),
]


@pytest.mark.parametrize(("one", "words"), ONE_PICTURE, ids=lambda each: str(getattr(each, "shape", each))[:20])
def test_one_picture_given_to_batch_is_refused(one: Any, words: str, runtime: Any) -> None:
    for predictor in with_batch(runtime):
        with pytest.raises(UserError, match=words) as caught:
            predictor.batch(one)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(0,), (1, 48, 64, 3), (2, 48, 64, 3), (5, 48, 64), (2, 48, 64, 1)], ids=str)
def test_an_array_of_several_pictures_is_a_batch(shape: tuple[int, ...], runtime: Any) -> None:
    several = np.full(shape, 60, np.uint8)
    for predictor in with_batch(runtime):
        assert [found.size for found in predictor.batch(several)] == [(64, 48)] * len(several)


def test_what_would_decide_otherwise_across_classes_is_refused(runtime: Any) -> None:
    alone = Predictor(runtime)
    assert not alone.agnostic
    runtime.agnostic = True
    across = Predictor(runtime)
    for rule in (DecisionRule(0.5, {"a": 0.3}), DecisionRule(min_size=4.0), DecisionRule(min_sizes={"a": 4.0})):
        runtime.agnostic = True
        with pytest.raises(UserError, match="--agnostic could drop the box"):
            across.check_rule(rule)
        runtime.agnostic = False
        alone.check_rule(rule)
    runtime.agnostic = True
    across.check_rule(DecisionRule(0.5))
