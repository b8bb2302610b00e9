"""One rendered picture: pure, exact, seen, and what it is said to be."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections import Counter
from functools import cache

import numpy as np
import pytest

from lightdet.data.synthetic import CLASSES, Rendering, render, render_sample
from lightdet.data.synthetic.catalogue import DEFECTS, PARTS

COUNT = 240
SIZES = (96, 160, 224, 333, 480)


@cache
def rendered(index: int) -> Rendering:
    return render(7, index, 160)


def digest(seed: int, index: int, size: int) -> str:
    sample = render_sample(seed, index, size)
    return hashlib.sha256(sample.image.tobytes() + sample.boxes.tobytes() + sample.labels.tobytes()).hexdigest()


def test_same_arguments_give_the_same_bytes_in_any_order() -> None:
    forwards = [digest(3, index, 160) for index in range(12)]
    backwards = [digest(3, index, 160) for index in reversed(range(12))]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == 12


def test_another_process_gives_the_same_bytes() -> None:
    program = (
        "import hashlib, cv2; cv2.setNumThreads(1)\n"
        "from lightdet.data.synthetic import render_sample\n"
        "for index in range(40, 46):\n"
        "    s = render_sample(5, index, 224)\n"
        "    print(hashlib.sha256(s.image.tobytes() + s.boxes.tobytes() + s.labels.tobytes()).hexdigest())\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.split() == [digest(5, index, 224) for index in range(40, 46)]


def test_seed_index_and_share_change_the_picture() -> None:
    base = render_sample(1, 2, 160)
    assert not np.array_equal(base.image, render_sample(2, 1, 160).image)
    assert not np.array_equal(base.image, render_sample(1, 3, 160).image)


def test_numpys_global_state_is_neither_read_nor_changed() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[union-attr, call-overload]
    digest(0, 0, 96)
    assert np.array_equal(before, np.random.get_state()[1])  # type: ignore[call-overload]


@pytest.mark.parametrize("size", [*SIZES, (320, 200), (150, 260)])
def test_box_is_the_tight_bound_of_the_changed_pixels(size: int | tuple[int, int]) -> None:
    """In pictures of any size; in those that are not square the defects have given sizes."""
    found = 0
    for index in range(16):
        square = isinstance(size, int)
        drawn = render(9, index, size, clean=0.0) if square else render(9, index, clean=0.0, size=size, defects=(6, 30))
        assert drawn.sample.image.shape[:2] == ((size, size) if isinstance(size, int) else size[::-1])
        changed = (drawn.sample.image != drawn.reference).any(axis=2)
        # Nothing changes but the masks, and every pixel of a mask does change.
        assert np.array_equal(changed, drawn.masks.any(axis=0))
        for box, mask in zip(drawn.sample.boxes, drawn.masks, strict=True):
            columns, rows = np.nonzero(mask.any(axis=0))[0], np.nonzero(mask.any(axis=1))[0]
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            found += 1
    assert found >= 16


def test_picture_without_defects_is_the_reference() -> None:
    for index in range(8):
        drawn = render(9, index, 160, clean=1.0)
        assert len(drawn.sample.boxes) == 0 == len(drawn.masks)
        assert np.array_equal(drawn.sample.image, drawn.reference)


def test_boxes_lie_in_the_picture_apart_and_of_a_size_to_be_seen() -> None:
    for index in range(COUNT):
        drawn = rendered(index)
        boxes, size = drawn.sample.boxes, drawn.sample.image.shape[0]
        assert drawn.sample.image.shape == (160, 160, 3)
        assert (boxes >= 0).all()
        assert (boxes <= size).all()
        sides = boxes[:, 2:] - boxes[:, :2]
        assert (sides.min(axis=1) >= 2).all()
        assert (sides.max(axis=1) >= 5).all()
        assert (sides.max(axis=1) <= size / 2).all()
        for first in range(len(boxes)):
            for second in range(first):
                a, b = boxes[first], boxes[second]
                assert (a[:2] >= b[2:]).any() or (b[:2] >= a[2:]).any()


def test_defects_can_be_seen() -> None:
    for index in range(COUNT):
        drawn = rendered(index)
        change = np.abs(drawn.sample.image.astype(int) - drawn.reference).max(axis=2)
        for mask in drawn.masks:
            assert change[mask].min() >= 7
            assert change[mask].mean() >= 20


def test_labels_are_the_classes_of_the_named_defects() -> None:
    by_name = {way.__name__: name for name, ways in DEFECTS.items() for way in ways}
    for index in range(COUNT):
        drawn = rendered(index)
        assert [CLASSES[label] for label in drawn.sample.labels] == [by_name[name] for name in drawn.defects]
        assert {by_name[name] for name in drawn.defects} <= set(PARTS[drawn.part][1])


def test_every_class_defect_and_part_appears() -> None:
    drawn = [render(21, index, 128, clean=0.0) for index in range(500)]
    classes = Counter(CLASSES[label] for one in drawn for label in one.sample.labels)
    total = sum(classes.values())
    assert all(classes[name] >= 0.10 * total for name in CLASSES), classes
    assert {name for one in drawn for name in one.defects} == {w.__name__ for ways in DEFECTS.values() for w in ways}
    assert {one.part for one in drawn} == set(PARTS)
    # With no clean picture asked for there is none, and several defects in one picture are common.
    counts = Counter(len(one.defects) for one in drawn)
    assert counts[0] == 0
    assert sum(counts[n] for n in counts if n >= 2) >= 150


def test_share_of_clean_pictures_is_near_what_was_asked() -> None:
    clean = sum(len(rendered(index).defects) == 0 for index in range(COUNT))
    assert 0.07 * COUNT <= clean <= 0.25 * COUNT


def test_gray_and_colour_cameras_and_well_exposed() -> None:
    gray = sum(not np.ptp(rendered(i).sample.image, axis=2).any() for i in range(COUNT))
    assert 0.2 * COUNT <= gray <= 0.5 * COUNT
    for index in range(COUNT):
        levels = rendered(index).sample.image
        assert 20 <= levels.mean() <= 235
        assert (levels == 255).all(axis=2).mean() < 0.25


def test_two_pictures_are_never_near_twins() -> None:
    small = np.stack([rendered(i).sample.image[::8, ::8].astype(np.float32).ravel() for i in range(COUNT)])
    for index in range(COUNT):
        distance = np.abs(small - small[index]).mean(axis=1)
        distance[index] = np.inf
        assert distance.min() > 3


def test_rendering_is_fast() -> None:
    render(0, 0, 320)
    start = time.process_time()
    for index in range(30):
        render(0, index, 320)
    # About 10 ms per picture on one core; the bound leaves room for a slow or busy machine.
    assert (time.process_time() - start) / 30 < 0.1


@pytest.mark.parametrize(
    ("arguments", "share"),
    [((-1, 0, 320), 0.1), ((0, -1, 320), 0.1), ((0, 0, 95), 0.1), ((0, 0, 4097), 0.1), ((0, 0, 320), 1.5)],
)
def test_arguments_out_of_range_are_refused(arguments: tuple[int, int, int], share: float) -> None:
    with pytest.raises(ValueError, match="must"):
        render_sample(*arguments, clean=share)
