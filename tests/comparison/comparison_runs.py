"""Runs of ``lightdet compare`` in a folder with two small configurations."""

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from in_this_process import trained_here

from lightdet.cli.app import main
from lightdet.runs import trainings
from lightdet.runs.trainings import read_progress

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = """\
imgsz: 64
model: {{widths: [8, 8, 16, 16, 16], attention_at: [{stride}]}}
train: {{epochs: 2, batch: 4, precision: fp32, warmup_epochs: 1, workers: 1}}
eval: {{confidence: 1.0e-05}}
"""
NEARLY_ALL = "eval.confidence=1.0e-05"
"""So short a training gives low scores; without them every metric would be 0."""
MODELS = ["near.yaml", "far.yaml", "--seeds-for", "near=0,1"]
QUICK = ["--device", "cpu", "--runs", "2", "--pictures", "2"]


def small_configs(folder: Path) -> None:
    """Two networks that differ in where their attention stands, and in nothing else."""
    (folder / "near.yaml").write_text(SMALL.format(stride=8))
    (folder / "far.yaml").write_text(SMALL.format(stride=32))


class Compare:
    """Runs the command in this process: exit code, and what it printed."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self.capsys = capsys

    def __call__(self, *args: str, data: Path | None = None) -> tuple[int, str, str]:
        code = main(["compare", "--data", str(data or self.data), "--output", "out", *QUICK, *args])
        return code, *self.capsys.readouterr()

    def refused(self, *args: str, data: Path | None = None) -> str:
        """The one line of an error; nothing may have been written."""
        code, out, err = self(*args, data=data)
        assert (code, out) == (2, ""), out + err
        assert err.startswith("error: ") and err.count("\n") == 1
        return err


def result(folder: Path = Path("out")) -> dict[str, Any]:
    """What comparison.json holds; by name where it lists models."""
    value = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    value["models"] = {model["name"]: model for model in value["models"]}
    return value  # type: ignore[no-any-return]


def start(data: Path, folder: Path, *args: str) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    door = str(REPOSITORY / "tools" / "compare.py")
    return subprocess.Popen(
        [sys.executable, door, "--data", str(data), "--output", "out", *QUICK, *MODELS, *args],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for_epoch(process: subprocess.Popen[str], folder: Path, epoch: int) -> None:
    """Until the training in `folder` has saved this epoch."""
    while process.poll() is None:
        reached = read_progress(folder)
        if reached is not None and reached.epoch >= epoch:
            return
        time.sleep(0.02)
    pytest.fail(f"ended too early: {process.communicate()}")


class StopAfterAnEpoch:
    """In place of a signal: true once the training in `folder` has saved its first epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def requested(self) -> bool:
        reached = read_progress(self.folder)
        return reached is not None and reached.epoch >= 1


def interrupted_comparison(data: Path, folder: Path) -> None:
    """Begin it, stop it in the middle of the first training, and let the same command end it."""
    first = folder / "out/models/near/seed0"
    command = ["compare", "--data", str(data), "--output", "out", *QUICK, *MODELS]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with pytest.MonkeyPatch.context() as stop:
            stop.setattr(trainings, "stop_on_signal", lambda: nullcontext(StopAfterAnEpoch(first)))
            assert main(command) == 130
        reached = read_progress(first)
        assert reached is not None and not reached.done and not Path("out/comparison.html").exists()
        with trained_here():
            assert main(command) == 0
    assert "continuing in" in (first / "log.txt").read_text(encoding="utf-8")
