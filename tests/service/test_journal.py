"""What the database could not take stays, whatever happens to the process that keeps it."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_recorder import Sink, record, wait_for
from test_store import inspection

from lightdet.service.inspection import Inspection, Origin
from lightdet.service.records.journal import Journal, journal_folder
from lightdet.service.records.recorder import Recorder
from lightdet.service.records.rows import detection_rows, inspection_row
from lightdet.service.records.store import Store


def left(folder: Path) -> list[Inspection]:
    return [each for requests in Journal(folder).left_behind() for request in requests for each in request]


@settings(max_examples=30, deadline=None)
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    small=st.none() | st.binary(max_size=50),
    station=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    score=st.floats(0, 1),
)
def test_an_inspection_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, name: str, small: bytes | None, station: str, score: float
) -> None:
    folder = tmp_path_factory.mktemp("journal") / "new"
    found = [{"name": "dent", "label": 0, "score": score, "box": [0.0, 0.5, 2.0, 3.25], "defect": True}]
    given = inspection(name=name, thumbnail=small, origin=Origin(station=station), detections=found)
    journal = Journal(folder)
    assert journal.add([given, given])
    assert [len(request) for request in journal.own()] == [2]
    journal.close()
    for each in left(folder):
        assert inspection_row(each) == inspection_row(given)
        assert list(detection_rows(each)) == list(detection_rows(given))
        assert each.thumbnail == small
    assert not folder.exists()  # nothing is left that anybody would wonder about


def test_what_waits_at_the_end_is_written_at_the_next_start(tmp_path: Path) -> None:
    sink, told = Sink(), Counter[str]()
    recorder = Recorder(sink, lambda what, count: told.update({what: count}), journal=Journal(tmp_path / "j"))
    recorder.start()
    sink.away = True
    assert [record(recorder, str(i)).result(5) for i in range(3)] == [False] * 3
    recorder.close()
    assert told["lost"] == 0
    again = Recorder(Sink(), lambda what, count: told.update({what: count}), journal=Journal(tmp_path / "j"))
    again.start()
    wait_for(lambda: told["late"] == 3)
    again.close()
    assert again._sink.written == ["0", "1", "2"]  # type: ignore[attr-defined]
    assert not (tmp_path / "j").exists()


def test_more_than_memory_holds_waits_in_the_journal(tmp_path: Path) -> None:
    sink, told = Sink(), Counter[str]()
    recorder = Recorder(
        sink, lambda what, count: told.update({what: count}), backlog=10, journal=Journal(tmp_path / "j")
    )
    recorder.start()
    sink.away = True
    assert record(recorder, "0").result(5) is False
    for number in range(1, 25):
        assert record(recorder, str(number)).result(5) is False
    assert recorder.backlog == 25
    sink.away = False
    wait_for(lambda: recorder.backlog == 0)
    assert set(sink.written) == {str(number) for number in range(25)} and told["lost"] == 0
    wait_for(lambda: not (tmp_path / "j").exists())
    assert record(recorder, "after").result(5) is True
    recorder.close()


def _fill_and_die(folder: Path) -> None:
    journal = Journal(folder)
    journal.add([inspection(name="a")])
    journal.add([inspection(name="b")])
    path = next(folder.glob("*.jsonl"))
    os.write(os.open(path, os.O_WRONLY | os.O_APPEND), b'[{"id": "cut off he')
    os._exit(9)


def test_a_killed_process_leaves_its_journal_and_half_a_line_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_fill_and_die, args=(tmp_path / "j",))
    process.start()
    process.join()
    assert [each.name for each in left(tmp_path / "j")] == ["a", "b"]
    assert "1 line of the journal cannot be read" in caplog.text
    assert b"cut off he" in next((tmp_path / "j").glob("*.damaged")).read_bytes()
    assert left(tmp_path / "j") == []


def test_the_journal_of_a_living_process_is_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add([inspection(name="mine")])
    assert left(tmp_path / "j") == []
    journal.close()
    assert [each.name for each in left(tmp_path / "j")] == ["mine"]


def test_nothing_is_written_twice_by_its_id(tmp_path: Path) -> None:
    store, told = Store(str(tmp_path / "r.sqlite3")), Counter[str]()
    entries = [inspection(name="both"), inspection(name="new")]
    store.insert(entries[:1])  # the process died between writing and clearing its journal
    before = Journal(tmp_path / "j")
    before.add(entries)
    before.close()
    recorder = Recorder(store, lambda what, count: told.update({what: count}), journal=Journal(tmp_path / "j"))
    recorder.start()
    wait_for(lambda: told["late"] > 0)
    recorder.close()
    assert store.verify().rows == 2
    store.close()


def test_a_file_that_is_full_or_cannot_be_written_refuses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "j", most=1500)
    kept = [journal.add([inspection(name="x" * 100)]) for _ in range(5)]
    assert kept[0] and not kept[-1]
    assert caplog.text.count("cannot be written") == 1
    journal.close()
    assert len(left(tmp_path / "j")) == sum(kept)
    (tmp_path / "file").write_text("")
    assert not Journal(tmp_path / "file" / "j").add([inspection()])


def test_each_database_has_a_journal_of_its_own(tmp_path: Path) -> None:
    addresses = [
        str(tmp_path / "a.sqlite3"),
        f"sqlite:///{tmp_path}/b.sqlite3",
        "postgresql://u:p@h/a",
        "postgresql://u@h/b",
    ]
    assert len({journal_folder(address) for address in addresses}) == len(addresses)
    assert journal_folder("postgresql://u:new@h/a") == journal_folder("postgresql://u:p@h/a")
