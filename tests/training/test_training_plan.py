"""A training by minutes ends when they are over, whatever the machine does in between."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest_training import Recorder, make_trainer
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.training.checkpoint import Progress, load_state
from lightdet.training.plan import EpochPlan, TimePlan
from lightdet.training.schedule import WarmupCosine
from lightdet.training.scoring_pace import scoring_is_due
from lightdet.training.stopwatch import Stopwatch, describe_time

PYTHON_SECONDS = 3.0
"""Before the command begins and after it ends the interpreter takes some, more beside busy programs."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def plan_of(clock: Clock, seconds: float, batches: int = 10, **options: float) -> TimePlan:
    return TimePlan(
        seconds,
        lr=0.1,
        final=0.01,
        warmup=5,
        single_epochs=10,
        batches=batches,
        clock=clock,
        **options,  # type: ignore[arg-type]
    )


def simulate(
    clock: Clock, plan: TimePlan, speeds: list[float], scoring: float
) -> tuple[Progress, list[float], list[bool]]:
    """Train by the plan as the trainer does, at batch times that wander; returns progress, rates, and composing."""
    progress, rates, composing, done, number = Progress(), [], [], False, 0
    while not done:
        composing.append(plan.composes(progress))
        while progress.batch < plan.batches:
            rates.append(plan.rate(progress))
            took = speeds[number % len(speeds)]
            number += 1
            clock.now += took
            progress.seconds += took
            progress.batch, progress.batches, progress.step = (
                progress.batch + 1,
                progress.batches + 1,
                progress.step + 1,
            )
            if plan.is_over(progress):
                break
        done = plan.is_last(progress)
        clock.now += scoring
        progress.seconds += scoring
        progress.time["validation"] = progress.time.get("validation", 0.0) + scoring
        progress.scoring = scoring
        progress.epoch, progress.batch = progress.epoch + 1, 0
    return progress, rates, composing


@settings(max_examples=60)
@given(
    speeds=st.lists(st.floats(0.2, 1.5), min_size=1, max_size=40),
    scoring=st.floats(0.1, 4.0),
    seconds=st.floats(100, 400),
)
def test_it_ends_in_time_however_busy_the_machine_is(speeds: list[float], scoring: float, seconds: float) -> None:
    clock = Clock()
    plan = plan_of(clock, seconds)
    _, rates, _ = simulate(clock, plan, speeds, scoring)
    assert clock.now - 1000 == pytest.approx(seconds, abs=0.03 * seconds)
    assert max(rates) <= 0.1
    assert rates[-1] == pytest.approx(0.1 * 0.01, abs=0.1 * 0.06)


def test_the_last_fifth_sees_single_pictures() -> None:
    clock = Clock()
    progress, _, composing = simulate(clock, plan_of(clock, 400), [1.0], 1.0)
    singles = composing.count(False)
    assert composing == [True] * (len(composing) - singles) + [False] * singles
    assert singles / progress.epoch == pytest.approx(0.2, abs=0.06)


def test_a_machine_that_becomes_busy_takes_fewer_epochs_and_the_rate_still_comes_down() -> None:
    ends = {}
    for name, speeds in {"quiet": [0.5], "busy": [0.5] * 100 + [2.0] * 1000}.items():
        clock = Clock()
        progress, rates, _ = simulate(clock, plan_of(clock, 300), speeds, 1.0)
        ends[name] = progress.batches
        assert rates[-1] < 0.004
    assert ends["busy"] < 0.6 * ends["quiet"]


def test_the_epochs_to_come_are_told() -> None:
    clock = Clock()
    plan = plan_of(clock, 200)
    progress = Progress()
    assert plan.epochs(progress) == 1
    progress.epoch, progress.batches, progress.seconds, progress.step = 2, 20, 20.0, 20
    clock.now += 20
    assert plan.epochs(progress) == 20


def test_what_earlier_sittings_took_is_gone() -> None:
    clock = Clock()
    plan = plan_of(clock, 100, before=60.0)
    assert plan.spent() == 60.0
    clock.now += 40
    assert plan.is_over(Progress())


def test_epochs_end_with_their_number() -> None:
    plan = EpochPlan(3, WarmupCosine(0.1, 0.01, 2, 30), 1)
    assert [plan.composes(Progress(epoch=e)) for e in range(3)] == [True, True, False]
    assert [plan.is_last(Progress(epoch=e)) for e in range(3)] == [False, False, True]
    assert not plan.is_over(Progress(epoch=3))


def test_a_training_by_minutes_stops_within_an_epoch_and_scores_it(defect_set: Path, tmp_path: Path) -> None:
    reporter = Recorder()
    trainer = make_trainer(defect_set, tmp_path, ["train.minutes=0.05"], reporter=reporter)
    progress = trainer.fit()
    assert progress.done and progress.batch == 0
    assert progress.last_metrics is not None
    assert 1.0 < trainer.plan.spent() < 20.0
    assert load_state(tmp_path).progress.spent > 1.0
    assert reporter.records[-1]["lr"] < 0.002
    assert any(note.startswith("time: network") for note in reporter.notes)


@pytest.mark.slow
@pytest.mark.parametrize("busy", [0, 2])
def test_the_command_takes_its_minutes_beside_busy_programs(defect_set: Path, tmp_path: Path, busy: int) -> None:
    command = [sys.executable, "-m", "lightdet", "train", "-d", str(defect_set), "-o", str(tmp_path / "out")]
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        began = time.monotonic()
        subprocess.run([*command, "--minutes", "1", "--imgsz", "96", "--device", "cpu"], check=True)
        took = time.monotonic() - began
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert 0.97 * 60 < took < 1.03 * 60 + PYTHON_SECONDS, took


def test_without_validate_every_scoring_keeps_to_its_share() -> None:
    progress = Progress()
    assert scoring_is_due(progress, None)  # nothing is known yet
    progress.scoring, progress.seconds = 0.1, 1.0
    assert scoring_is_due(progress, None)  # too short to matter
    progress.scoring, progress.seconds, progress.time["validation"] = 10.0, 100.0, 5.0
    assert not scoring_is_due(progress, None)
    assert scoring_is_due(progress, None, page_seconds=9.9)  # the page's writing is no scoring
    progress.seconds = 200.0
    assert scoring_is_due(progress, None)


@given(every=st.integers(1, 20))
def test_with_validate_every_one_epoch_in_so_many_is_scored(every: int) -> None:
    due = [scoring_is_due(Progress(epoch=epoch), every) for epoch in range(100)]
    assert [number for number, scored in enumerate(due, 1) if scored] == list(range(every, 101, every))


def test_what_is_measured_inside_counts_for_itself() -> None:
    watch = Stopwatch()
    with watch.measure("loss"), watch.measure("network"):
        sum(range(200_000))
    assert watch.seconds["network"] > watch.seconds["loss"]
    assert list(watch.waiting(iter([1, 2]), "pictures")) == [1, 2]
    assert watch.seconds["pictures"] >= 0


def test_shares_of_the_time_add_up() -> None:
    told = describe_time({"network": 80.0, "loss": 5.0, "pictures": 5.0, "validation": 6.0, "writing": 1.0}, 100.0)
    assert told == ("time: network 80 %, loss 5 %, waiting for pictures 5 %, validation 6 %, writing 1 %, the rest 3 %")
