"""The ledger: one id per picture, for good; all of a step is written, or nothing of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lightdet.errors import UserError
from lightdet.line.folder_source import FORGET_DAYS, key_of, list_pictures
from lightdet.line.ledger import Finished, Known, Ledger, Spool

NONE = {"log": 0}


def finished(ledger: Ledger, key: str, time_ms: int = 1_800_000_000_000) -> Finished:
    identity, done = ledger.arrive("left", key, f"{key}.png", time_ms)
    assert not done
    return Finished("left", key, identity, f"{key}.png", time_ms, {"id": identity})


def missing(path: Path) -> list[tuple[str, str]]:
    return [(each.key, each.name) for each in Known(path, "left").missing(lambda key: False, "it is gone")]


def test_a_picture_keeps_its_id_and_is_done_once(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    ledger = Ledger(path, {"log": 10})
    first = finished(ledger, "a")
    ledger.write([], NONE)
    ledger.close()
    again = Ledger(path, {"log": 10})
    assert again.arrive("left", "a", "a.png", 5) == (first.id, False)
    assert missing(path) == [("a", "a.png")]
    again.write([first], NONE)
    assert again.arrive("left", "a", "a.png", 5) == (first.id, True)
    assert again.arrive("right", "a", "a.png", 5)[0] != first.id
    assert Known(path, "left").done("a")
    assert [each.id for each in Spool(path, "log").next(10)] == [first.id]


def test_what_cannot_be_forgotten_now_is_forgotten_later(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    ledger = Ledger(path, {"log": 10})
    ledger.write([finished(ledger, "a")], NONE)
    ledger._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # locked, as by another program
    ledger.forget("left", ["a"])
    other.execute("ROLLBACK")
    other.close()
    ledger.write([finished(ledger, "b")], NONE)
    assert Known(path, "left").done("a")
    ledger.forget("left", ["a"])
    ledger.write([], NONE)
    assert not Known(path, "left").done("a")


def test_what_cannot_be_written_leaves_nothing_and_is_written_later(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    ledger = Ledger(path, {"log": 10})
    one, two = finished(ledger, "a"), finished(ledger, "b")
    bad: Any = Finished("left", "b", two.id, "b.png", object(), {})  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        ledger.write([one, bad], NONE)
    assert Spool(path, "log").next(10) == []
    assert ledger.waiting("log", 0) == 0
    ledger.write([one, two], NONE)
    assert [each.id for each in Spool(path, "log").next(10)] == [one.id, two.id]
    assert missing(path) == []


def test_only_what_is_done_and_old_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    ledger = Ledger(path, {"log": 10})
    ledger.write([finished(ledger, "old", 1000), finished(ledger, "new", 4_000_000_000_000)], NONE)
    finished(ledger, "undone", 1000)
    ledger.write([], NONE)
    old = list(Known(path, "left").old(FORGET_DAYS))
    assert old == ["old"]
    ledger.forget("left", [*old, "undone"])
    ledger.write([], NONE)
    assert not Known(path, "left").done("old")
    assert missing(path) == [("undone", "undone.png")]


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(UserError, match="another version"):
        Ledger(path, {})


def test_a_folder_is_listed_without_what_is_hidden_or_no_picture(tmp_path: Path) -> None:
    for name in ("a.png", ".b.png", "c.txt", "deep/d.JPG", ".git/e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "f.png").mkdir()
    assert set(list_pictures(tmp_path, False)) == {"a.png"}
    assert set(list_pictures(tmp_path, True)) == {"a.png", "deep/d.JPG"}
    mark = list_pictures(tmp_path, False)["a.png"]
    (tmp_path / "a.png").write_bytes(b"other")
    assert key_of("a.png", list_pictures(tmp_path, False)["a.png"]) != key_of("a.png", mark)
