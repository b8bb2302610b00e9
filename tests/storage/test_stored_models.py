"""Commands take a stored model; those that write one are told where; pictures to explain may be stored as well."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pil
from small_detector import save_small_detector

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.starting import start_in
from lightdet.cli.app import main
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
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


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_synthetic(tmp_path_factory.mktemp("data") / "set", SyntheticPlan(images=8, imgsz=96)).yaml)


@pytest.fixture
def taught(s3: Any, stored: str, data: str, tmp_path: Path) -> str:
    """The URL of a model with the data set's classes."""
    save_small_detector(tmp_path / "t.safetensors", load_dataset(data).classes)
    s3.pipe_file("lake/models/taught/best.safetensors", (tmp_path / "t.safetensors").read_bytes())
    (tmp_path / "t.safetensors").unlink()
    return "s3://lake/models/taught/best.safetensors"


@pytest.mark.parametrize("by", ["--weights", "train.start", "train.distill"])
def test_a_training_from_it(taught: str, data: str, tmp_path: Path, by: str) -> None:
    own = ["train.epochs=1", "train.batch=4", "train.workers=1", "imgsz=64"]
    network = ["model.widths=[8,8,16,16,16]", "model.attention_at=[]", "model.gate_at=[]"]
    if by == "train.distill":
        own.append("train.start=chance")
    given = ["--weights", taught] if by == "--weights" else [f"{by}={taught}", *network]
    assert main(["train", "--data", data, "--output", "out", "--device", "cpu", *given, *own]) == 0
    if by != "train.distill":
        assert start_in(tmp_path / "out" / "best.safetensors") == taught
    kept = str(kept_folder())
    for path in (tmp_path / "out").glob("*.*"):
        assert path.suffix in (".png", ".pt", ".safetensors") or kept not in path.read_text("utf-8"), path


def test_a_training_from_one_that_is_missing(taught: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    gone = taught.replace("best", "gone")
    for given in (["--weights", gone], [f"train.start={gone}"], ["train.start=chance", f"train.distill={gone}"]):
        assert main(["train", "--data", data, "--output", "out", *given]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and f"{gone}: cannot be read: there is no such bucket" in told


@pytest.mark.parametrize("by", ["--weights", "named", "bare", "--models"])
def test_a_comparison_of_it(taught: str, data: str, tmp_path: Path, by: str) -> None:
    (tmp_path / "models.yaml").write_text(f"models:\n  mine: {{weights: '{taught}'}}\n")
    given = {
        "--weights": ["--weights", taught],
        "named": ["--weights", f"mine={taught}"],
        "bare": [taught],
        "--models": ["--models", "models.yaml"],
    }[by]
    run = ["--output", "out", "--runs", "2", "--device", "cpu", "--threads", "1", "--pictures", "0", "--json", "c.json"]
    assert main(["compare", "--data", data, *given, *run]) == 0
    (model,) = json.loads((tmp_path / "c.json").read_text())["models"]
    assert model["name"] == ("taught" if by in ("--weights", "bare") else "mine")
    assert str(kept_folder()) not in (tmp_path / "c.json").read_text()


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
