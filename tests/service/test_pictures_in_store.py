"""Kept pictures in a store: sent, found, counted and deleted there, and what happens while it is away."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colors import paint
from s3_server import CutOff, s3_server_to_cut_off
from test_store import NOON, inspection

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.service import picture_folder, picture_reader
from lightdet.service.inspection import Inspection
from lightdet.service.keep_pictures import Choice, KeepPictures
from lightdet.service.picture_bucket import PictureBucket
from lightdet.service.picture_folder import PictureFolder, file_name, identity_of
from lightdet.service.picture_keeper import PictureKeeper
from lightdet.service.picture_place import places_of
from lightdet.service.picture_retention import tidy
from lightdet.service.records.store import Store
from lightdet.storage.bucket import Bucket

RED = (0, 200, 10, 20, 50, 60)
HOUR_MS = 3_600_000
JPEG = b"\xff\xd8"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send what has just been written."""
    monkeypatch.setattr(picture_folder, "_TICK_NS", 0)


@pytest.fixture
def server() -> Iterator[CutOff]:
    with s3_server_to_cut_off() as server:
        yield server


class Line:
    """Records, and the place of their pictures."""

    def __init__(self, folder: Path, url: str) -> None:
        self.database, self.url = str(folder / "i.sqlite3"), url
        self.store = Store(self.database)
        places = places_of(self.database, url)
        assert places.folder is not None and places.url == url
        self.waiting = PictureFolder(places.folder)
        self.waiting.folder.mkdir(parents=True)
        self.place = PictureBucket(url, self.waiting)

    def keep(self, **bounds: Any) -> KeepPictures:
        return KeepPictures(Choice(True), self.waiting.folder, free=0, url=self.url, **bounds)

    def add(self, time_ms: int, data: bytes = JPEG, **changes: Any) -> Inspection:
        entry = inspection(time_ms, sha256=hashlib.sha256(data).hexdigest(), **changes)
        name = file_name(entry.id, data)
        self.waiting.write(name, data, sync=False)
        entry = inspection(time_ms, id=entry.id, original=name, sha256=entry.sha256, **changes)
        self.store.insert([entry])
        return entry

    def there(self) -> list[str]:
        return [name for name, _ in Bucket(self.url).files()]


@pytest.fixture
def line(server: CutOff, tmp_path: Path) -> Iterator[Line]:
    found = Line(tmp_path, server.url)
    yield found
    found.store.close()


def names_of(entries: list[Inspection]) -> list[str]:
    return [entry.original or "" for entry in entries]


# The place --------------------------------------------------------------------------------------------------------


def test_pictures_are_found_before_and_after_they_are_sent(line: Line) -> None:
    entries = [line.add(NOON + hour * HOUR_MS, JPEG + bytes(hour)) for hour in range(30)]
    names = names_of(entries)
    for sent in (False, True):
        assert [each.name for each in line.place.entries()] == names
        assert line.place.newest(7) == (names[:-8:-1] if sent else [])
        assert line.place.size() == sum(2 + hour for hour in range(30))
        assert all(line.place.read(name) == JPEG + bytes(hour) for hour, name in enumerate(names))
        assert line.there() == (names if sent else [])
        assert list(line.waiting.names()) == ([] if sent else names)
        assert line.place.send() == (0 if sent else 30)
    line.place.discard([names[3], names[3], file_name(entries[3].id, b"GIF8")])
    assert line.place.read(names[3]) is None and line.there() == names[:3] + names[4:]


def test_the_oldest_go_and_the_sum_stays_right_without_listing_all_again(line: Line, monkeypatch: Any) -> None:
    listed: list[str] = []
    real = Bucket.files
    monkeypatch.setattr(Bucket, "files", lambda self, below="": (listed.append(below), real(self, below))[1])
    drawn, moments = random.Random(0), itertools.count(NOON, HOUR_MS // 3)
    Bucket(line.url).write("notes.txt", b"mine")
    entries: list[Inspection] = []
    for _ in range(12):
        entries += [line.add(next(moments), JPEG + bytes(drawn.randrange(3000))) for _ in range(drawn.randrange(6))]
        if drawn.random() < 0.7:
            line.place.send()
        days, size = drawn.choice([0, 0, 0.3, 0.5]), drawn.choice([0, 12_000, 20_000])
        if days or size:
            tidy(line.place, line.keep(days=days, size=size), line.store)
        left = list(line.place.entries())
        assert [each.name for each in left] == names_of(entries)[len(entries) - len(left) :]  # the newest, no gap
        assert not size or sum(each.size for each in left) <= size
        assert all(int(identity_of(each.name)[:12], 16) >= line.store.cutoff(days) for each in left)
        whole = listed.count("")
        assert line.place.size() == sum(each.size for each in left)
        assert listed.count("") <= max(whole, 1)  # once, and never again
    assert len(left) < len(entries) and line.store.pictures_deleted_until() < identity_of(left[0].name)
    assert Bucket(line.url).read("notes.txt") == b"mine"
    listed.clear()
    assert tidy(line.place, line.keep(size=1 << 40), line.store) == 0
    assert listed == []  # nothing is to be deleted: the store is not even asked


def test_a_picture_deleted_while_it_is_sent_stays_deleted(line: Line, monkeypatch: Any) -> None:
    [name] = names_of([line.add(NOON)])
    real = Bucket.write

    def purged_meanwhile(self: Bucket, name: str, data: bytes) -> None:
        real(self, name, data)
        line.place.here.delete(name)

    monkeypatch.setattr(Bucket, "write", purged_meanwhile)
    assert line.place.send() == 0
    assert line.place.read(name) is None and line.there() == []


def test_what_was_sent_before_a_kill_is_sent_again(line: Line) -> None:
    name = names_of([line.add(NOON)])[0]
    Bucket(line.url).write(name, JPEG)  # killed before the waiting one was deleted
    assert [each.name for each in line.place.entries()] == [name] == line.place.newest(5)
    assert line.place.send() == 1 and line.there() == [name]


# The service ------------------------------------------------------------------------------------------------------


def kept(served_folder: Path, url: str) -> KeepPictures:
    return KeepPictures(Choice(True), served_folder, free=0, url=url)


def test_a_store_that_is_cut_off_costs_no_verdict_no_record_and_no_picture(
    server: CutOff, start: Any, tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("lightdet.service.picture_keeper._AGAIN_SECONDS", 0.0)
    keep = kept(tmp_path / "waiting", server.url)
    served = start(pictures=keep)
    store, keeper = served.service.store, PictureKeeper(served.service.settings.database, keep)
    keeper.check(store)
    place = PictureBucket(server.url, PictureFolder(tmp_path / "waiting"))
    results: list[tuple[dict[str, Any], bytes]] = []

    def inspect() -> None:
        data, began = paint(RED, size=(70 + len(results), 60)), time.monotonic()
        answer = served.detect(data).json()
        assert time.monotonic() - began < 2 and answer["recorded"]
        results.append((answer["results"][0], data))
        with caplog.at_level("INFO", logger="lightdet.service"):
            keeper.work()

    inspect()
    assert list(place.here.names()) == []
    server.stop()
    inspect()
    inspect()
    assert len(list(place.here.names())) == 2 and caplog.text.count("could not be looked after") == 1
    assert [served.client.get(each["original"]).status_code for each, _ in results] == [503, 200, 200]
    server.start()
    inspect()
    assert list(place.here.names()) == [] and "are looked after again" in caplog.text
    assert [(each["decision"], each["not_kept"]) for each, _ in results] == [("NG", None)] * 4
    assert [served.client.get(each["original"]).content for each, _ in results] == [data for _, data in results]
    verdict = store.verify(picture=place.read)
    assert (verdict.faults, verdict.pictures) == (0, 4)


def test_a_store_that_says_nothing_delays_no_other_answer(start: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(picture_reader, "_SECONDS", 0.3)
    ended = threading.Event()
    monkeypatch.setattr(Bucket, "read", lambda *_: ended.wait(30))
    served = start(pictures=kept(tmp_path / "waiting", "s3://line/silent"))
    result = served.detect(paint(RED)).json()["results"][0]
    for path in (tmp_path / "waiting").rglob("*.png"):
        path.unlink()
    answers = [served.client.get(result["original"]) for _ in range(6)]  # more than there are threads
    assert {answer.status_code for answer in answers} == {503}
    began = time.monotonic()
    assert served.client.get(f"/api/inspections/{result['id']}").status_code == 200
    assert served.detect(paint(RED)).json()["recorded"] and time.monotonic() - began < 2
    ended.set()


def test_the_bounds_hold_for_what_waits_while_the_store_is_away(line: Line, server: CutOff) -> None:
    names = names_of([line.add(NOON + hour * HOUR_MS, JPEG + bytes(998)) for hour in range(6)])
    server.stop()
    keeper = PictureKeeper(line.database, line.keep(size=3000))
    keeper.check(line.store)
    keeper.work()
    assert list(line.waiting.names()) == names[3:]
    server.start()


def test_pictures_of_other_records_in_the_store_are_never_deleted(
    line: Line, server: CutOff, tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("lightdet.service.picture_keeper._AGAIN_SECONDS", 0.0)
    theirs = names_of([line.add(NOON - hour * HOUR_MS) for hour in (2, 1)])
    line.place.send()
    (tmp_path / "mine").mkdir()
    mine = Line(tmp_path / "mine", server.url)
    mine.add(NOON)
    with pytest.raises(UserError, match="another database"):
        PictureKeeper(mine.database, mine.keep(size=1)).check(mine.store)
    server.stop()
    keeper = PictureKeeper(mine.database, mine.keep(days=0.01, size=100))
    keeper.check(mine.store)  # it starts all the same
    assert "pictures wait in" in caplog.text
    server.start()
    keeper.work()
    assert "another database" in caplog.text
    assert line.there() == theirs and len(list(mine.waiting.names())) == 1
    mine.store.close()


def test_a_store_that_can_be_reached_but_not_used_is_refused(server: CutOff, tmp_path: Path) -> None:
    line = Line(tmp_path, "s3://no-such-bucket/kept")
    with pytest.raises(UserError, match="there is no such bucket"):
        PictureKeeper(line.database, line.keep()).check(line.store)
    line.store.close()
    with pytest.raises(UserError, match="cannot be written"):
        places_of(line.database, "https://plant.example/kept")


def test_pictures_go_with_their_records(line: Line) -> None:
    entries = [line.add(NOON + hour * HOUR_MS) for hour in range(5)]
    line.place.send()
    keeper = PictureKeeper(line.database, line.keep())
    keeper.check(line.store)
    for name in [*names_of(entries)[:2], "../../etc/passwd"]:
        keeper.forget(name)
    keeper.work()
    assert line.there() == names_of(entries)[2:]


# The records' commands --------------------------------------------------------------------------------------------


def test_the_commands_find_the_pictures(line: Line, tmp_path: Path, capsys: Any) -> None:
    found = {"name": "green", "label": 1, "score": 0.9, "box": [10.0, 20.0, 50.0, 60.0], "defect": True}
    pictures = [paint((1, 200, 10, 20, 50, 60 + shift), size=(256, 192)) for shift in range(4)]
    entries = [
        line.add(NOON + shift * HOUR_MS, data, detections=[found], decision="NG", size=(256, 192))
        for shift, data in enumerate(pictures)
    ]
    line.place.send()
    last = line.add(NOON + 9 * HOUR_MS, paint(size=(256, 192)), size=(256, 192))  # waits
    line.store.correct(entries[1].id, "NG", "", entries[1].origin, NOON, [{"name": "green", "box": [10, 20, 50, 61]}])
    line.store.correct(last.id, "OK", "", last.origin, NOON)
    place = ["--database", line.database, "--keep-folder", line.url]
    assert main(["records", "verify", *place]) == 0
    assert "5 pictures compared" in capsys.readouterr().out
    out = tmp_path / "out"
    assert main(["data", "collect", *place, "-o", str(out), "--val", "0", "--json", str(tmp_path / "told.json")]) == 0
    names = json.loads((tmp_path / "told.json").read_text())["written"]["splits"]["train"]
    assert {name: (out / "images" / "train" / name).read_bytes() for name in names} == {
        f"{entries[1].id}.png": pictures[1],
        f"{last.id}.png": paint(size=(256, 192)),
    }
    Bucket(line.url).write(entries[2].original or "", b"\x89PNG\r\n\x1a\nanother")
    assert main(["records", "verify", *place]) == 1
    assert "was changed" in capsys.readouterr().out
    assert main(["records", "purge", *place, "--rows", "4"]) == 0
    assert line.there() == [entries[3].original] and line.place.send() == 1
    assert main(["records", "verify", "--database", line.database, "--keep-folder", "s3://line/elsewhere"]) == 2
    assert "holds no kept pictures" in capsys.readouterr().err


def test_a_store_that_is_away_is_told_in_one_line(line: Line, server: CutOff, capsys: Any) -> None:
    for hour in range(3):
        line.add(NOON + hour * HOUR_MS)
    line.place.send()
    server.stop()
    place = ["--database", line.database, "--keep-folder", line.url]
    for verb in (["records", "verify"], ["records", "purge", "--rows", "1"]):
        assert main([*verb, *place]) == 2
        assert "the server cannot be reached" in capsys.readouterr().err
    server.start()
