"""The command answers at once, mistakes end in one line, and the doors in tools/ hide nothing of Python's own."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from lightdet.cli import app as frame
from lightdet.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("train", "val", "detect", "profile", "export", "compare", "explain", "tune", "serve", "data")
HEAVY = {"torch", "torchvision", "cv2", "matplotlib", "albumentations", "pycocotools", "tensorboard", "numpy"}


def python(*args: str, cwd: Path = ROOT, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, input=stdin, capture_output=True, text=True, env=environment, check=False
    )


def start(args: Sequence[str]) -> tuple[int, set[str], str]:
    """Run `main` in a fresh interpreter: the exit code, the heavy modules that it imported, and its stderr."""
    code = (
        "import sys; from lightdet.cli.app import main; code = main(sys.argv[1:]);"
        f"print('\\nHEAVY', *({HEAVY!r} & set(sys.modules))); sys.exit(code)"
    )
    result = python("-c", code, *args)
    return result.returncode, set(result.stdout.rpartition("HEAVY")[2].split()), result.stderr


@pytest.mark.parametrize("way", ["main()", "door('train')"])
def test_nothing_is_looked_through_for_garbage_on_the_way_out(way: str) -> None:
    """With torch that takes seconds of each command, and more beside busy programs."""
    code = (
        "import atexit, gc, sys; from lightdet.cli import start; sys.argv[1:] = ['--help'];"
        f"atexit.register(lambda: print('FROZEN', gc.get_freeze_count() > 1000)); start.{way}"
    )
    assert "FROZEN True" in python("-c", code).stdout


@pytest.mark.parametrize("args", [(), ("--help",), ("--version",), *((name, "--help") for name in COMMANDS)])
def test_help_needs_nothing_heavy(args: tuple[str, ...]) -> None:
    code, heavy, stderr = start(args)
    assert (code, heavy, stderr) == (0, set(), "")


WRONG = [
    (("--nonsense",), "No such option: --nonsense"),
    (("trian",), "train"),
    (("train", "--epoch", "3"), "--epochs"),
    (("train", "-d", "README.md", "--epochs", "many"), "Invalid value for '--epochs'"),
    (("train", "-d", "README.md", "--batch", "0"), "--batch"),
    (("train", "-d", "README.md", "--imgsz", "600"), "600 is not a multiple of 32; take 576 or 608"),
    (("train", "-d", "README.md", "--imgsz", "7"), "7 is not a multiple of 32; take 32"),
    (("train",), "Missing option '--data'"),
    (("data",), "Missing command"),
    (("profile", "--json", "lightdet"), "lightdet is a folder; give a file in it"),
    (("profile", "--json", "README.md/a/b.json"), "README.md is no folder to write in"),
]


@pytest.mark.parametrize(("args", "told"), WRONG)
def test_a_wrong_argument_is_one_line_and_needs_nothing_heavy(args: tuple[str, ...], told: str) -> None:
    code, heavy, stderr = start(args)
    assert code == 2
    assert heavy == set()
    assert stderr.startswith("error: ") and stderr.count("\n") == 1 and told in stderr


def test_help_comes_at_once() -> None:
    """Processor time, and the best of three, so that a busy machine does not fail it; importing torch takes longer."""
    resource = pytest.importorskip("resource", reason="the system does not tell the processor time of its children")
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert python("-m", "lightdet", "--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.6


def test_importing_the_package_needs_nothing_heavy() -> None:
    code = f"import sys, lightdet; sys.exit(str({HEAVY!r} & set(sys.modules)) if {HEAVY!r} & set(sys.modules) else 0)"
    assert python("-c", code).returncode == 0


def run_raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def raising(_: list[str]) -> None:
        raise error

    monkeypatch.setattr(frame, "app", raising)
    return frame.main(["anything"])


def test_a_users_mistake_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_raising(UserError("first\nsecond", path="a.yaml", line=3), monkeypatch) == 2
    assert capsys.readouterr().err == "error: a.yaml:3: first\\nsecond\n"


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_raising(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_our_own_mistake_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run_raising(ZeroDivisionError(), monkeypatch)


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_raising(OSError(errno.ENOSPC, "No space left on device", "events.out"), monkeypatch) == 2
    assert capsys.readouterr().err == "error: events.out: the disk is full; make room and start again\n"


@pytest.mark.skipif(os.name != "posix", reason="closes standard output as POSIX shells do")
def test_standard_output_may_be_closed() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "lightdet", "--version"],
        cwd=ROOT,
        preexec_fn=lambda: os.close(1),
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_closed_pipe_ends_quietly() -> None:
    """As in ``lightdet --help | head -0``: the reader is gone before the first word."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "lightdet", "--help"], cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert result.returncode == 1
    assert result.stderr == b""


EARLY = """
import runpy, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "cyclopts":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
"""
SCRIPT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]["lightdet"]
BEGINNINGS = {
    "script": f"from {SCRIPT.replace(':', ' import ')}; sys.exit(main())",
    "module": "runpy.run_module('lightdet', run_name='__main__')",
    **{name: f"runpy.run_path('tools/{name}.py', run_name='__main__')" for name in COMMANDS},
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_ctrl_c_while_python_reads_its_files(beginning: str) -> None:
    result = python("-c", EARLY + beginning)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "interrupted\n")


# --- the doors --------------------------------------------------------------------------------------------

ASK = """
import cProfile, profile, multiprocessing
print("HERE", cProfile.__file__)
print("HERE", profile.__file__)
pool = multiprocessing.get_context("spawn").Pool(1)
print("CHILD", pool.apply(eval, ("[__import__(n).__file__ for n in ('cProfile', 'profile', 'lightdet')]",)))
pool.terminate()
"""


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("folder", [ROOT, ROOT / "tools"], ids=["root", "tools"])
def test_a_door_opens_from_anywhere(name: str, folder: Path) -> None:
    result = python(str((ROOT / "tools" / f"{name}.py").relative_to(folder)), "--help", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert f"tools/{name}.py" in result.stdout


@pytest.mark.parametrize("folder", [ROOT, ROOT / "tools"], ids=["root", "tools"])
def test_a_door_hides_nothing_from_itself_and_its_workers(folder: Path) -> None:
    """``-i`` asks the interpreter that a door has started, and a worker process spawned from it."""
    door = str((ROOT / "tools" / "train.py").relative_to(folder))
    result = python("-i", door, "--help", cwd=folder, stdin=ASK)
    lines = [line for line in result.stdout.splitlines() if line.startswith(("HERE", "CHILD"))]
    assert len(lines) == 3, result.stderr
    assert not any(str(ROOT / "tools") in line for line in lines)
    assert str(ROOT / "lightdet") in lines[2]


def test_a_door_does_not_need_an_installed_package(tmp_path: Path) -> None:
    """The checkout beside the door is what runs, wherever it is called from."""
    result = python("-i", str(ROOT / "tools" / "val.py"), "--help", cwd=tmp_path, stdin="import lightdet; lightdet\n")
    assert str(ROOT / "lightdet" / "__init__.py") in result.stdout


def test_a_door_tells_a_mistake_like_the_command(tmp_path: Path) -> None:
    result = python(str(ROOT / "tools" / "profile.py"), "--qqqq", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr == "error: No such option: --qqqq; see 'tools/profile.py --help'\n"


def _press_ctrl_c(running: subprocess.Popen[str]) -> str:
    """Press it again if nothing comes of it: Python drops one that meets a weak reference's callback at an import."""
    for _ in range(3):
        time.sleep(1.5)
        running.send_signal(signal.SIGINT)
        try:
            return running.communicate(timeout=15)[1]
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("three times Ctrl-C did not end it")


@pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")
def test_ctrl_c_for_real() -> None:
    command = [sys.executable, "-m", "lightdet", "profile", "--imgsz", "32", "--runs", "100000", "--device", "cpu"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            stderr = _press_ctrl_c(running)
        finally:
            running.kill()
    assert stderr.endswith("interrupted\n")
    assert running.returncode in (130, -signal.SIGINT)  # the second where it met an import in C; a shell says 130, too
