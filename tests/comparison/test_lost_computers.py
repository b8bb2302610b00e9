"""A training whose computer is lost continues elsewhere, a few times; nothing is trained twice at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lightdet.runs.training_process import LOST
from lightdet.runs.trainings import TRIES, Job, train_all


class Silent:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.begun: list[tuple[str, int]] = []
        self.ended: list[tuple[str, str | None]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def training_begins(self, job: Job, number: int, total: int, *, resumed: bool) -> None:
        self.begun.append((job.name, number))

    def training_says(self, job: Job, line: str) -> None: ...

    def training_ends(self, job: Job, failure: str | None, reached: Any) -> None:
        self.ended.append((job.name, failure))


class Places:
    """Where trainings end with the codes that are given, and with 1 after those."""

    def __init__(self, codes: Mapping[str, list[int]]) -> None:
        self.codes = {name: list(values) for name, values in codes.items()}
        self.running = 0

    def __call__(self, wanted: Mapping[str, Any], log: Path) -> Any:
        codes, places = self.codes[log.parent.name], self
        assert places.running < 2
        places.running += 1

        class Training:
            polls = 0

            def poll(self) -> int | None:
                self.polls += 1
                return None if self.polls < 2 else code

            def ask_to_stop(self) -> None: ...

            def end(self) -> None:
                places.running -= 1

        code = codes.pop(0) if codes else 1
        return Training()


def jobs(folder: Path) -> list[Job]:
    return [Job(name, "", folder / name) for name in "abc"]


def test_it_is_started_again_and_then_given_up(tmp_path: Path) -> None:
    watcher = Silent()
    places = Places({"a": [LOST, LOST, LOST, LOST], "b": [LOST], "c": []})
    failed = train_all(jobs(tmp_path), 2, watcher, places)
    assert {job.name: why.partition(";")[0] for job, why in failed.items()} == {
        "a": f"its computer was lost {TRIES} times",
        "b": "it ended with exit code 1",
        "c": "it ended with exit code 1",
    }
    assert sorted(watcher.begun) == [("a", 1)] * TRIES + [("b", 2)] * 2 + [("c", 3)]
    assert len(watcher.ended) == 3 and places.running == 0
    assert sum("continues on another one" in note for note in watcher.notes) == TRIES


@pytest.mark.parametrize("code", [1, -9, 2])
def test_nothing_else_is_tried_again(tmp_path: Path, code: int) -> None:
    watcher = Silent()
    train_all(jobs(tmp_path)[:1], 1, watcher, Places({"a": [code]}))
    assert watcher.begun == [("a", 1)] and watcher.notes == []
