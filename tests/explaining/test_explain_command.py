"""``lightdet explain`` and ``detect --explain``: what they write, and what they say when they cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lightdet
from lightdet.assembly.classifier import build_classifier, classifier_card
from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.cli.app import main
from lightdet.config import ModelConfig, YamlFile
from lightdet.config.classification import load_classify_config
from lightdet.decisions.zones import Zone, Zones
from lightdet.models.weights import load_model, save_model
from lightdet.structures import Preprocessing

NAMES = ("dent", "long scratch/ü")


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained detector that reports something everywhere."""
    torch.manual_seed(0)
    config = ModelConfig(widths=[8, 8, 16, 16, 16])
    network = build_detector(config, 2, 64)
    with torch.no_grad():
        for conv in network.head.outputs:  # type: ignore[union-attr]
            conv.bias.view(3, 7)[:, 4:] += 6
    path = tmp_path_factory.mktemp("model") / "best.safetensors"
    card = ModelCard(config.model_dump(mode="json"), NAMES, Preprocessing(64))
    save_model(path, dict(network.state_dict()), card)
    return path


@pytest.fixture(scope="module")
def classifier_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = load_classify_config(YamlFile({"task": "classify", "imgsz": 64, "model": {"name": "cnn"}})).model
    network = build_classifier(config, 2, 64)
    path = tmp_path_factory.mktemp("classifier") / "best.safetensors"
    card = ModelCard(classifier_card(config), NAMES, Preprocessing(64))
    save_model(path, dict(network.state_dict()), card)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "größe b.jpg"):
        Image.fromarray(rng.integers(0, 255, (70, 100, 3), dtype=np.uint8)).save(folder / name)
    return folder


def error_of(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    capsys.readouterr()
    assert main([str(arg) for arg in args]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    return told


def test_boxes_of_a_folder(tmp_path: Path, detector_file: Path, pictures: Path) -> None:
    out, numbers = tmp_path / "out", tmp_path / "why.json"
    args = ["explain", str(pictures), "--weights", str(detector_file), "-o", str(out), "--top", "2"]
    assert main([*args, "--json", str(numbers), "--device", "cpu"]) == 0
    result = json.loads(numbers.read_text(encoding="utf-8"))
    assert result["pictures"] == 2
    assert len(result["explanations"]) == 4
    for entry in result["explanations"]:
        assert entry["kind"] == "box"
        assert entry["number"] in (1, 2)
        assert 0 <= entry["peak"][0] < 100
        assert 0 <= entry["peak"][1] < 70
        assert 0 <= entry["heat_in_box"] <= 1
        with Image.open(entry["overlay"]) as picture:
            assert picture.width % 100 == 0
            assert picture.height > 70 * picture.width / 100
    assert len(list(out.iterdir())) == 4


def test_a_box_is_numbered_as_in_detect(tmp_path: Path, detector_file: Path, pictures: Path) -> None:
    picture, found, why = pictures / "a.png", tmp_path / "found.json", tmp_path / "why.json"
    model = ["--weights", str(detector_file), "--device", "cpu"]
    assert main(["detect", str(picture), *model, "--no-images", "--json", str(found)]) == 0
    assert main(["explain", str(picture), *model, "--box", "3", "-o", str(tmp_path / "o"), "--json", str(why)]) == 0
    third = json.loads(found.read_text())["results"][0]["detections"][2]
    (entry,) = json.loads(why.read_text())["explanations"]
    assert entry["box"] == pytest.approx(third["box"], abs=0.05)
    assert entry["name"] == third["name"]


def calibrated(source: Path, target: Path, *, threshold: float = 0.2, **looking: Any) -> Path:
    """The same detector, calibrated under other conditions than the usual ones."""
    conditions = lightdet.load(source, confidence=0.001, threads=1, **looking).conditions
    tensors, card = load_model(source)
    decision = {
        "rule": {"threshold": threshold, "thresholds": {}, "min_size": 0.0, "min_sizes": {}},
        "promise": {"rate": "escape_rate", "target": 0.02, "confidence": 0.95},
        "per_class": False,
        "conditions": conditions.as_dict(),
    }
    save_model(target, tensors, replace(card, decision=decision))
    return target


@pytest.mark.parametrize(
    "looking",
    [
        {"imgsz": 96},
        {"iou": 0.9},
        {"max_detections": 3},
        {"agnostic": True},
        {"rect": True},
        {"tile": 128},
        {"imgsz": 96, "iou": 0.3, "agnostic": True, "rect": True, "threshold": 0.01},
    ],
    ids=str,
)
def test_a_box_of_a_calibrated_model_is_numbered_as_in_detect(
    tmp_path: Path, detector_file: Path, pictures: Path, looking: dict[str, Any]
) -> None:
    model = calibrated(detector_file, tmp_path / "best.safetensors", **looking)
    why, looks = tmp_path / "why.json", ["--weights", str(model), "--device", "cpu"]
    picture = pictures / "a.png"
    found = lightdet.load(model, threads=1)(picture)
    for number in (1, 3):
        words = ["--box", str(number), "-o", str(tmp_path / f"o{number}"), "--json", str(why)]
        assert main(["explain", str(picture), *looks, *words]) == 0
        (entry,) = json.loads(why.read_text())["explanations"]
        assert entry["box"] == pytest.approx(found.boxes[number - 1].tolist(), abs=0.05)
        assert entry["label"] == found.labels[number - 1]
    assert main(["explain", str(picture), *looks, "--top", "300", "-o", str(tmp_path / "t"), "--json", str(why)]) == 0
    assert len(json.loads(why.read_text())["explanations"]) == min(300, len(found))


def test_where_detect_numbers_other_boxes_none_is_explained_by_number(
    tmp_path: Path, detector_file: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, picture = tmp_path / "best.safetensors", pictures / "a.png"
    whole: Any = ((0, 0), (1, 0), (1, 1), (0, 1))
    for looking, words in (
        ({"zones": Zones((Zone("all", whole),))}, "with zones"),
        ({"precision": "bf16"}, "in bf16"),
    ):
        calibrated(detector_file, model, **looking)
        told = error_of(capsys, "explain", picture, "-w", model, "-o", tmp_path / "o", "--box", 1)
        assert words in told and "detect --explain" in told
        assert main(["explain", str(picture), "-w", str(model), "-o", str(tmp_path / words), "--class", "dent"]) == 0
    calibrated(detector_file, model, tile=64)
    told = error_of(capsys, "explain", picture, "-w", model, "-o", tmp_path / "o", "--box", 1)
    assert "larger than the tiles of 64 pixels" in told


def test_a_class_by_name(
    tmp_path: Path, detector_file: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    args = ["explain", str(pictures / "a.png"), "--weights", str(detector_file), "-o", str(out)]
    assert main([*args, "--class", "dent", "--confidence", "1"]) == 0
    assert "not reported; the best candidate" in capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["a.1.dent.jpg"]
    assert main([*args, "--class", "long scratch/ü", "--confidence", "1"]) == 0
    assert (out / "a.1.long-scratch-ü.jpg").is_file()


def test_nothing_found_is_said(
    tmp_path: Path, detector_file: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["explain", str(pictures), "-w", str(detector_file), "-o", str(out), "--confidence", "1"]) == 0
    assert "nothing was found in 2 pictures" in capsys.readouterr().out
    assert not out.exists()


def test_a_classifier(tmp_path: Path, classifier_file: Path, pictures: Path) -> None:
    out, numbers = tmp_path / "out", tmp_path / "why.json"
    args = ["explain", str(pictures / "a.png"), "-w", str(classifier_file), "-o", str(out), "--json", str(numbers)]
    assert main([*args, "--top", "2"]) == 0
    entries = json.loads(numbers.read_text())["explanations"]
    assert {entry["name"] for entry in entries} == set(NAMES)
    assert [entry["kind"] for entry in entries] == ["class", "class"]
    assert sum(entry["score"] for entry in entries) == pytest.approx(1, abs=1e-3)
    assert entries[0]["score"] >= entries[1]["score"]


def test_the_same_twice(tmp_path: Path, detector_file: Path, pictures: Path) -> None:
    for name in ("one", "two"):
        args = ["explain", str(pictures / "a.png"), "-w", str(detector_file), "-o", str(tmp_path / name), "--box", "1"]
        assert main(args) == 0
    (one,), (two,) = ((tmp_path / name).iterdir() for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_mistakes_are_one_line(
    tmp_path: Path, detector_file: Path, classifier_file: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ("explain", pictures / "a.png", "-o", tmp_path / "o", "-w")
    assert "did you mean 'dent'" in error_of(capsys, *start, detector_file, "--class", "bent")
    assert "--box and --class exclude" in error_of(capsys, *start, detector_file, "--class", "dent", "--box", 1)
    assert "leave it out with --box" in error_of(capsys, *start, detector_file, "--top", 2, "--box", 1)
    told = error_of(capsys, *start, detector_file, "--box", 2, "--confidence", 1)
    assert "a.png: has only 0 boxes" in told
    assert "--box belongs to detectors" in error_of(capsys, *start, classifier_file, "--box", 1)
    assert "only pictures of 64 pixels" in error_of(capsys, *start, classifier_file, "--imgsz", 96)
    exported = tmp_path / "model.onnx"
    exported.write_bytes(b"x")
    assert "has no gradients" in error_of(capsys, *start, exported)
    assert "no such file" in error_of(capsys, *start, tmp_path / "none.safetensors")
    (tmp_path / "film.mp4").write_bytes(b"x")
    told = error_of(capsys, "explain", tmp_path / "film.mp4", "-w", detector_file)
    assert "film.mp4: is a video" in told
    assert not (tmp_path / "o").exists()


def test_a_bad_picture_among_good_ones(
    tmp_path: Path, detector_file: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "b.png").write_bytes(b"no picture")
    start = ("explain", pictures, "-w", detector_file, "-o", tmp_path / "o", "--top", 1)
    assert "b.png" in error_of(capsys, *start)
    numbers = tmp_path / "why.json"
    args = [*start, "--overwrite", "--on-error", "skip", "--json", numbers]
    assert main([str(arg) for arg in args]) == 0
    assert "skipped 1" in capsys.readouterr().out
    result = json.loads(numbers.read_text())
    assert [Path(each["source"]).name for each in result["skipped"]] == ["b.png"]
    assert len(result["explanations"]) == 2


def test_nothing_is_written_over(
    tmp_path: Path, detector_file: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ("explain", pictures / "a.png", "-w", detector_file, "-o", tmp_path / "o", "--box", 1)
    assert main([str(arg) for arg in start]) == 0
    (made,) = (tmp_path / "o").iterdir()
    before = made.read_bytes()
    assert "--overwrite" in error_of(capsys, *start)
    assert made.read_bytes() == before
    assert main([str(arg) for arg in (*start, "--overwrite")]) == 0


def test_detect_with_heat(
    tmp_path: Path, detector_file: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    start = ("detect", pictures, "-w", detector_file, "-o", out, "--explain")
    assert main([str(arg) for arg in start]) == 0
    names = ["a.heat.jpg", "a.jpg", "größe b.heat.jpg", "größe b.jpg"]
    assert sorted(path.name for path in out.iterdir()) == names
    with Image.open(out / "a.heat.jpg") as picture:
        assert picture.width == 500
    (out / "a.jpg").unlink()
    (out / "größe b.jpg").unlink()
    assert "a.heat.jpg: exists already" in error_of(capsys, *start)
    assert main([str(arg) for arg in (*start, "--overwrite", "--tile", 64)]) == 0


def test_detect_with_heat_of_a_classifier(tmp_path: Path, classifier_file: Path, pictures: Path) -> None:
    out = tmp_path / "out"
    assert main(["detect", str(pictures), "-w", str(classifier_file), "-o", str(out), "--explain"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.heat.jpg", "a.jpg", "größe b.heat.jpg", "größe b.jpg"]
