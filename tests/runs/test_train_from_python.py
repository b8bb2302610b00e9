"""A training that Python starts is the one that the command line starts: locked, with its facts, and resumable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightdet.cli.app import main
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.errors import UserError
from lightdet.options.train import TrainOptions
from lightdet.runs.train import train
from lightdet.training.checkpoint import load_state
from lightdet.training.folder_lock import folder_lock

TINY = (
    "imgsz=64",
    "train.epochs=1",
    "train.batch=4",
    "train.start=chance",
    "train.workers=1",
    "model.name=lightdet-nano",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("data") / "set", SyntheticPlan(images=8, imgsz=96)).yaml


def test_it_is_locked_tells_its_facts_and_is_known_to_the_command_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = TrainOptions(data, overrides=TINY, device="cpu", output=tmp_path / "out")
    (tmp_path / "out").mkdir()
    with folder_lock(tmp_path / "out"), pytest.raises(UserError, match="another training"):
        train(request)
    result = train(request)
    assert result.values["finished"] and not result.stopped
    run = load_state(result.folder).run
    assert {"config", "data", "names", "computing", "start"} <= set(run)
    assert main(["train", "--data", str(data), "--output", str(result.folder), "--resume"]) == 2
    assert "this training has ended after 1 of 1 epochs" in capsys.readouterr().err


def test_the_training_of_a_detector_loads_nothing_of_classification(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom lightdet.options.train import TrainOptions\nfrom lightdet.runs.train import train\n"
        f"train(TrainOptions({str(data)!r}, overrides={TINY!r}, device='cpu', output={str(tmp_path)!r}))\n"
        "print(*(name for name in sys.modules if name.startswith('lightdet.') and 'classif' in name))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    # the task itself imports what it needs when it is asked
    assert all(name.startswith("lightdet.tasks.classification") for name in told.split()), told
