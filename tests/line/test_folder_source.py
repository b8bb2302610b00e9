"""A watched file is judged as it was listed, or not at all: what has changed while it waited is another picture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plain_judge import put, results, running, section, wait_for

from lightdet.line import folder_source
from lightdet.line.folder_source import FolderJob, Mark, list_pictures
from lightdet.line.messages import Picture

BEFORE = b"NG the bad part"


def replace(path: Path) -> None:
    put(path.parent, **{path.stem: "OK the next part"})


def replace_same_size(path: Path) -> None:
    put(path.parent, **{path.stem: "OK" + "x" * (len(BEFORE) - 2)})


def overwrite_in_place(path: Path) -> None:
    path.write_bytes(b"OK the next part, longer")


def overwrite_half(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"OK the")


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b" and more")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def touch(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000_000))


CHANGES = [replace, replace_same_size, overwrite_in_place, overwrite_half, append, empty, touch]
IN_PLACE = [overwrite_in_place, overwrite_half, append, empty, touch]


@pytest.fixture
def listed(tmp_path: Path) -> tuple[Path, Callable[[], Picture]]:
    """A file that was listed a while ago, and what reads it now."""
    path = tmp_path / "part.png"
    path.write_bytes(BEFORE)
    os.utime(path, ns=(10**18, 10**18))
    mark: Mark = list_pictures(tmp_path, recursive=False)["part.png"]
    job = FolderJob("left", tmp_path, False, 0.0, False, tmp_path / "ledger")
    return path, lambda: folder_source._read(job, "part.png", mark, 0.0)


def test_a_file_that_is_as_it_was_listed_is_read(listed: tuple[Path, Callable[[], Picture]]) -> None:
    picture = listed[1]()
    assert (picture.data, picture.problem) == (BEFORE, "")
    assert picture.sha256 == hashlib.sha256(BEFORE).hexdigest()


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_while_it_waited_is_gone(
    listed: tuple[Path, Callable[[], Picture]], change: Callable[[Path], None]
) -> None:
    path, read = listed
    change(path)
    picture = read()
    assert picture.problem == "its file has changed since it arrived, before it was judged"
    assert (picture.data, picture.sha256) == (None, "")
    assert list_pictures(path.parent, recursive=False)["part.png"] != (len(BEFORE), 10**18)  # another picture


@pytest.mark.parametrize("change", IN_PLACE)
def test_what_changes_while_it_is_read_is_gone(
    listed: tuple[Path, Callable[[], Picture]], change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = listed
    fstat, calls = os.fstat, []

    def then_change(handle: int) -> Any:
        facts = fstat(handle)
        if not calls:
            change(path)
        calls.append(handle)
        return facts

    monkeypatch.setattr(folder_source.os, "fstat", then_change)
    assert read().problem == "its file has changed since it arrived, before it was judged"


def test_what_was_removed_is_gone_and_what_is_locked_cannot_be_read(
    listed: tuple[Path, Callable[[], Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = listed
    path.unlink()
    assert read().problem == "its file is gone since it arrived, before it was judged"

    def locked(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    assert read().problem == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("change", "once"), [(replace, False), (replace, True), (overwrite_in_place, False), (Path.unlink, True)]
)
def test_no_part_gets_the_verdict_of_the_next_one(tmp_path: Path, change: Callable[[Path], None], once: bool) -> None:
    """A slow model, a queue of one: the bad part's file is replaced while it waits."""
    (tmp_path / "plain.onnx").write_text("0.5", encoding="utf-8")
    wanted = section(tmp_path, left={"queue": 1})
    put(tmp_path / "left", a="OK", b="OK", c="OK", d="OK")
    bad = tmp_path / "left" / "part.png"
    bad.write_bytes(BEFORE)
    new = max(path.stat().st_mtime_ns for path in bad.parent.iterdir()) + 1_000_000
    os.utime(bad, ns=(new, new))  # the last in turn
    replaced = change is not Path.unlink
    with running(wanted, once=once):
        wait_for(lambda: results(tmp_path))  # it was listed before this one was read
        change(bad)
        wait_for(lambda: len(results(tmp_path)) >= 5 + replaced)
    told = [(each["verdict"], each["cause"]) for each in results(tmp_path) if each["picture"] == "part.png"]
    assert sorted(told) == sorted([("none", "gone"), *([("OK", "")] if replaced else [])])
