"""A detector with a grid at stride 4: its exported files give what the checkpoint gives, and it can be explained."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from export_networks import NAMES, SIDE
from random_statistics import randomize_statistics

import lightdet
from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.cli.app import main
from lightdet.config import ModelConfig
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

STRIDES = [4, 8, 16, 32]


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = ModelConfig(widths=[8, 8, 16, 16, 16], heads_at=STRIDES, attention_at=[4, 8])  # type: ignore[arg-type]
    network = build_detector(config, len(NAMES), SIDE)
    with torch.no_grad():  # scores that pass thresholds
        for conv in network.head.outputs:  # type: ignore[union-attr]
            conv.bias.zero_()  # type: ignore[operator]
    path = tmp_path_factory.mktemp("fine") / "fine.safetensors"
    card = ModelCard(config.model_dump(mode="json"), NAMES, Preprocessing(SIDE))
    save_model(path, randomize_statistics(network).state_dict(), card)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fine.onnx", "fine.xml"])
def test_an_exported_file_gives_the_same(fine: Path, tmp_path: Path, pictures: np.ndarray, name: str) -> None:
    kind = "onnx" if name.endswith(".onnx") else "openvino"
    made = tmp_path / name
    assert main(["export", "--weights", str(fine), "--format", kind, "--output", str(made)]) == 0
    ours, theirs = lightdet.load(made, threads=1), lightdet.load(fine)
    for one, other in zip(ours.batch(list(pictures)), theirs.batch(list(pictures)), strict=True):
        assert len(one) == len(other) > 5
        np.testing.assert_allclose(np.sort(one.scores), np.sort(other.scores), atol=1e-4)


def test_a_finding_of_the_fine_grid_is_explained(fine: Path, tmp_path: Path, pictures: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), pictures[0])
    given = ["explain", str(tmp_path / "a.png"), "--weights", str(fine), "--output", str(tmp_path / "seen")]
    assert main(given) == 0
    assert len(list((tmp_path / "seen").iterdir())) > 1
