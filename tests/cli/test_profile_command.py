"""``lightdet profile``: what it writes, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.cli.app import main
from lightdet.config import ModelConfig
from lightdet.models.weights import save_model
from lightdet.options.profile import ProfileOptions
from lightdet.profiling import count_flops, count_parameters
from lightdet.profiling.latency import Latency
from lightdet.runs import profile
from lightdet.structures import Preprocessing

QUICK = ("--imgsz", "64", "--runs", "2", "--batch", "2", "--device", "cpu")
STAGES = ["preprocess", "network", "postprocess", "total"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.profiling.latency.MIN_BATCHES", 1)
    original = __import__("lightdet.runs.profile", fromlist=["measure_throughput"]).measure_throughput
    monkeypatch.setattr("lightdet.runs.profile.measure_throughput", lambda *a, **k: original(*a, **k, seconds=0.0))


def profiled(tmp_path: Path, *args: str) -> dict:  # type: ignore[type-arg]
    target = tmp_path / "sub" / "profile.json"
    assert main(["profile", *QUICK, "--json", str(target), *args]) == 0
    return json.loads(target.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def error_of(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["profile", *args]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    return told


def trained(path: Path, classes: int = 3, imgsz: int = 96) -> Path:
    config = ModelConfig(widths=[8, 8, 8, 16, 16], gate="scalar")
    network = build_detector(config, classes, imgsz)
    names = tuple(f"kind {i}" for i in range(classes))
    save_model(path, network.state_dict(), ModelCard(config.model_dump(mode="json"), names, Preprocessing(imgsz)))
    return path


def test_the_default_configuration(tmp_path: Path) -> None:
    result = profiled(tmp_path)
    network = build_detector(ModelConfig(), 6, 64)
    assert result["params"] == count_parameters(network)
    assert result["flops"] == count_flops(network, 64)
    assert (result["imgsz"], result["classes"], result["device"], result["runs"]) == (64, 6, "cpu", 2)
    for times in (result["latency_ms"], result["latency_p95_ms"]):
        assert list(times) == STAGES and all(value > 0 for value in times.values())
    medians = result["latency_ms"]
    assert medians["total"] >= 0.8 * sum(medians[stage] for stage in STAGES[:-1])
    assert result["throughput"]["batch"] == 2 and result["throughput"]["images_per_second"] > 0
    assert result["threads"] == torch.get_num_threads()
    assert "layers" not in result


def test_a_configuration_with_overrides_and_layers(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("imgsz: 96\nmodel: {widths: [8, 8, 8, 16, 16]}\n")
    arguments = ("--config", str(tmp_path / "small.yaml"), "model.gate=scalar", "--classes", "1", "--layers")
    result = profiled(tmp_path, *arguments)
    network = build_detector(ModelConfig(widths=[8, 8, 8, 16, 16], gate="scalar"), 1, 64)
    assert result["params"] == count_parameters(network) == sum(layer["params"] for layer in result["layers"])


def test_a_trained_model(tmp_path: Path) -> None:
    weights = trained(tmp_path / "best.safetensors")
    target = tmp_path / "p.json"
    assert main(["profile", "--weights", str(weights), "--runs", "1", "--batch", "1", "--json", str(target)]) == 0
    result = json.loads(target.read_text())
    assert (result["imgsz"], result["classes"], result["model"]) == (96, 3, str(weights))


def test_two_models_in_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("model: {gate: scalar}\n")
    result = profiled(
        tmp_path, "--config", str(tmp_path / "a.yaml"), "--weights", str(trained(tmp_path / "w.safetensors"))
    )
    assert [model["classes"] for model in result["models"]] == [6, 3]
    assert "side by side" in capsys.readouterr().out


def test_each_model_has_its_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a computer with a GPU, an exported network beside a checkpoint may run on the processor."""

    def subject(device: str, *, in_torch: bool) -> profile._Subject:
        return profile._Subject("m", None, 64, 1, None, device, "fp32", "", in_torch)

    subjects = [subject("cuda:0", in_torch=True), subject("cpu", in_torch=False)]
    latency = Latency({}, 0)
    for name, stand_in in {
        "_device_of_torch": lambda options: torch.device("cuda:0"),
        "_subjects": lambda options, device: subjects,
        "measure_latency": lambda predictors, picture, runs: [latency, latency],
        "measure_throughput": lambda predictors, picture, batch: [1.0, 1.0],
        "reset_peak_memory": lambda device: None,
        "peak_memory_mib": lambda device: 1.0 if str(device) == "cuda:0" else 2.0,
        "device_name": lambda device: f"name of {device}",
    }.items():
        monkeypatch.setattr(profile, name, stand_in)
    found = [(each.device_name, each.peak_memory_mib) for each in profile.profile_models(ProfileOptions())]
    assert found == [("name of cuda:0", 1.0), ("name of cpu", 2.0)]


def test_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(trained(tmp_path / "w.safetensors"))
    (tmp_path / "bad.yaml").write_text("model:\n  widht: 3\n")
    (tmp_path / "foreign.safetensors").write_bytes(b"PK\x03\x04 something else")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(Path(weights).read_bytes()[:5000])
    assert "bad.yaml:2: unknown key 'model.widht'; did you mean 'model.widths'?" in error_of(
        capsys, "--config", str(tmp_path / "bad.yaml")
    )
    assert "foreign.safetensors: " in error_of(capsys, "--weights", str(tmp_path / "foreign.safetensors"))
    assert "cut.safetensors: " in error_of(capsys, "--weights", str(cut))
    assert "no such file" in error_of(capsys, "--weights", str(tmp_path / "none.safetensors"))
    assert "a trained model cannot change" in error_of(capsys, "--weights", weights, "model.gate=scalar")
    assert "a trained model has its own" in error_of(capsys, "--weights", weights, "--classes", "3")
    assert "unknown device 'gpu'" in error_of(capsys, "--device", "gpu")
    assert "no such picture" in error_of(capsys, "--picture", str(tmp_path / "none.png"))
    assert "is not of the form key.path=value" in error_of(capsys, weights)
    if not torch.cuda.is_available():
        assert "use --device cpu" in error_of(capsys, "--device", "cuda")
