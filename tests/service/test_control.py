"""What a worker and its parent say to each other, over a real pipe."""

from __future__ import annotations

from multiprocessing import Pipe

import pytest

from lightdet.drift.kept import Watched
from lightdet.service.alarms import Alarm
from lightdet.service.control import GO, STOP, Control, Standing


@pytest.mark.parametrize(("word", "goes"), [(GO, True), (STOP, False), (None, False)])
def test_a_worker_that_is_loading_waits_for_its_word_whatever_the_others_are_told(word: str | None, goes: bool) -> None:
    """A worker that replaces a dead one loads for seconds, while all are told how the watch over the promise stands."""
    parent, worker = Pipe()
    parent.send(Watched())
    parent.send(Alarm("share", "on", 0, "too many bad parts", {}))
    if word is None:
        parent.close()
    else:
        parent.send(word)
    assert Control(worker).may_go() is goes
    worker.close()
    parent.close()


def test_a_worker_knows_how_the_watch_stands_before_it_takes_requests() -> None:
    """A message that comes too early for whoever hears it would be lost, and a suspended promise would seem to hold."""
    parent, worker = Pipe()
    heard: list[Standing] = []
    control = Control(worker)
    control.hear_watch = heard.append
    told = [Standing(name, Watched(None, number)) for number, name in enumerate(("parts", "surface"))]
    for each in told:
        parent.send(each)
    parent.send(GO)
    assert control.may_go() and heard == told
    worker.close()
    parent.close()
