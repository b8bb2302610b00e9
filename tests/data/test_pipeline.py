"""Training samples: a function of seed, epoch and position alone, boxes in the picture, batches as tensors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightdet.data.collate import collate
from lightdet.data.pictures import Pictures
from lightdet.data.pipeline import AugmentRecipe, TrainingSamples
from lightdet.geometry.letterbox import letterbox
from lightdet.structures import Annotation, Sample

SIDE = 96
OFF: dict[str, Any] = {
    "mosaic": 0.0,
    "flip_lr": 0.0,
    "hsv_h": 0.0,
    "hsv_s": 0.0,
    "hsv_v": 0.0,
    "translate": 0.0,
    "scale": 0.0,
}
EVERYTHING = AugmentRecipe(
    mosaic=0.7, mixup=0.5, copy_paste=0.5, flip_ud=0.5, rotate_90=0.5, degrees=20, shear=5, albumentations={"Blur": 0.5}
)


@pytest.fixture
def pictures(tmp_path: Path, save_picture: Callable[..., Path]) -> Pictures:
    annotations = []
    for index, size in enumerate([(80, 60), (60, 80), (96, 96), (50, 20), (33, 47)]):
        path = save_picture(tmp_path / f"{index}.png", size=size)
        boxes = [[2, 2, size[0] - 4, size[1] - 5], [0, 0, 12, 9]][: index % 3]
        labels = np.arange(len(boxes), dtype=np.int64)
        annotations.append(Annotation(path, size, np.array(boxes, np.float32).reshape(-1, 4), labels))
    return Pictures(annotations, SIDE)


def assert_same(one: Sample, other: Sample) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.labels, other.labels)


def test_everything_at_once_gives_whole_samples(pictures: Pictures) -> None:
    samples = TrainingSamples(pictures, EVERYTHING, seed=0)
    before = [pictures.sample(index).image.copy() for index in range(len(pictures))]
    for position in range(30):
        sample = samples.make(0, position, position % 5, compose=position % 4 > 0)
        assert sample.image.shape == (SIDE, SIDE, 3)
        assert (sample.boxes >= -1e-3).all()
        assert (sample.boxes <= SIDE + 1e-3).all()
        assert len(sample.boxes) == len(sample.labels)
    for index, image in enumerate(before):
        np.testing.assert_array_equal(pictures.sample(index).image, image)


def test_a_sample_depends_on_seed_epoch_and_position_alone(pictures: Pictures) -> None:
    first, second = (TrainingSamples(pictures, EVERYTHING, seed=1) for _ in range(2))
    wanted = [(epoch, position) for epoch in range(2) for position in range(6)]
    there = {place: first.make(*place, 2, compose=True) for place in wanted}
    back = {place: second.make(*place, 2, compose=True) for place in reversed(wanted)}
    for place in wanted:
        assert_same(there[place], back[place])
    assert len({sample.image.tobytes() for sample in there.values()}) == len(wanted)
    other = TrainingSamples(pictures, EVERYTHING, seed=2).make(0, 0, 2, compose=True)
    assert not np.array_equal(other.image, there[0, 0].image)


def test_without_changes_it_is_the_letterbox(pictures: Pictures) -> None:
    samples = TrainingSamples(pictures, AugmentRecipe(**OFF), seed=0, pad_value=9)
    for index in range(len(pictures)):
        sample, plain = samples.make(0, 0, index, compose=True), pictures.sample(index)
        image, transform = letterbox(np.ascontiguousarray(plain.image), (SIDE, SIDE), pad_value=9)
        np.testing.assert_array_equal(sample.image, image)
        np.testing.assert_array_equal(sample.boxes, transform.apply(plain.boxes))


def test_compose_off_leaves_single_pictures(pictures: Pictures) -> None:
    recipe = AugmentRecipe(**OFF | {"mosaic": 1.0, "mixup": 1.0, "copy_paste": 1.0})
    plain = TrainingSamples(pictures, AugmentRecipe(**OFF), seed=0)
    samples = TrainingSamples(pictures, recipe, seed=0)
    for index in range(len(pictures)):
        assert_same(samples.make(0, 0, index, compose=False), plain.make(0, 0, index, compose=False))
    assert not np.array_equal(samples.make(0, 0, 2, compose=True).image, samples.make(0, 0, 2, compose=False).image)


@pytest.mark.parametrize("name", ["flip_lr", "flip_ud", "rotate_90"])
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_each_turn_comes_as_often_as_it_should(pictures: Pictures, name: str, probability: float) -> None:
    samples = TrainingSamples(pictures, AugmentRecipe(**OFF | {name: probability}), seed=3)
    plain = TrainingSamples(pictures, AugmentRecipe(**OFF), seed=3).make(0, 0, 2, compose=True)
    turned = sum(not np.array_equal(samples.make(0, place, 2, compose=True).image, plain.image) for place in range(200))
    assert turned / 200 == pytest.approx(probability, abs=0.12)


def test_collate_numbers_the_boxes_by_picture() -> None:
    rng = np.random.default_rng(0)
    samples = [
        Sample(
            rng.integers(0, 256, (32, 64, 3), dtype=np.uint8),
            np.array([[k, 0, 10 + k, 5]] * k, np.float32).reshape(-1, 4),
            np.arange(k, dtype=np.int64) + 4,
        )
        for k in (2, 0, 1)
    ]
    batch = collate(samples, (7, 8, 9))
    assert batch.images.shape == (3, 3, 32, 64)
    assert batch.images.dtype == torch.uint8
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    for index, sample in enumerate(samples):
        np.testing.assert_array_equal(batch.images[index].permute(1, 2, 0).numpy(), sample.image)
    assert batch.targets.dtype == torch.float32
    assert batch.targets.tolist() == [[0, 4, 2, 0, 12, 5], [0, 5, 2, 0, 12, 5], [2, 4, 1, 0, 11, 5]]
    assert batch.indices == (7, 8, 9)


def test_collate_background_alone() -> None:
    empty = Sample(np.zeros((32, 32, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert collate([empty, empty]).targets.shape == (0, 6)
