"""The same launch goes on with its own training, and with nothing else's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest_training import SMALL

from lightdet.cli.app import main
from lightdet.options.train import TrainOptions
from lightdet.runs.relaunch import LAUNCH_FILE, continued, note_launch
from lightdet.runs.resume import STATE_FILE
from lightdet.training.trainer import Trainer


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainOptions:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "press7")
    for name in ("mine.yaml", "old.safetensors"):
        (tmp_path / name).write_bytes(b"")
    weights = str(tmp_path / "old.safetensors")
    return TrainOptions(str(tmp_path / "mine.yaml"), output=str(tmp_path / "run"), weights=weights)


def test_a_launch_begins_and_goes_on(options: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(options.output)
    assert continued(options) == options  # nothing is there
    note_launch(folder)
    assert continued(options) == replace(options, overwrite=True)  # lost before its first state
    (folder / STATE_FILE).write_bytes(b"")
    assert continued(options) == replace(options, resume=True, weights=None)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "another")
    assert continued(options) == options
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert continued(options) == options


@pytest.mark.parametrize("launch", [None, "none"])
def test_a_launch_without_a_name_is_none(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch, launch: str | None
) -> None:
    """torchrun calls every one of them `none`: two of them are not the same."""
    folder = Path(options.output)
    note_launch(folder)
    if launch is None:
        monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    else:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", launch)
    note_launch(folder)
    assert not (folder / LAUNCH_FILE).exists()
    (folder / STATE_FILE).write_bytes(b"")
    assert continued(options) == options


def test_a_file_that_is_no_text_names_no_launch(options: TrainOptions) -> None:
    note_launch(Path(options.output))
    (Path(options.output) / LAUNCH_FILE).write_bytes(b"\xff\xfe\x00")
    assert continued(options) == options


class Killed(BaseException):
    """A kill, as far as the files tell."""


def killed(*_: Any) -> None:
    raise Killed


@pytest.mark.parametrize("launch", [None, "press7"])
def test_a_kill_before_the_first_save_does_not_bring_the_old_training_back(
    launch: str | None,
    defect_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    args = ["train", "--data", str(defect_set), "--output", str(folder), "--device", "cpu", *SMALL, "train.epochs=2"]
    assert main([*args, "train.start=chance"]) == 0
    assert main([*args, "--overwrite", "--weights", str(tmp_path / "none.safetensors")]) == 2
    broken = shutil.copytree(defect_set.parent, tmp_path / "broken")
    next((broken / "images" / "train").iterdir()).write_bytes(b"no picture")
    wrong = [str(broken / defect_set.name) if word == str(defect_set) else word for word in args]
    assert main([*wrong, "--overwrite"]) == 2
    assert (folder / STATE_FILE).is_file(), "a mistake in the command costs nothing"

    if launch is not None:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", launch)
    weights = str(shutil.copy(folder / "best.safetensors", tmp_path))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_run_epoch", killed)
        main([*args, "--overwrite", "--weights", weights])
    again = TrainOptions(str(defect_set), output=str(folder), overwrite=True, weights=weights)
    assert continued(again) == again, "torchrun's second start is the first again"
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    capsys.readouterr()
    assert main([*args, "--resume"]) == 2
    assert "nothing to resume here" in capsys.readouterr().err
    assert main(args) == 2
    assert "already holds a training; replace it with --overwrite, or" in capsys.readouterr().err
