"""A model with a decision rule: detect and val say OK or NG."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard, peek_model_card
from lightdet.cli.app import main
from lightdet.config import ModelConfig
from lightdet.decisions import DecisionRule
from lightdet.inference.predictor import Predictor
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

SIDE = 64
SCORES = {40: 0.10, 80: 0.35, 120: 0.80, 160: 0.0}  # a picture's brightness and what is found in it


class ByBrightness:
    """Finds one box of a score that the picture's brightness tells."""

    def __init__(self, confidence: float) -> None:
        self.names = ("dent",)
        self.preprocessing = Preprocessing(SIDE)
        self.milliseconds = {"network": 1.0, "postprocess": 0.0}
        self.confidence = confidence

    def __call__(self, batch: Any) -> list[Any]:
        return [self._find(SCORES[int(image[0, 0, 0])]) for image in batch]

    def _find(self, score: float) -> Any:
        kept = int(score >= max(self.confidence, 0.01))
        box = np.array([[10, 10, 30, 40]] * kept, np.float32).reshape(-1, 4)
        return box, np.full(kept, score, np.float32), np.zeros(kept, np.int64)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file with a rule from 0.3 on, pictures of each brightness, and their truth: all but the last are bad."""
    from lightdet.runs import detect as detection
    from lightdet.runs import validate as validation

    monkeypatch.chdir(tmp_path)
    for folder in ("set/images/val", "set/labels/val"):
        Path(folder).mkdir(parents=True)
    for brightness in SCORES:
        Pil.fromarray(np.full((SIDE, SIDE, 3), brightness, np.uint8)).save(f"set/images/val/{brightness}.png")
        label = "" if brightness == 160 else "0 0.3 0.4 0.3 0.45"
        Path(f"set/labels/val/{brightness}.txt").write_text(label)
    Path("set.yaml").write_text(
        "format: yolo\nroot: set\nclasses: [dent]\nsplits:\n  val:\n    images: images/val\n", encoding="utf-8"
    )
    write_model(Path("best.safetensors"), DecisionRule(threshold=0.3))

    def load(path: Path, *, confidence: float | None, **_: Any) -> Predictor:
        chosen, card = 0.25 if confidence is None else confidence, peek_model_card(path)
        return Predictor(ByBrightness(chosen), confidence=chosen, decision=card and card.decision, path=path)

    monkeypatch.setattr(detection, "load", load)
    monkeypatch.setattr(validation, "load", load)
    return Path("best.safetensors")


def write_model(path: Path, rule: DecisionRule | None) -> None:
    config = ModelConfig(widths=[8, 8, 8, 16, 16])
    decision = None if rule is None else {"rule": rule.as_dict()}
    card = ModelCard(config.model_dump(mode="json"), ("dent",), Preprocessing(SIDE), decision=decision)
    save_model(path, dict(build_detector(config, 1, SIDE).state_dict()), card)


def decisions(folder: Path) -> dict[str, str]:
    with (folder / "decisions.csv").open(encoding="utf-8", newline="") as file:
        return {Path(row["source"]).stem: row["decision"] for row in csv.DictReader(file)}


def test_each_picture_is_ok_or_ng(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["detect", "set/images/val", "--weights", str(weights), "--output", "out", "--save", "json"]
    assert main(args) == 0
    assert "by the model's decision rule: 2 OK, 2 NG" in capsys.readouterr().out
    wanted = {"40": "OK", "80": "NG", "120": "NG", "160": "OK"}
    assert decisions(Path("out")) == wanted
    results = json.loads(Path("out/detections.json").read_text())
    assert {Path(entry["source"]).stem: entry["decision"] for entry in results["results"]} == wanted
    assert results["rule"]["threshold"] == 0.3
    for stem, red in (("80", True), ("160", False)):
        found = next(path for path in Path("out").rglob(f"{stem}.*") if path.suffix in (".png", ".jpg"))
        corner = np.asarray(Pil.open(found).convert("RGB")).astype(int)[SIDE // 2, :3].mean(axis=0)
        assert (corner[0] > corner[1]) == red, stem


def test_a_rule_below_the_usual_score_is_not_starved(weights: Path) -> None:
    write_model(weights, DecisionRule(threshold=0.05))
    assert main(["detect", "set/images/val", "--weights", str(weights), "--output", "out"]) == 0
    assert decisions(Path("out"))["40"] == "NG"


def test_a_confidence_that_hides_what_counts_is_refused(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["detect", "set/images/val", "--weights", str(weights), "--output", "out"]
    assert main([*args, "--confidence", "0.5"]) == 2
    error = capsys.readouterr().err
    assert "the model's decision rule counts detections from 0.3 on, which --confidence 0.5 would hide" in error
    assert main([*args, "--confidence", "0.1"]) == 0


def test_without_a_rule_nothing_is_decided(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model(weights, None)
    args = ["detect", "set/images/val", "--weights", str(weights), "--output", "out", "--save", "json"]
    assert main(args) == 0
    assert "decision" not in capsys.readouterr().out
    assert not Path("out/decisions.csv").exists()
    assert "decision" not in Path("out/detections.json").read_text()


def test_the_decisions_of_another_run_are_kept_unless_told(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (["detect", f"set/images/val/{name}.png", "-w", str(weights), "-o", "out"] for name in (40, 80))
    assert main(first) == 0
    before = Path("out/decisions.csv").read_bytes()
    assert main(second) == 2
    assert "decisions.csv: exists already; add --overwrite" in capsys.readouterr().err
    assert Path("out/decisions.csv").read_bytes() == before and not list(Path("out").glob("80.*"))
    assert main([*second, "--overwrite"]) == 0 and decisions(Path("out")) == {"80": "NG"}
    write_model(weights, None)  # it decides nothing, and so replaces nothing
    assert main(["detect", "set/images/val/120.png", "-w", str(weights), "-o", "out"]) == 0
    assert decisions(Path("out")) == {"80": "NG"}


def test_val_judges_pictures_by_the_rule(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["val", "--weights", str(weights), "--data", "set.yaml", "--output", "out", "--json", "val.json"]
    assert main(args) == 0
    out = capsys.readouterr().out
    assert "bad pictures: 2 NG, 1 OK: 33.3% (two-sided 95% interval 0.8%-90.6%) escape" in out
    decision = json.loads(Path("val.json").read_text())["decision"]
    assert decision["confusion"] == {"bad": {"NG": 2, "OK": 1}, "good": {"NG": 0, "OK": 1}}
    assert decision["rule"]["threshold"] == 0.3
    assert "escape" in Path("out/report.html").read_text(encoding="utf-8")
