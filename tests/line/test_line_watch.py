"""A line's results promise nothing once the pictures have changed, also after a restart, until the model is another."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from plain_judge import _patient, results, section
from watched_judge import decision, judge, put_parts

from lightdet.drift.kept import KeptMonitor, StateError
from lightdet.drift.monitor import Look
from lightdet.drift.reference import Reference
from lightdet.line.line import Line
from lightdet.line.model import log
from lightdet.line.watch import MOST_STATES, FileStates, Spacing


def judged(folder: Path, name: str, light: float, number: int, **changes: Any) -> list[dict[str, Any]]:
    """What the results of new pictures promise, the last status, in the order of judging."""
    wanted = section(folder, **changes)
    put_parts(folder / "left", name, light, number)
    last = _patient(Line(wanted, once=True, judge=judge)).run()
    (folder / "status").write_text(json.dumps(last), encoding="utf-8")
    return [each["models"]["plain"]["promise"] for each in results(folder) if each["picture"].startswith(name)]


def status(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "status").read_text(encoding="utf-8"))["models"]["plain"]


def test_the_promise_is_suspended_and_stays_so_until_the_model_is_another(tmp_path: Path) -> None:
    file, first = tmp_path / "plain.onnx", json.dumps(decision())
    file.write_text(first, encoding="utf-8")
    assert all(each["holds"] for each in judged(tmp_path, "bright", 60.0, 12))
    assert (status(tmp_path)["promise"]["holds"], status(tmp_path)["watch"]["compared"]) == (True, 12)
    dark = judged(tmp_path, "dark", 8.0, 30, plain={"processes": 2})
    assert dark[0]["holds"] and not dark[-1]["holds"] and dark[-1]["suspended"]
    changes = [one["holds"] != other["holds"] for one, other in pairwise(dark)]
    assert sum(changes) == 1  # for good
    noticed = re.search(r"noticed at (\d+)\)", dark[-1]["text"])
    assert noticed is not None and 12 < int(noticed[1]) <= 42  # it knew those of the run before
    assert not status(tmp_path)["promise"]["holds"]
    again = judged(tmp_path, "later", 60.0, 3)
    assert [each["text"] for each in again] == [dark[-1]["text"]] * 3  # a restart does not end it
    file.write_text(f"{first} ", encoding="utf-8")
    assert all(each["holds"] for each in judged(tmp_path, "new", 60.0, 3))  # another version
    file.write_text(first, encoding="utf-8")
    assert not any(each["holds"] for each in judged(tmp_path, "old", 60.0, 3))


@pytest.mark.parametrize("without", ["reference", "promise"])
def test_what_is_not_watched_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, without: str) -> None:
    stored = {name: value for name, value in decision().items() if name != without}
    (tmp_path / "plain.onnx").write_text(json.dumps(stored), encoding="utf-8")
    promises = judged(tmp_path, "dark", 8.0, 20)
    assert {each["holds"] for each in promises} == {without == "reference"}
    assert status(tmp_path)["watch"] is None
    assert ("its promise is not watched" in caplog.text) == (without == "reference")


def test_of_frames_those_a_second_apart_are_compared() -> None:
    spacing = Spacing()
    moments = [0.0, 0.5, 0.99, 1.0, 1.9, 2.5, 0.0, 0.4, 1.1]  # a stream that begins again
    taken = [moment for moment in moments if spacing.takes("camera", moment)]
    assert taken == [0.0, 1.0, 2.5, 0.0, 1.1]
    assert all(spacing.takes("folder", None) for _ in range(3))
    assert spacing.takes("other", 0.1)


def moved(states: FileStates) -> KeptMonitor:
    """A watch that is suspended."""
    rows = [{"focus": 0.01 * number} for number in range(60)]
    reference = Reference.of(rows, "passed")
    assert reference is not None
    watch = KeptMonitor(states, "ab" * 32, reference, log)
    assert any(watch.look(Look(True, {"focus": 90.0})) for _ in range(60))
    return watch


@pytest.mark.parametrize("damage", ['{"ratio": []', "[]", "\xff", "[" * 100_000, '{"suspension": 3}'])
def test_a_state_that_cannot_be_read_is_told_and_the_watch_begins_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    states = FileStates(tmp_path)
    watch = moved(states)
    states.path("ab" * 32).write_text(damage, encoding="latin-1")
    begun = KeptMonitor(states, "ab" * 32, watch._reference, log, "model plain: ")
    assert begun.status().compared == 0
    assert "model plain: the watch over the promise begins anew" in caplog.text


def test_a_suspension_survives_a_state_of_another_version(tmp_path: Path) -> None:
    states = FileStates(tmp_path)
    watch = moved(states)
    states.keep("ab" * 32, {**states.read("ab" * 32), "joined": [[1]]})
    assert KeptMonitor(states, "ab" * 32, watch._reference, log).suspension == watch.suspension


def test_the_states_are_bounded_and_one_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    states = FileStates(tmp_path / "models")
    (tmp_path / "models").mkdir()
    for number in range(MOST_STATES + 5):
        states.keep(f"{number:064x}", {"number": number})
        os.utime(states.path(f"{number:064x}"), ns=(number, number))
    there = [number for number in range(MOST_STATES + 5) if states.read(f"{number:064x}") is not None]
    assert there[-1] == MOST_STATES + 4 and len(there) == MOST_STATES
    (tmp_path / "file").touch()
    with pytest.raises(StateError):
        FileStates(tmp_path / "file").keep("ab", {})
