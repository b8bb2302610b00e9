"""The order of an epoch and the batches made of it, whatever the threads, the processes and the beginning."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.data.loader import TrainingLoader, default_workers, epoch_order
from lightdet.data.pictures import Pictures
from lightdet.data.pipeline import AugmentRecipe, TrainingSamples
from lightdet.structures import Annotation, Batch

COUNT = 7


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    annotations = []
    for index in range(COUNT):
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(folder / f"{index}.png")
        boxes = np.array([[4, 4, 30, 20]] * (index % 3), np.float32).reshape(-1, 4)
        annotations.append(Annotation(folder / f"{index}.png", (48, 40), boxes, np.full(len(boxes), index, np.int64)))
    return Pictures(annotations, 64)


@pytest.fixture(scope="module")
def loader_for(pictures: Pictures) -> Callable[..., TrainingLoader]:
    samples = TrainingSamples(
        pictures, AugmentRecipe(mosaic=0.5, albumentations={"GaussNoise": 0.5, "Blur": 0.5}), seed=4
    )
    return lambda batch=4, **more: TrainingLoader(samples, batch, seed=4, **more)


def assert_same_batches(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other)
    for mine, yours in zip(one, other, strict=True):
        assert mine.indices == yours.indices
        assert torch.equal(mine.images, yours.images)
        assert torch.equal(mine.targets, yours.targets)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5))
def test_every_picture_is_seen_and_every_batch_is_full(count: int, batch: int, epoch: int) -> None:
    order = epoch_order(count, batch, epoch, seed=1)
    assert order.shape == (-(-count // batch), batch)
    assert set(order.ravel().tolist()) == set(range(count))
    times = np.bincount(order.ravel(), minlength=count)
    assert times.max() - times.min() <= 1, "none is seen twice more often than another"
    np.testing.assert_array_equal(order, epoch_order(count, batch, epoch, seed=1))


def test_epochs_and_seeds_differ() -> None:
    orders = [tuple(epoch_order(30, 5, epoch, seed).ravel()) for epoch in range(3) for seed in range(3)]
    assert len(set(orders)) == 9


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_weights_decide_how_often(seed: int) -> None:
    weights = np.array([1.0, 3.0, 0.001, 4.0])
    order = epoch_order(4, 2000, 0, seed, weights)
    assert order.shape == (1, 2000)
    share = np.bincount(order.ravel(), minlength=4) / 2000
    np.testing.assert_allclose(share, weights / weights.sum(), atol=0.06)


def test_an_epoch(loader_for: Callable[..., TrainingLoader]) -> None:
    loader = loader_for()
    batches = list(loader.epoch(0))
    assert len(batches) == len(loader) == 2
    assert [len(batch) for batch in batches] == [4, 4]
    assert set(batches[0].indices + batches[1].indices) == set(range(COUNT))
    assert batches[0].images.shape == (4, 3, 64, 64)


def test_any_number_of_threads_gives_the_same_batches(loader_for: Callable[..., TrainingLoader]) -> None:
    expected = list(loader_for(workers=1).epoch(1))
    for workers in (0, 2, 5):
        assert_same_batches(list(loader_for(workers=workers).epoch(1)), expected)


@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_from_the_middle_on(loader_for: Callable[..., TrainingLoader], first: int) -> None:
    whole = list(loader_for(2).epoch(2))
    assert len(whole) == 4
    assert_same_batches(list(loader_for(2, workers=3).epoch(2, first=first)), whole[first:])


@pytest.mark.parametrize("processes", [2, 4])
def test_the_shares_of_all_processes_are_the_batch(loader_for: Callable[..., TrainingLoader], processes: int) -> None:
    whole = list(loader_for().epoch(3))
    shares = [list(loader_for(rank=rank, processes=processes).epoch(3)) for rank in range(processes)]
    for step, batch in enumerate(whole):
        assert torch.cat([share[step].images for share in shares]).equal(batch.images)
        assert sum((share[step].indices for share in shares), ()) == batch.indices
        rows = []
        for rank, share in enumerate(shares):
            moved = share[step].targets.clone()
            moved[:, 0] += rank * 4 // processes
            rows.append(moved)
        assert torch.cat(rows).equal(batch.targets)


def test_a_batch_that_cannot_be_shared(loader_for: Callable[..., TrainingLoader]) -> None:
    with pytest.raises(ValueError, match="3 processes"):
        loader_for(processes=3)


def test_compose_is_passed_on(loader_for: Callable[..., TrainingLoader]) -> None:
    on, off = (torch.cat([b.images for b in loader_for().epoch(0, compose=compose)]) for compose in (True, False))
    assert not torch.equal(on, off)


def data_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lightdet-data")]


def test_leaving_early_stops_the_threads(loader_for: Callable[..., TrainingLoader]) -> None:
    batches = loader_for(1).epoch(0)
    next(batches)
    assert data_threads()
    batches.close()
    assert data_threads() == []


def test_an_error_in_a_thread_comes_out(
    loader_for: Callable[..., TrainingLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = loader_for()

    def fail(*arguments: object, **more: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(loader.samples, "make", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        list(loader.epoch(0))
    assert data_threads() == []


@pytest.mark.parametrize("processes", [1, 2])
def test_every_place_of_the_epoch_draws_for_itself(
    loader_for: Callable[..., TrainingLoader], monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """A sample's randomness comes from its place in the epoch: no two may have the same, in any process."""
    places: list[int] = []
    for rank in range(processes):
        loader = loader_for(rank=rank, processes=processes)
        make = loader.samples.make

        def note(epoch: int, position: int, index: int, *, compose: bool, make: object = make) -> object:
            places.append(position)
            return make(epoch, position, index, compose=compose)  # type: ignore[operator]

        with monkeypatch.context() as patch:
            patch.setattr(loader.samples, "make", note)
            list(loader.epoch(0))
    assert sorted(places) == list(range(8))


def test_only_a_few_batches_are_prepared_ahead(
    loader_for: Callable[..., TrainingLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = loader_for(1, workers=1)
    made: list[int] = []
    make = loader.samples.make

    def count(epoch: int, position: int, index: int, *, compose: bool) -> object:
        made.append(position)
        return make(epoch, position, index, compose=compose)

    monkeypatch.setattr(loader.samples, "make", count)
    batches = loader.epoch(0)
    next(batches)
    batches.close()
    assert len(made) <= 3


def test_default_threads_leave_room_for_the_training() -> None:
    assert 2 <= default_workers() <= 8


class Slow:
    """Samples that note when they are begun."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    def __len__(self) -> int:
        return 400

    def make(self, epoch: int, position: int, index: int, *, compose: bool) -> int:
        self.begun.append(position)
        return index


def numbers(loader_samples: Slow, workers: int) -> TrainingLoader:
    return TrainingLoader(loader_samples, 4, seed=0, workers=workers, join=lambda samples, indices: list(samples))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_held_threads_begin_nothing_and_go_on_afterwards(workers: int) -> None:
    samples = Slow()
    loader = numbers(samples, workers)
    seen = []
    for number, batch in enumerate(loader.epoch(0)):
        seen += batch
        if number == 3:
            wait_until(loader._ahead[0].done)
            with loader.held():
                time.sleep(0.05)  # what had begun may end
                before = len(samples.begun)
                time.sleep(0.05)
                assert len(samples.begun) == before
    assert sorted(seen) == list(range(400))


def test_holding_while_nothing_is_ready_holds_nothing() -> None:
    loader = numbers(Slow(), 1)
    with loader.held():  # before the first batch
        assert loader._may_work.is_set()
    seen = 0
    for batch in loader.epoch(0):
        with loader.held():
            seen += len(batch)
    assert seen == 400


def test_an_error_under_hold_lets_the_threads_end() -> None:
    loader = numbers(Slow(), 2)
    with pytest.raises(RuntimeError, match="diverged"):
        for _ in loader.epoch(0):
            with loader.held():
                raise RuntimeError("diverged")
    assert loader._may_work.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lightdet-data")]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
