"""The same launch goes on with its own training, and with nothing else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lightdet.options.train import TrainOptions
from lightdet.runs.relaunch import LAUNCH_FILE, continued, note_launch
from lightdet.runs.resume import STATE_FILE


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
