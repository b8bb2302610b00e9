"""The recorder with a database that comes and goes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import pytest
from test_store import inspection

from lightdet.service.inspection import Inspection
from lightdet.service.records import recorder as module
from lightdet.service.records.recorder import Recorder
from lightdet.service.records.store import AwayError


class Sink:
    """A database that is away, slow or choosy on demand."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.batches: list[int] = []
        self.away = False
        self.delay = 0.0
        self.choosy = False

    def insert(self, entries: Sequence[Inspection]) -> None:
        time.sleep(self.delay)
        if self.away:
            raise AwayError("connection refused")
        if self.choosy and any(entry.name == "poison" for entry in entries):
            raise ValueError("never")
        self.batches.append(len(entries))
        self.written += [entry.name for entry in entries]


Make = Callable[..., tuple[Recorder, Sink, Counter[str]]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Make:
    monkeypatch.setattr(module, "_FIRST_RETRY", 0.05)

    def begin(**options: object) -> tuple[Recorder, Sink, Counter[str]]:
        sink, told = Sink(), Counter[str]()
        recorder = Recorder(sink, lambda outcome, count: told.update({outcome: count}), **options)  # type: ignore[arg-type]
        recorder.start()
        request.addfinalizer(recorder.close)
        return recorder, sink, told

    return begin


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def record(recorder: Recorder, name: str) -> Future[bool]:
    return recorder.record([inspection(name=name)])


def test_records_are_written(make: Make) -> None:
    recorder, sink, told = make()
    assert record(recorder, "a").result(5) and record(recorder, "b").result(5)
    assert sink.written == ["a", "b"] and told["written"] == 2


def test_many_at_once_share_a_transaction(make: Make) -> None:
    recorder, sink, _ = make()
    sink.delay = 0.05
    pending = [record(recorder, str(i)) for i in range(60)]
    assert all(each.result(5) for each in pending)
    assert sink.written == [str(i) for i in range(60)]
    assert len(sink.batches) <= 4


def test_a_database_that_is_away_costs_no_record_and_no_time(make: Make) -> None:
    recorder, sink, told = make()
    sink.away = True
    assert record(recorder, "first").result(5) is False
    assert not recorder.healthy
    began = time.monotonic()
    assert [record(recorder, str(i)).result(5) for i in range(100)] == [False] * 100
    assert time.monotonic() - began < 5
    sink.away = False
    wait_for(lambda: recorder.backlog == 0)
    assert sink.written == ["first", *map(str, range(100))]
    assert recorder.healthy and told["late"] == 101 and told["lost"] == 0
    assert record(recorder, "after").result(5) is True


def test_what_is_kept_for_later_is_bounded(make: Make) -> None:
    recorder, sink, told = make(backlog=10)
    sink.away = True
    for i in range(25):
        assert record(recorder, str(i)).result(5) is False
    assert told["lost"] == 15
    sink.away = False
    wait_for(lambda: recorder.backlog == 0)
    assert sink.written == [str(i) for i in range(10)]


def test_one_bad_record_does_not_hold_up_the_others(make: Make) -> None:
    recorder, sink, told = make()
    sink.choosy, sink.delay = True, 0.05
    pending = [record(recorder, name) for name in ("a", "poison", "b")]
    assert [each.result(5) for each in pending] == [True, False, True]
    assert sink.written == ["a", "b"] and told["lost"] == 1 and recorder.healthy


def test_the_end_waits_for_what_is_left() -> None:
    sink, told = Sink(), Counter[str]()
    recorder = Recorder(sink, lambda outcome, count: told.update({outcome: count}))
    recorder.start()
    sink.delay = 0.05
    pending = [record(recorder, str(i)) for i in range(10)]
    recorder.close()
    assert len(sink.written) == 10 and all(each.result(0) for each in pending)
    assert record(recorder, "too late").result(0) is False and told["lost"] == 1


def test_the_end_does_not_wait_for_a_database_that_stays_away() -> None:
    sink, told = Sink(), Counter[str]()
    recorder = Recorder(sink, lambda outcome, count: told.update({outcome: count}))
    recorder.start()
    sink.away = True
    assert record(recorder, "a").result(5) is False
    began = time.monotonic()
    recorder.close()
    assert time.monotonic() - began < 2
    assert told["lost"] == 1
