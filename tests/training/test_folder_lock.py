"""Two trainings in one folder; the first may die by any means."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightdet import lock_file as system
from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.training import folder_lock as module
from lightdet.training.folder_lock import LOCK_FILE, folder_lock

HOLD = "import sys; from pathlib import Path; from lightdet.training.folder_lock import folder_lock\n"
HOLD += "with folder_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_training_is_refused(
    holder: subprocess.Popen[str], defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", str(defect_set), "--output", str(tmp_path), "--epochs", "1"]) == 2
    told = f"another training (process {holder.pid}) is writing here; wait for it, stop it, or use another --output"
    assert capsys.readouterr().err == f"error: {tmp_path}: {told}\n"
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals as in POSIX")
def test_the_lock_of_a_killed_training_is_taken_over(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK_FILE).is_file()
    with folder_lock(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text().split()[0] == str(os.getpid())


def test_it_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), folder_lock(tmp_path):
            raise ZeroDivisionError
        assert not list(tmp_path.iterdir())


def test_another_host_is_named(tmp_path: Path) -> None:
    assert "(process 7 on elsewhere)" in str(module._in_use(tmp_path, "7 elsewhere"))
    assert "another training is writing" in str(module._in_use(tmp_path, ""))


def test_without_the_systems_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: a file that cannot be deleted is one that a living process has open."""
    monkeypatch.setattr(system, "fcntl", None)
    (tmp_path / LOCK_FILE).write_text("7 elsewhere\n")
    with folder_lock(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text().split()[0] == str(os.getpid())

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError

        monkeypatch.setattr(Path, "unlink", refuse)
        with pytest.raises(UserError, match=f"process {os.getpid()}"), folder_lock(tmp_path):
            pass
        monkeypatch.undo()
        monkeypatch.setattr(system, "fcntl", None)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told_elsewhere(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "missing"):
        assert not (tmp_path / "missing").exists()


def test_only_the_first_of_several_processes_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightdet.training.distributed import is_first_process

    monkeypatch.setenv("RANK", "1")
    assert is_first_process()  # a stray variable is no torchrun
    for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "2")
    assert not is_first_process()
    monkeypatch.setenv("RANK", "0")
    assert is_first_process()
