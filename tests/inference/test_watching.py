"""A promise that withdraws itself: the reference in the card, and detect on a video whose light changes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lightdet.decisions import ClassRule, DecisionRule
from lightdet.decisions.promise import Promise
from lightdet.drift.statistics import VERSION, picture_statistics
from lightdet.errors import UserError
from lightdet.inference.pipeline import DetectionRun
from lightdet.inference.save import Record
from lightdet.inference.save_decisions import DecisionWriter
from lightdet.inference.watching import RECORD_KEY, FrameWatch, look_at, reference_of, stored_reference
from lightdet.structures import Classification, Detections

RULE = DecisionRule(0.5)
PROMISE = Promise("escape_rate", 0.02, 0.95)


def picture(random: np.random.Generator, light: float = 1.0) -> np.ndarray:
    levels = random.normal(120, 25, (48, 48, 1)) + random.normal(0, 8)
    return np.repeat((levels * light).clip(0, 255).astype(np.uint8), 3, axis=2)


def found(*scores: float) -> Detections:
    boxes, labels = np.array([[4, 4, 20, 20]] * len(scores), np.float32), np.zeros(len(scores), np.int64)
    return Detections(boxes, np.array(scores, np.float32), labels, ("dent",), (48, 48), {})


def record(pictures: int = 60, scores: tuple[float, ...] = (0.1,)) -> dict[str, Any]:
    random = np.random.default_rng(1)
    statistics = [picture_statistics(picture(random)) for _ in range(pictures)]
    predictions = [found(scores[number % len(scores)]) for number in range(pictures)]
    return {RECORD_KEY: reference_of(statistics, predictions, [False] * pictures, RULE)}


def test_good_pictures_that_pass_are_the_reference() -> None:
    mixed = record(90, (0.1, 0.9, 0.2))[RECORD_KEY]
    assert (mixed["watched"], mixed["pictures"]) == ("passed", 60)
    none_passes = record(60, (0.9,))[RECORD_KEY]
    assert (none_passes["watched"], none_passes["pictures"]) == ("all", 60)
    assert record(10)[RECORD_KEY] is None
    assert [(each["rejected"], each["judged"]) for each in (mixed, none_passes)] == [(30, 90), (60, 60)]


def test_statistics_do_not_depend_on_the_lowest_score_reported() -> None:
    told = RULE.statistics(found(0.9, 0.6, 0.2))
    assert told == RULE.statistics(found(0.9, 0.6)) == {"detections": 2.0, "best score": pytest.approx(90)}
    assert RULE.statistics(found(0.2)) == {"detections": 0.0, "best score": 0.0}
    classified = Classification(np.array([0.75, 0.25], np.float32), ("good", "bad"), (48, 48), {})
    assert ClassRule(("bad",)).statistics(classified) == {"score": pytest.approx(25)}


def test_the_reference_is_read_only_where_something_is_promised() -> None:
    card = json.loads(json.dumps(record()))
    reference = stored_reference(card, PROMISE)
    assert reference is not None and {"version": VERSION, **reference.as_dict()} == card[RECORD_KEY]
    assert stored_reference({RECORD_KEY: {**card[RECORD_KEY], "version": 0}}, PROMISE) is None
    assert stored_reference(card, Promise(why_not="asked")) is None
    estimate = Promise("escape_rate", 0.02, 0.95, estimated=True)
    assert stored_reference(card, estimate) == reference  # an estimate is for pictures like its own as well
    assert estimate.suspend("focus fell", "focus").describe() == "suspended: focus fell"
    assert stored_reference({}, PROMISE) is None and stored_reference(None, PROMISE) is None
    with pytest.raises(UserError, match="damaged; calibrate it again"):
        stored_reference({RECORD_KEY: {"version": VERSION, "watched": "all"}}, PROMISE)
    with pytest.raises(UserError, match="damaged"):
        stored_reference({RECORD_KEY: [3]}, PROMISE)


class Passing:
    """Finds nothing that counts."""

    names, preprocessing = ("dent",), None

    def batch(self, images: list[np.ndarray]) -> list[Detections]:
        return [found(0.1) for _ in images]


class Quiet:
    def begin(self, *_: object) -> None: ...

    def step(self, *_: object) -> None: ...

    def end(self, *_: object) -> None: ...


def film(path: Path, images: list[np.ndarray], fps: float) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (48, 48))
    for image in images:
        writer.write(image)
    writer.release()
    return path


def filmed(tmp_path: Path) -> dict[str, Any]:
    """A reference of pictures from the same camera as the video."""
    random, statistics = np.random.default_rng(1), []
    capture = cv2.VideoCapture(str(film(tmp_path / "before.avi", [picture(random) for _ in range(80)], 1.0)))
    while (read := capture.read())[0]:
        statistics.append(picture_statistics(read[1]))  # type: ignore[arg-type]
    return {RECORD_KEY: reference_of(statistics, [found(0.1)] * 80, [False] * 80, RULE)}


def run_on(video: list[np.ndarray], fps: float, tmp_path: Path) -> tuple[FrameWatch, DetectionRun, list[str]]:
    from lightdet.inference.sources import expand_sources

    header: dict[str, Any] = {"promise": PROMISE.as_dict()}
    watch = FrameWatch(RULE, PROMISE, filmed(tmp_path), "m.safetensors", header)
    judge = DecisionWriter(RULE, tmp_path / "decisions.csv", promise=watch.word)
    run = DetectionRun(Passing(), [watch, judge], folder=None, watcher=Quiet(), header=header)  # type: ignore[arg-type]
    run.run(expand_sources([film(tmp_path / "line.avi", video, fps)]).items)
    with (tmp_path / "decisions.csv").open(encoding="utf-8", newline="") as file:
        return watch, run, [row["promise"] for row in csv.DictReader(file)]


def test_a_line_that_goes_dark_loses_the_promise(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    random = np.random.default_rng(2)
    video = [picture(random) for _ in range(30)] + [picture(random, 0.6) for _ in range(40)]
    watch, run, words = run_on(video, 1.0, tmp_path)
    first = words.index(next(word for word in words if word.startswith("suspended: ")))
    assert set(words[:first]) == {"yes"} and 30 <= first < 60
    assert all(word == words[-1] for word in words[first:])
    assert not watch.promise.holds and run.header["promise"]["suspended"] and run.header["promise"]["moved"]
    assert "promise suspended: " in caplog.text


def test_frames_that_follow_at_once_are_not_compared(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    still = picture(random)  # the same part before a camera of 25 frames per second, for four seconds
    watch, _, words = run_on([still] * 100, 25.0, tmp_path)
    assert set(words) == {"yes"} and watch.describe() == "4 frames compared with 80 pictures"


def test_pictures_of_a_folder_are_no_line() -> None:
    random = np.random.default_rng(4)
    watch = FrameWatch(RULE, PROMISE, record(), None, {})
    for number in range(60):
        watch.add(Record(f"{number}.png", Path(str(number)), found(0.1), image=picture(random, 0.3)))
    assert watch.promise == PROMISE and watch.word() == "yes"


def test_a_model_without_a_reference_says_so() -> None:
    watch = FrameWatch(RULE, PROMISE, {}, None, {})
    watch.add(Record("v.avi", Path("v"), found(0.1), 0, 0.0, picture(np.random.default_rng(5))))
    assert watch.describe().startswith("none (calibrated by another") and watch.word() == "yes"
    assert FrameWatch(None, Promise(why_not="x"), None, None, {}).word() == "no"


def test_a_look_holds_both_kinds_of_statistics() -> None:
    look = look_at(picture(np.random.default_rng(6)), found(0.9), RULE, ok=False)
    assert not look.ok and {"focus", "best score"} <= set(look.values)
