"""A rendered data set and a small detector that finds something in its pictures, made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from random_statistics import randomize_statistics

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.config import ModelConfig
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

SIDE = 96


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``mine.yaml``, ``best.safetensors`` (an untrained network that reports boxes) and ``part.png``."""
    folder = tmp_path_factory.mktemp("made")
    written = write_synthetic(folder / "set", SyntheticPlan(images=16, imgsz=SIDE, seed=1, val=0.5, clean=0.4))
    text = written.yaml.read_text(encoding="utf-8").replace("root: .", f"root: {folder / 'set'}")
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    (folder / "space.yaml").write_text("train.lr: [0.01]\n", encoding="utf-8")
    picture = next((folder / "set" / "images" / "val").iterdir())
    Image.open(picture).save(folder / "part.png")
    names = load_dataset(folder / "mine.yaml").classes
    torch.manual_seed(0)
    config = ModelConfig(widths=[8, 8, 16, 16, 16])
    network = build_detector(config, len(names), SIDE)
    with torch.no_grad():  # scores that pass thresholds
        for conv in network.head.outputs:  # type: ignore[union-attr]
            conv.weight.mul_(0.3)  # type: ignore[operator]
            conv.bias.fill_(0.5)  # type: ignore[operator]
    randomize_statistics(network)
    save_model(
        folder / "best.safetensors",
        network.state_dict(),
        ModelCard(config.model_dump(mode="json"), names, Preprocessing(SIDE)),
    )
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own to work in, with copies of what was made."""
    for name in ("mine.yaml", "space.yaml", "best.safetensors", "part.png"):
        shutil.copy(made / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
