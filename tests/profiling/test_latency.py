"""Times come from where they are said to, in turn, and without the warm-up."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from lightdet.arrays import Image
from lightdet.inference.predictor import Predictor
from lightdet.inference.runtime import RawDetections
from lightdet.profiling import Latency, measure_latency, measure_throughput
from lightdet.profiling.latency import sample_picture
from lightdet.structures import Preprocessing

PICTURE = sample_picture(40, 30)


class Sleeper:
    """A runtime that takes a set time and notes each call."""

    names = ("a",)
    preprocessing = Preprocessing(32)

    def __init__(self, milliseconds: float, notes: list[str], name: str) -> None:
        self.wanted = milliseconds
        self.notes = notes
        self.name = name
        self.milliseconds: dict[str, float] = {}

    def __call__(self, batch: Image) -> list[RawDetections]:
        self.notes.append(self.name)
        time.sleep(self.wanted * len(batch) / 1e3)
        self.milliseconds = {"network": self.wanted * len(batch), "postprocess": 0.0}
        box = (np.array([[1, 1, 9, 9]], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int64))
        return [box] * len(batch)


def test_one_model() -> None:
    notes: list[str] = []
    (latency,) = measure_latency([Predictor(Sleeper(2.0, notes, "a"))], PICTURE, runs=7, warmup=3)
    assert len(notes) == 3 + 7 + 1
    assert {stage: len(values) for stage, values in latency.samples.items()} == dict.fromkeys(
        ("preprocess", "network", "postprocess", "total"), 7
    )
    assert latency.boxes == 1
    assert latency.median()["network"] == 2.0
    assert latency.median()["total"] >= 2.0
    assert latency.samples["total"].min() >= 2.0


@pytest.mark.parametrize("runs", [1, 3, 12])
def test_several_models_in_turn(runs: int) -> None:
    notes: list[str] = []
    predictors = [Predictor(Sleeper(0.01, notes, name)) for name in "ab"]
    latencies = measure_latency(predictors, PICTURE, runs=runs, warmup=0)
    assert [len(latency.samples["total"]) for latency in latencies] == [runs, runs]
    blocks = "".join(notes[:-2]).replace("aaa", "a").replace("aa", "a")
    turns = sum(first != second for first, second in pairwise(blocks))
    assert turns == 2 * min(5, runs) - 1


def test_median_and_p95_by_hand() -> None:
    latency = Latency({"total": np.arange(1, 102, dtype=np.float32)}, 0)
    assert latency.median() == {"total": 51.0}
    assert latency.p95() == {"total": 96.0}


def test_throughput_counts_whole_batches() -> None:
    notes: list[str] = []
    slow, fast = (Predictor(Sleeper(ms, notes, name)) for ms, name in ((4.0, "slow"), (1.0, "fast")))
    speeds = measure_throughput([slow, fast], PICTURE, batch=5, seconds=0.03)
    assert speeds[0] < 250 and speeds[1] < 1000 and speeds[0] < speeds[1]
    assert notes.count("slow") == notes.count("fast") >= 4


def test_the_picture_is_the_same_each_time() -> None:
    picture = sample_picture()
    assert picture.shape == (960, 1280, 3) and picture.dtype == np.uint8 and picture.flags.c_contiguous
    np.testing.assert_array_equal(picture, sample_picture())
    assert picture.std() > 5
