"""Commands take a stored model; those that write one are told where; pictures to explain may be stored as well."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pil
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


def test_an_explanation_of_stored_pictures(s3: Any, stored: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        file = io.BytesIO()
        Pil.new("RGB", (64, 64), (90, 30, 200)).save(file, "png")
        s3.pipe_file(f"lake/shown/{name}.png", file.getvalue())
    s3.pipe_file("lake/shown/film.mp4", b"no picture")
    given = ["explain", "s3://lake/shown/*", "--weights", stored, "--class", "dent", "--output", "out"]
    assert main([*given, "--on-error", "skip", "--json", "told.json"]) == 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert [each["source"] for each in told["explanations"]] == ["s3://lake/shown/a.png", "s3://lake/shown/b.png"]
    assert [each["source"] for each in told["skipped"]] == ["s3://lake/shown/film.mp4"]
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 2
