"""Commands that write a model take a stored one, and say where the result goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.storage.kept import kept_folder

URL = "s3://lake/models/best.safetensors"


@pytest.fixture
def stored(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LIGHTDET_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)
    save_small_detector(tmp_path / "m.safetensors", ("dent",))
    s3.pipe_file("lake/models/best.safetensors", (tmp_path / "m.safetensors").read_bytes())
    (tmp_path / "m.safetensors").unlink()
    (tmp_path / "set" / "images").mkdir(parents=True)
    return URL


def test_an_export_of_it(stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--weights", stored]) == 2
    assert "best.safetensors: the model is stored by URL: say with --output" in capsys.readouterr().err
    before = sorted(kept_folder().rglob("*"))
    assert main(["export", "--weights", stored, "--output", "best.onnx"]) == 0
    assert (tmp_path / "best.onnx").is_file()
    assert sorted(kept_folder().rglob("*")) == before  # beside the copy nothing is written


def test_a_calibration_of_it(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["calibrate", "--weights", stored, "--data", "set", "--escape-rate", "0.1"]
    assert main(given) == 2
    assert "say with --output where the file goes" in capsys.readouterr().err


def test_a_profile_of_it(stored: str, tmp_path: Path) -> None:
    given = ["profile", "--weights", stored, "--json", "profile.json", "--runs", "2", "--batch", "1"]
    assert main(given) == 0
    assert (tmp_path / "profile.json").is_file()
