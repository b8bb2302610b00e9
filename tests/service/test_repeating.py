"""A repeated task: at once, again, and if it should, once more at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from lightdet.service import repeating
from lightdet.service.repeating import Repeating


class Task:
    """Counts its runs, and lets a test wait for them."""

    def __init__(self, also: Callable[[], None] = lambda: None) -> None:
        self.runs, self.also = threading.Semaphore(0), also

    def __call__(self) -> None:
        self.also()
        self.runs.release()

    def left(self) -> int:
        """Runs that nobody waited for."""
        count = 0
        while self.runs.acquire(blocking=False):
            count += 1
        return count


def test_it_runs_at_once_and_again_until_it_is_closed() -> None:
    task = Task()
    thread = Repeating(task, 0.001, name="t")
    assert task.left() == 0 and not thread.ending()
    thread.start()
    assert all(task.runs.acquire(timeout=10) for _ in range(3))
    thread.close()
    assert thread.ending()
    task.left()
    assert not task.runs.acquire(timeout=0.05)


@pytest.mark.parametrize("last", [False, True])
def test_closing_interrupts_the_wait_and_may_run_it_once_more(last: bool) -> None:
    task = Task()
    thread = Repeating(task, 3600, name="t", last=last)
    thread.start()
    assert task.runs.acquire(timeout=10)
    thread.close()
    assert task.left() == last


def test_what_never_began_is_closed_without_a_run() -> None:
    task = Task()
    Repeating(task, 0, name="t", last=True).close()
    assert task.left() == 0


def test_a_task_hears_that_it_should_end() -> None:
    begun, heard = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        while not thread.ending():
            pass
        heard.set()

    thread = Repeating(work, 3600, name="t")
    thread.start()
    assert begun.wait(10)
    thread.close()
    assert heard.is_set()


def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeating, "_LONGEST_WAIT", 0.01)
    begun, free = threading.Event(), threading.Event()

    def hangs() -> None:
        begun.set()
        free.wait(10)

    thread = Repeating(hangs, 3600, name="t")
    thread.start()
    assert begun.wait(10)
    thread.close()
    free.set()
