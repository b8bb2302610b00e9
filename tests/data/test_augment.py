"""Augmentation on painted rectangles: wherever the pixels go, their box and label go too."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lightdet.data.augment import (
    AffineRange,
    PixelTransforms,
    copy_paste,
    filter_boxes,
    flip_lr,
    flip_ud,
    gray_plane,
    jitter_hsv,
    mixup,
    mosaic,
    mosaic_affine,
    random_affine,
    rotate_90,
    solid,
)
from lightdet.data.augment.gray import as_rgb
from lightdet.errors import UserError
from lightdet.structures import Sample

seeds = st.integers(0, 100_000)
Box = Sequence[float]


def paint(width: int, height: int, boxes: Sequence[Box], ground: int = 0) -> Sample:
    """Up to three rectangles, each of 255 in a colour channel of its own, which is its label."""
    image = np.full((height, width, 3), ground, np.uint8)
    for channel, (x1, y1, x2, y2) in enumerate(boxes):
        image[int(y1) : int(y2), int(x1) : int(x2), channel] = 255
    return Sample(image, np.array(boxes, np.float32).reshape(-1, 4), np.arange(len(boxes), dtype=np.int64))


def painted(seed: int, width: int, height: int, smallest: int = 8, margin: int = 0) -> Sample:
    """One to three random rectangles of whole pixels, `margin` pixels from the border."""
    rng = np.random.default_rng(seed)
    boxes = []
    for _ in range(int(rng.integers(1, 4))):
        w, h = int(rng.integers(smallest, width // 2)), int(rng.integers(smallest, height // 2))
        x = int(rng.integers(margin, max(margin, width - w - margin) + 1))
        y = int(rng.integers(margin, max(margin, height - h - margin) + 1))
        boxes.append([x, y, x + w, y + h])
    return paint(width, height, boxes)


def seen(image: np.ndarray, channel: int) -> np.ndarray | None:
    """The box around the bright pixels of a channel; padding (114) is not bright."""
    rows, columns = np.nonzero(image[..., channel] > 127)
    if len(rows) == 0:
        return None
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)


def assert_follows(sample: Sample, within: float) -> None:
    """Every box lies around the pixels of its colour, to `within` pixels."""
    for box, label in zip(sample.boxes, sample.labels, strict=True):
        found = seen(sample.image, int(label))
        assert found is not None
        np.testing.assert_allclose(box, found, atol=within)


def assert_inside(sample: Sample) -> None:
    height, width = sample.image.shape[:2]
    assert (sample.boxes >= 0).all()
    assert (sample.boxes[:, [0, 2]] <= width).all()
    assert (sample.boxes[:, [1, 3]] <= height).all()


def assert_same(one: Sample, other: Sample) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.labels, other.labels)


# Mirrors and turns


@pytest.mark.parametrize(("turn", "times"), [(flip_lr, 2), (flip_ud, 2), (rotate_90, 4)])
@given(seed=seeds, width=st.integers(20, 60), height=st.integers(20, 60))
@settings(max_examples=20)
def test_turns_are_exact_and_come_round(
    turn: Callable[[Sample], Sample], times: int, seed: int, width: int, height: int
) -> None:
    start = painted(seed, width, height)
    sample = start
    for _ in range(times):
        sample = turn(sample)
        assert_follows(sample, within=0)
        assert_inside(sample)
    assert_same(sample, start)


def test_which_way_each_turns() -> None:
    """A box in the upper left corner of a wide picture."""
    start = paint(30, 20, [[0, 0, 6, 4]])
    assert flip_lr(start).boxes.tolist() == [[24, 0, 30, 4]]
    assert flip_ud(start).boxes.tolist() == [[0, 16, 6, 20]]
    turned = rotate_90(start)  # counter-clockwise: it is then in the lower left
    assert turned.image.shape[:2] == (30, 20)
    assert turned.boxes.tolist() == [[0, 24, 4, 30]]


@pytest.mark.parametrize("turn", [flip_lr, flip_ud, rotate_90])
def test_turning_a_picture_without_boxes(turn: Callable[[Sample], Sample]) -> None:
    sample = turn(paint(8, 6, []))
    assert sample.boxes.shape == (0, 4)


# Affine


def upright(seed: int) -> AffineRange:
    rng = np.random.default_rng(seed)
    return AffineRange(0, float(rng.uniform(0, 0.4)), float(rng.uniform(0, 0.6)), 0)


@given(seed=seeds, width=st.integers(60, 160), height=st.integers(60, 160))
@settings(max_examples=60)
def test_scaled_and_shifted_boxes_lie_on_their_pixels(seed: int, width: int, height: int) -> None:
    start = painted(seed, width, height, margin=2)  # padding beside a box would blur where it ends
    sample = random_affine(start, 128, upright(seed), np.random.default_rng(seed))
    assert sample.image.shape == (128, 128, 3)
    assert_inside(sample)
    assert_follows(sample, within=0.75)


@given(seed=seeds)
@settings(max_examples=60)
def test_turned_and_slanted_boxes_lie_around_their_pixels(seed: int) -> None:
    limits = AffineRange(degrees=180, translate=0.1, scale=0.3, shear=20)
    sample = random_affine(painted(seed, 160, 120, smallest=20), 224, limits, np.random.default_rng(seed))
    assert_inside(sample)
    within = [
        index
        for index, (x1, y1, x2, y2) in enumerate(sample.boxes)
        if min(x1, y1) > 0 and max(x2, y2) < 224  # a cut corner would not show
    ]
    # A sharp corner fades out within a pixel or two.
    assert_follows(Sample(sample.image, sample.boxes[within], sample.labels[within]), within=2.0)


def test_no_range_at_all_puts_the_picture_in_the_middle() -> None:
    sample = random_affine(paint(40, 20, [[4, 4, 12, 16]]), 64, AffineRange(0, 0, 0, 0), np.random.default_rng(0))
    assert sample.boxes.tolist() == [[16, 26, 24, 38]]
    assert_follows(sample, within=0)
    assert (sample.image[:22] == 114).all()
    assert (sample.image[:, 52:] == 114).all()


def test_the_same_generator_gives_the_same_sample() -> None:
    limits = AffineRange(90, 0.2, 0.5, 10)
    one, other, third = (
        random_affine(painted(1, 80, 80), 80, limits, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert_same(one, other)
    assert not np.array_equal(one.image, third.image)


@pytest.mark.parametrize(
    ("moved", "clipped", "kept"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], True),
        ([0, 0, 1.9, 10], [0, 0, 1.9, 10], False),  # narrower than two pixels
        ([-90, 0, 10, 10], [0, 0, 10, 10], False),  # a tenth is left
        ([-40, 0, 10, 10], [0, 0, 10, 10], True),  # a fifth is left
        ([0, 0, 150, 2.4], [0, 0, 150, 2.4], False),  # more than sixty times as long as wide
        ([5, 5, 5, 5], [5, 5, 5, 5], False),
        ([-9, -9, -1, -1], [0, 0, 0, 0], False),
    ],
)
def test_which_boxes_stay(moved: Box, clipped: Box, kept: bool) -> None:
    assert filter_boxes(np.array([moved], np.float32), np.array([clipped], np.float32)).tolist() == [kept]


# Mosaic


def four(seed: int, side: int) -> list[Sample]:
    """Four pictures of different sizes; the boxes of number k have label 3k and their colour's level is 255 - k."""
    rng = np.random.default_rng(seed)
    samples = []
    for place in range(4):
        width, height = (side, int(rng.integers(20, side + 1)))[:: 1 if rng.random() < 0.5 else -1]
        plain = paint(width, height, [[2, 3, width - 4, height - 6]])
        image = np.where(plain.image == 255, 255 - place, plain.image).astype(np.uint8)
        samples.append(Sample(image, plain.boxes, plain.labels + 3 * place))
    return samples


@given(seed=seeds)
@settings(max_examples=40)
def test_a_mosaic_keeps_each_box_on_its_picture(seed: int) -> None:
    side = 48
    sample = mosaic(four(seed, side), side, np.random.default_rng(seed))
    assert sample.image.shape == (96, 96, 3)
    assert_inside(sample)
    for place in range(4):
        rows, columns = np.nonzero(sample.image[..., 0] == 255 - place)
        boxes = sample.boxes[sample.labels == 3 * place]
        assert len(boxes) <= 1
        if len(boxes):
            found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert boxes[0].tolist() == found


def test_a_mosaic_shows_all_four_where_there_is_room() -> None:
    labels = [set(mosaic(four(1, 48), 48, np.random.default_rng(seed)).labels.tolist()) for seed in range(20)]
    assert all(found == {0, 3, 6, 9} for found in labels)


def test_a_mosaic_of_background_and_a_wrong_number() -> None:
    plain = [paint(20, 20, [])] * 4
    assert len(mosaic(plain, 20, np.random.default_rng(0)).boxes) == 0
    with pytest.raises(ValueError, match="four"):
        mosaic(plain[:3], 20, np.random.default_rng(0))


def test_a_mosaic_is_drawn_from_its_generator() -> None:
    one, other = (mosaic(four(2, 48), 48, np.random.default_rng(9)) for _ in range(2))
    assert_same(one, other)


# Mixup and copy-paste


def test_mixup_averages_pixels_and_keeps_all_boxes() -> None:
    first, second = painted(1, 40, 30), painted(2, 40, 30)
    sample = mixup(first, second, np.random.default_rng(0))
    share = float(np.random.default_rng(0).beta(32, 32))
    exact = share * first.image.astype(float) + (1 - share) * second.image
    np.testing.assert_allclose(sample.image, exact, atol=0.51)
    assert 0.2 < share < 0.8
    assert sample.boxes.tolist() == [*first.boxes.tolist(), *second.boxes.tolist()]
    assert sample.labels.tolist() == [*first.labels.tolist(), *second.labels.tolist()]


def test_mixup_with_background() -> None:
    sample = mixup(paint(20, 20, []), paint(20, 20, [[2, 2, 9, 9]]), np.random.default_rng(0))
    assert len(sample.boxes) == 1


def overlaps(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


@given(seed=seeds)
@settings(max_examples=80)
def test_copy_paste_covers_no_label_and_labels_what_it_pastes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = painted(seed, 90, 70)
    target = Sample((target.image // 2).astype(np.uint8), target.boxes, target.labels)
    source = painted(seed + 1, 90, 70)
    before = target.image.copy(), source.image.copy()
    sample = copy_paste(target, source, rng)
    np.testing.assert_array_equal(target.image, before[0])
    np.testing.assert_array_equal(source.image, before[1])
    assert_inside(sample)
    old = len(target.boxes)
    assert sample.boxes[:old].tolist() == target.boxes.tolist()
    assert sample.labels[:old].tolist() == target.labels.tolist()
    for x1, y1, x2, y2 in target.boxes.astype(int):
        np.testing.assert_array_equal(sample.image[y1:y2, x1:x2], target.image[y1:y2, x1:x2])
    for index in range(old, len(sample.boxes)):
        box = sample.boxes[index]
        assert not any(overlaps(box, other) for k, other in enumerate(sample.boxes) if k != index)
        x1, y1, x2, y2 = box.astype(int)
        assert (sample.image[y1:y2, x1:x2, sample.labels[index]] == 255).all()
    # Nothing of 255 stands anywhere but in a pasted box with its label.
    for channel in range(3):
        left = sample.image[..., channel] == 255
        for box, label in zip(sample.boxes[old:], sample.labels[old:], strict=True):
            x1, y1, x2, y2 = box.astype(int)
            if label == channel:
                left[y1:y2, x1:x2] = False
        assert not left.any(), "a defect came along without its label"


def test_copy_paste_does_paste_and_no_more_than_it_may() -> None:
    target, source = paint(200, 200, []), paint(200, 200, [[0, 0, 9, 9], [50, 0, 60, 9], [100, 0, 109, 9]])
    for most in (1, 2, 3):
        assert len(copy_paste(target, source, np.random.default_rng(0), most=most).boxes) <= most
    pasted = [len(copy_paste(target, source, np.random.default_rng(seed)).boxes) for seed in range(20)]
    assert max(pasted) == 3
    assert min(pasted) >= 1


def test_copy_paste_keeps_fractions_of_a_pixel() -> None:
    source = Sample(
        paint(60, 60, [[10, 20, 16, 30]]).image, np.array([[10.25, 20.5, 15.75, 30]], np.float32), np.array([0])
    )
    sample = copy_paste(paint(60, 60, []), source, np.random.default_rng(3))
    ((x1, y1, x2, y2),) = sample.boxes
    (px1, py1, px2, py2) = seen(sample.image, 0)  # type: ignore[misc]
    assert (x1 - px1, y1 - py1, px2 - x2, py2 - y2) == (0.25, 0.5, 0.25, 0)


def test_copy_paste_from_background_or_of_a_giant_changes_nothing() -> None:
    target = paint(40, 40, [[0, 0, 9, 9]])
    for source in (paint(40, 40, []), paint(40, 40, [[0, 0, 30, 30]])):
        assert_same(copy_paste(target, source, np.random.default_rng(0)), target)


# Colour


def test_no_gain_changes_no_colour() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    same = jitter_hsv(image, 0, 0, 0, np.random.default_rng(0)).astype(int)
    assert np.abs(same - image).max() <= 6  # hue in steps of two degrees
    gray = np.repeat(image[..., :1], 3, axis=2)
    np.testing.assert_array_equal(jitter_hsv(gray, 0, 0, 0, np.random.default_rng(0)), gray)


def test_gray_stays_gray_and_is_scaled() -> None:
    gray = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    for seed in range(5):
        changed = jitter_hsv(gray, 0.1, 0.5, 0.4, np.random.default_rng(seed))
        assert (changed[..., 0] == changed[..., 1]).all()
        assert (changed[..., 1] == changed[..., 2]).all()
        factor = 1 + 0.4 * np.random.default_rng(seed).uniform(-1, 1, 3)[2]
        np.testing.assert_allclose(changed[..., 0].ravel(), np.clip(np.arange(256) * factor, 0, 255), atol=1)


def test_one_coloured_pixel_makes_a_picture_coloured() -> None:
    image = np.full((33, 33, 3), 90, np.uint8)
    image[5, 7] = (200, 20, 20)
    changed = jitter_hsv(image, 0.0, 0.9, 0.0, np.random.default_rng(1))
    assert changed[5, 7, 0] != changed[5, 7, 1]
    assert abs(int(changed[5, 7, 0]) - 200) <= 2  # value is the largest channel, and it was not changed


def test_brightness_within_its_range_and_the_input_untouched() -> None:
    image = np.random.default_rng(0).integers(60, 120, (8, 8, 3), dtype=np.uint8)
    before = image.copy()
    for seed in range(10):
        most = jitter_hsv(image, 0, 0, 0.3, np.random.default_rng(seed)).max(axis=2) / image.max(axis=2)
        assert most.min() > 0.68
        assert most.max() < 1.32
    np.testing.assert_array_equal(image, before)


# albumentations

SOME = {"GaussianBlur": 0.5, "CLAHE": 0.5, "ImageCompression": 0.5, "GaussNoise": 0.5, "RandomBrightnessContrast": 0.5}


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise AssertionError("the network was asked for something")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_pixel_transforms_change_pixels_by_their_generator(picture: np.ndarray) -> None:
    before = picture.copy()
    chain = PixelTransforms(SOME)
    first = [chain(picture, np.random.default_rng(seed)) for seed in range(6)]
    again = [PixelTransforms(SOME)(picture, np.random.default_rng(seed)) for seed in range(6)]
    for one, other in zip(first, again, strict=True):
        assert (one.shape, one.dtype) == (picture.shape, np.uint8)
        np.testing.assert_array_equal(one, other)
    assert len({one.tobytes() for one in first}) > 3
    np.testing.assert_array_equal(picture, before)


def test_no_transforms_no_change(picture: np.ndarray) -> None:
    np.testing.assert_array_equal(PixelTransforms({})(picture, np.random.default_rng(0)), picture)
    np.testing.assert_array_equal(PixelTransforms({"ToGray": 0.0})(picture, np.random.default_rng(0)), picture)


def test_threads_do_not_disturb_each_other(picture: np.ndarray) -> None:
    chain = PixelTransforms({"GaussNoise": 1.0, "RandomGamma": 0.5, "MotionBlur": 0.5})
    expected = [chain(picture, np.random.default_rng(seed)) for seed in range(40)]
    start = threading.Barrier(4)

    def work(first: int) -> list[np.ndarray]:
        start.wait()
        return [chain(picture, np.random.default_rng(seed)) for seed in range(first, 40, 4)]

    with ThreadPoolExecutor(4) as pool:
        for first, found in enumerate(pool.map(work, range(4))):
            for seed, image in zip(range(first, 40, 4), found, strict=True):
                np.testing.assert_array_equal(image, expected[seed])


@pytest.mark.parametrize(
    "name",
    [
        "GausianBlur",  # misspelt
        "HorizontalFlip",  # would leave the boxes behind
        "Compose",
        "ImageOnlyTransform",
        "Normalize",  # gives floats
        "ToFloat",
        "FDA",  # needs other pictures
        "TextImage",  # needs a font
        "__name__",
    ],
)
def test_what_is_no_pixel_transform_is_refused_by_name(name: str) -> None:
    with pytest.raises(UserError) as caught:
        PixelTransforms({"CLAHE": 0.1, name: 0.5})
    assert f"'{name}'" in str(caught.value)
    assert "\n" not in str(caught.value)


# Mosaic and affine map in one


def mixed(seed: int, side: int, *, gray: bool) -> list[Sample]:
    """Four smooth pictures, so that interpolation hardly depends on where a seam lies."""
    rng = np.random.default_rng(seed)
    samples = []
    for sample in four(seed, side):
        height, width = sample.image.shape[:2]
        ramp = np.linspace(0, rng.uniform(40, 200), width)[None] + np.linspace(0, rng.uniform(10, 50), height)[:, None]
        plane = ramp.astype(np.uint8)
        image = as_rgb(plane) if gray else np.stack((plane, plane // 2, 255 - plane), axis=-1)
        samples.append(Sample(image, sample.boxes, sample.labels))
    return samples


@given(seed=seeds, gray=st.booleans())
@settings(max_examples=60)
def test_an_upright_mosaic_is_the_warped_canvas(seed: int, gray: bool) -> None:
    side, limits = 48, AffineRange(translate=0.3, scale=0.6)
    samples = mixed(seed, side, gray=gray)
    rng = np.random.default_rng(seed)
    joined = mosaic(samples, side, rng)
    whole = random_affine(Sample(solid(joined.image), joined.boxes, joined.labels), side, limits, rng)
    direct = mosaic_affine(samples, side, limits, np.random.default_rng(seed))
    np.testing.assert_array_equal(direct.boxes, whole.boxes)
    np.testing.assert_array_equal(direct.labels, whole.labels)
    assert (gray_plane(direct.image) is not None) == gray
    inner = interior(samples, side, limits, seed)
    assert inner.mean() > 0.3
    assert np.abs(direct.image.astype(int) - whole.image)[inner].max() <= 2


def interior(samples: list[Sample], side: int, limits: AffineRange, seed: int) -> NDArray[np.bool_]:
    """Where no seam is near: the same mosaic of plain pictures has one level all around."""
    plain = [Sample(np.full_like(solid(s.image), 40 * k), s.boxes, s.labels) for k, s in enumerate(samples)]
    rng = np.random.default_rng(seed)
    joined = mosaic(plain, side, rng, pad_value=200)
    levels = random_affine(joined, side, limits, rng, pad_value=200).image[..., 0]
    around = np.ones((5, 5), np.uint8)
    return np.asarray(cv2.dilate(levels, around) == cv2.erode(levels, around))


def turn(sample: Sample) -> Sample:
    return random_affine(sample, 40, AffineRange(20, 0.2, 0.4, 5), np.random.default_rng(1))


@pytest.mark.parametrize("change", [flip_lr, flip_ud, turn])
def test_a_gray_picture_is_changed_as_its_copy_in_colour(change: Callable[[Sample], Sample]) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    boxes, labels = np.array([[3, 4, 20, 21]], np.float32), np.zeros(1, np.int64)
    gray, colour = (change(Sample(image, boxes, labels)) for image in (as_rgb(plane), solid(as_rgb(plane))))
    assert gray_plane(gray.image) is not None
    assert gray_plane(colour.image) is None
    np.testing.assert_array_equal(gray.image, colour.image)
    np.testing.assert_array_equal(gray.boxes, colour.boxes)


def test_a_mirror_image_leaves_no_gray_corners() -> None:
    sample = Sample(np.full((40, 40, 3), 200, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    turned = AffineRange(degrees=45, translate=0.1, scale=0.3)
    for seed in range(5):
        gray, mirrored = (
            random_affine(sample, 32, turned, np.random.default_rng(seed), mirror=mirror).image
            for mirror in (False, True)
        )
        assert (np.asarray(mirrored) == 200).all()
        assert ((np.asarray(gray) == 200) <= (np.asarray(mirrored) == 200)).all()
    assert (np.asarray(gray) == 114).any()
