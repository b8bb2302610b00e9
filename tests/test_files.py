"""A file is old or new, never half: also when the process is killed in the middle, the disk is full or read-only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightdet.errors import UserError
from lightdet.files import (
    atomic_folder,
    atomic_path,
    make_folder,
    remove_leftover,
    run_name,
    write_bytes,
    write_json,
    write_text,
)

ROOT = Path(__file__).resolve().parents[1]
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
POSIX = os.name == "posix"


def left_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_written_whole_and_nothing_else_left(tmp_path: Path) -> None:
    write_text(tmp_path / "sub" / "ä.txt", "größe\n")
    write_bytes(tmp_path / "sub" / "b", b"\0\1")
    write_json(tmp_path / "sub" / "c.json", {"ß": [1, None]})
    assert (tmp_path / "sub" / "ä.txt").read_bytes() == "größe\n".encode()
    assert json.loads((tmp_path / "sub" / "c.json").read_text(encoding="utf-8")) == {"ß": [1, None]}
    assert left_in(tmp_path / "sub") == ["b", "c.json", "ä.txt"]


def test_a_file_name_that_is_no_utf8_can_be_told(tmp_path: Path) -> None:
    name = os.fsdecode(b"pr\xfcf.jpg")
    write_json(tmp_path / "a.json", {"picture": name})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"picture": name}


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert left_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("letter", ["x", "é", "欠"])
@pytest.mark.parametrize("spare", range(16))
def test_names_as_long_as_the_system_allows(letter: str, spare: int, tmp_path: Path) -> None:
    room = 255 - spare
    name = letter * (room // len(letter.encode())) + "x" * (room % len(letter.encode()))
    with atomic_path(tmp_path / name) as temporary:
        write_text(tmp_path / name, "another writer")  # takes a name of its own
        temporary.write_text("whole")
    assert (tmp_path / name).read_text() == "whole" and len(list(tmp_path.iterdir())) == 1


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"map50": float("nan")})
    assert left_in(tmp_path) == []


WRITER = """
import sys
from lightdet.files import atomic_path
for turn in range(1, 100_000):
    with atomic_path(sys.argv[1]) as temporary, temporary.open("wb") as file:
        for _ in range(64):
            file.write(bytes([turn % 256]) * 4096)
            file.flush()
    print(turn, flush=True)
"""


@pytest.mark.skipif(not POSIX, reason="kill -9 is POSIX")
@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011, 0.023])
def test_killed_in_the_middle(tmp_path: Path, delay: float) -> None:
    """A writer replaces one file over and over and is killed: what is left is one of its versions, whole."""
    target = tmp_path / "model.bin"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(target)], cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    content = target.read_bytes()
    assert len(content) == 64 * 4096 and len(set(content)) == 1


def test_killed_before_the_rename_keeps_the_old(tmp_path: Path) -> None:
    target = tmp_path / "a"
    write_text(target, "old")
    code = (
        "import os, sys; from lightdet.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as t: t.write_text('new'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(target)], cwd=ROOT, check=False).returncode == 9
    assert target.read_text() == "old"


KILLED = (
    "import os, sys; from lightdet.files import atomic_path\n"
    "with atomic_path(sys.argv[1]) as t: t.write_text('a long part'); os._exit(9)"
)


@pytest.mark.skipif(not POSIX, reason="file locks as in POSIX")
def test_what_a_kill_leaves_is_gone_after_the_next_write(tmp_path: Path) -> None:
    target = tmp_path / "a"
    (tmp_path / ".a.notes.tmp").write_text("somebody else's")
    for _ in range(3):
        subprocess.run([sys.executable, "-c", KILLED, str(target)], cwd=ROOT, check=False)
    assert len(left_in(tmp_path)) == 2, "leftovers pile up"
    with atomic_path(target) as temporary:
        assert temporary.read_bytes() == b""
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert left_in(tmp_path) == [".a.notes.tmp", "a"]


@pytest.mark.skipif(not POSIX, reason="file locks as in POSIX")
def test_leftovers_are_removed_but_not_what_is_being_written(tmp_path: Path) -> None:
    target = tmp_path / "a"
    subprocess.run([sys.executable, "-c", KILLED, str(target)], cwd=ROOT, check=False)
    assert len(left_in(tmp_path)) == 1
    remove_leftover(target)
    assert left_in(tmp_path) == []
    remove_leftover(target)
    remove_leftover(tmp_path / "no folder" / "a")
    code = (
        "import sys; from lightdet.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as t: t.write_text('alive'); print(flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(target)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        remove_leftover(target)
        write_text(target, "ours")
        assert target.read_text() == "ours"
        writer.communicate(b"\n")
    assert writer.returncode == 0
    assert target.read_text() == "alive"
    assert left_in(tmp_path) == ["a"]


@pytest.mark.skipif(not POSIX, reason="permissions as in POSIX")
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    for write in (lambda: make_folder(tmp_path / "runs"), lambda: write_text(tmp_path / "runs" / "a", "x")):
        with pytest.raises(UserError, match=r"runs: the folder cannot be made: there is a file with this name"):
            write()


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(UserError, match=r"a\.json: cannot be written: "):
        write_json(tmp_path / "a.json", {})
    assert left_in(tmp_path) == ["a.json"]


@pytest.mark.skipif(AS_ROOT or not POSIX, reason="nothing is read-only to root")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UserError, match="cannot be written: Permission denied"):
            write_text(tmp_path / "a", "x")
        with pytest.raises(UserError, match="the folder cannot be made: Permission denied"):
            make_folder(tmp_path / "b" / "c")
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, which nobody may write, not even root")
def test_a_folder_that_refuses() -> None:
    with pytest.raises(UserError, match="cannot be"):
        write_text("/proc/self/a.txt", "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written: No space left"), atomic_path(tmp_path / "a") as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(b"x" * 100_000)
    assert left_in(tmp_path) == []


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a") as first, atomic_path(tmp_path / "a") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"
    assert left_in(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("runs/mine/best.safetensors", "mine"),
        ("runs/mine/last.onnx", "mine"),
        ("runs/mine/Best.xml", "mine"),
        ("runs/mine/best-of-all.safetensors", "best-of-all"),
        ("models/line 4.onnx", "line 4"),
    ],
)
def test_a_model_is_called_as_its_training(path: str, name: str) -> None:
    assert run_name(Path(path)) == name


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new"
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as folder:
        (folder / "a").write_text("a")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    target.mkdir()  # an empty one is taken
    with atomic_folder(target) as folder:
        (folder / "a").write_text("a")
        assert list(target.iterdir()) == []
    assert [path.name for path in target.iterdir()] == ["a"] and list(tmp_path.iterdir()) == [target]
    for taken in (target, target / "a"):
        with pytest.raises(UserError), atomic_folder(taken):
            raise AssertionError
