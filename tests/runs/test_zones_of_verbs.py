"""Zones through every verb: calibrated with them, a model is used with them, or without a promise."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pil
from random_statistics import randomize_statistics

import lightdet
from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.cli.app import main
from lightdet.config import ModelConfig
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

SIDE = 64
ZONES = """\
units: share
zones:
  - name: thread
    look: [[0, 0], [0.6, 0], [0.6, 1], [0, 1]]
  - name: label
    ignore: [[0, 0.7], [0.5, 0.7], [0.5, 1], [0, 1]]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that finds much, a set of pictures with a defect in each place, and a model calibrated with zones."""
    folder = tmp_path_factory.mktemp("zones")
    torch.manual_seed(0)
    config = ModelConfig()
    network = randomize_statistics(build_detector(config, 2, SIDE))
    card = ModelCard(config.model_dump(mode="json"), ("dent", "scratch"), Preprocessing(SIDE))
    save_model(folder / "plain.safetensors", network.state_dict(), card)
    (folder / "labels").mkdir()
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    # In the thread, on the label, beyond both, and none.
    for number, label in enumerate(["0 0.2 0.3 0.2 0.2", "0 0.2 0.85 0.2 0.2", "1 0.85 0.5 0.2 0.2", ""]):
        Pil.fromarray(random.integers(0, 256, (96, 96, 3), np.uint8)).save(folder / "images" / f"{number}.png")
        (folder / "labels" / f"{number}.txt").write_text(label)
    text = (
        f"format: yolo\nroot: {folder}\nclasses: [dent, scratch]\nsplits: {{val: {{images: images, labels: labels}}}}\n"
    )
    (folder / "set.yaml").write_text(text, encoding="utf-8")
    (folder / "zones.yaml").write_text(ZONES, encoding="utf-8")
    (folder / "others.yaml").write_text(ZONES.replace("0.6", "0.55"), encoding="utf-8")
    (folder / "own.yaml").write_text(ZONES.replace("]]\n  - name: label", "]]\n    threshold: 0.3\n  - name: label"))
    lightdet.calibrate(
        folder / "plain.safetensors",
        folder / "set.yaml",
        zones=folder / "zones.yaml",
        escape_rate=0.9,
        confidence=0.5,
        output=folder / "zoned.safetensors",
        progress=False,
    )
    return folder


def told(capsys: pytest.CaptureFixture[str], *args: Any) -> tuple[int, str]:
    code = main([str(arg) for arg in args])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_calibration_counts_what_is_left_and_the_model_brings_its_zones(place: Path) -> None:
    model = lightdet.load(place / "zoned.safetensors", threads=1)
    assert model.zones.names == ("thread", "label") and model.promise.holds
    confusion = model.card_decision.record["calibration_set"]["confusion"]
    assert sum(confusion["bad"].values()) == 1  # the defects on the label and beyond the thread are none
    found = model(np.asarray(Pil.open(place / "images" / "0.png")))
    assert found.decision is not None and all(each["zones"] == ["thread"] for each in found.as_dicts())
    assert lightdet.load(place / "zoned.safetensors", threads=1, zones=place / "zones.yaml").rule is not None


def test_thresholds_of_zones_cannot_be_calibrated(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, data = place / "plain.safetensors", place / "set.yaml"
    code, text = told(
        capsys, "calibrate", "-w", weights, "-d", data, "--escape-rate", 0.9, "--zones", place / "own.yaml"
    )
    assert code == 2 and "own.yaml: zone 'thread' has a threshold of its own" in text


@pytest.mark.parametrize("verb", ["detect", "val"])
def test_other_zones_are_refused_or_promise_nothing(
    place: Path, tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    what = [place / "images"] if verb == "detect" else ["-d", place / "set.yaml"]
    args = [verb, *what, "-w", place / "zoned.safetensors", "-o", tmp_path / "out", "--device", "cpu"]
    code, text = told(capsys, *args, "--zones", place / "others.yaml")
    assert code == 2 and "calibrated with the zones 'thread', 'label'" in text and "--no-promise" in text
    code, text = told(capsys, *args, "--zones", place / "others.yaml", "--no-promise")
    assert code == 0 and "none: --no-promise" in text


def test_detect_names_the_zone_and_counts_what_is_outside(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = place / "images"
    code, text = told(
        capsys,
        "detect",
        sources,
        "-w",
        place / "zoned.safetensors",
        "-o",
        tmp_path,
        "--save",
        "json",
        "--device",
        "cpu",
    )
    written = json.loads((tmp_path / "detections.json").read_text(encoding="utf-8"))
    outside = sum(each["outside_zones"] for each in written["results"])
    assert code == 0 and written["outside_zones"] == outside > 0
    assert f"left out: {outside} detection" in text
    assert [zone["name"] for zone in written["zones"]["zones"]] == ["thread", "label"]
    rows = list(csv.DictReader((tmp_path / "decisions.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["zone"] for row in rows if row["decision"] == "NG"} == {"thread"}
    assert all(row["promise"] == "yes" for row in rows)


def test_val_leaves_out_the_labels_as_well(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, data = place / "zoned.safetensors", place / "set.yaml"
    code, _ = told(capsys, "val", "-d", data, "-w", weights, "-o", tmp_path, "--device", "cpu")
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert code == 0 and metrics["outside"]["labels"] == 2 and metrics["outside"]["detections"] > 0
    assert metrics["decision"]["promise"]["holds"] and sum(metrics["decision"]["confusion"]["bad"].values()) == 1
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 labelled boxes" in report


def test_detections_of_another_program_are_judged_in_zones_as_well(place: Path, tmp_path: Path) -> None:
    rows = [
        {"image_id": f"{number}.png", "category_id": "dent", "bbox": [10, 10, 20, 20], "score": 0.9}
        for number in range(4)
    ] + [{"image_id": "3.png", "category_id": "dent", "bbox": [80, 40, 8, 8], "score": 0.95}]
    rows.append({"image_id": "3.png", "category_id": "dent", "bbox": [10, 10, 20, 20], "score": 0.2})
    (tmp_path / "found.json").write_text(json.dumps(rows), encoding="utf-8")
    for zones, found in (("zones.yaml", 5), ("own.yaml", 4)):
        done = lightdet.validate(
            data=place / "set.yaml",
            predictions=tmp_path / "found.json",
            zones=place / zones,
            output=tmp_path / zones,
            progress=False,
        )
        assert done.to_dict()["outside"] == {"labels": 2, "detections": 1}
        assert sum(len(each) for each in done.evaluation.predictions) == found


def test_heat_maps_are_of_what_counts_in_the_zones(place: Path, tmp_path: Path) -> None:
    for model, zones in (("zoned", []), ("plain", ["--zones", place / "zones.yaml", "--tile", 64])):
        out = tmp_path / model
        args = ["detect", place / "images", "-o", out, "--device", "cpu", "--explain", "--json", f"{out}.json"]
        assert main([str(each) for each in (*args, "-w", place / f"{model}.safetensors", *zones)]) == 0
        assert len(list(out.glob("*.heat.jpg"))) == 4
        assert json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))["zones"]
