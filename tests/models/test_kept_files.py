"""Model files that lightdet 0.1 wrote load, judge by their own rule, and find what they found then.

`kept/` was written by commit 8c86e22 (2026-11-22), with what it found on a picture of coloured blocks in `told.json`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import lightdet
from lightdet.cli.app import main

KEPT = Path(__file__).parent / "kept"
TOLD = json.loads((KEPT / "told.json").read_text())
NAMES = {"detector": ("dent", "scratch", "stain"), "classifier": ("bad", "good")}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    blocks = np.random.default_rng(5).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return blocks.repeat(10, axis=0).repeat(10, axis=1)


@pytest.mark.parametrize("name", TOLD)
def test_it_finds_what_it_found(name: str, picture: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    predictor, told = lightdet.load(KEPT / name), TOLD[name]
    assert predictor.names == NAMES[Path(name).stem]
    assert predictor.rule is not None and predictor.rule.as_dict()["threshold"] == 0.31
    assert any("verified: no" in each.getMessage() for each in caplog.records)
    found = predictor(picture)
    if "probabilities" in told:
        assert np.allclose(found.probabilities, told["probabilities"], atol=1e-4)
        return
    assert len(found.boxes) == told["count"]
    assert np.allclose(found.boxes[:5], told["boxes"], atol=0.02)
    assert np.allclose(found.scores[:5], told["scores"], atol=1e-4)
    assert found.labels[:5].tolist() == told["labels"]


def test_it_can_be_exported_and_carries_its_rule(tmp_path: Path) -> None:
    name = "classifier.safetensors"
    shutil.copyfile(KEPT / name, tmp_path / name)
    flags = ["--format", "onnx", "--output", str(tmp_path / "a.onnx")]
    assert main(["export", "--weights", str(tmp_path / name), *flags]) == 0
    assert lightdet.load(tmp_path / "a.onnx").rule == lightdet.load(KEPT / name).rule
