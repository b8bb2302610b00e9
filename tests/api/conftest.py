"""A small data set and model of each task, made once: a detector that reports boxes, a classifier of two classes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from random_statistics import randomize_statistics

import lightdet
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.config import ModelConfig
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

SIDE = 96


@pytest.fixture(autouse=True, scope="session")
def _one_thread(_traced_once: None) -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def _quick_intervals(few_resamples: None) -> None:
    pass


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``mine.yaml``, ``best.safetensors`` (an untrained network that reports boxes) and ``part.png``."""
    folder = tmp_path_factory.mktemp("made")
    written = write_synthetic(folder / "set", SyntheticPlan(images=20, imgsz=SIDE, seed=1, val=0.5, clean=0.4))
    text = written.yaml.read_text(encoding="utf-8").replace("root: .", f"root: {folder / 'set'}")
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    (folder / "space.yaml").write_text("train.lr: [0.01]\n", encoding="utf-8")
    picture = next((folder / "set" / "images" / "val").iterdir())
    Image.open(picture).save(folder / "part.png")
    names = load_dataset(folder / "mine.yaml").classes
    torch.manual_seed(0)
    config = ModelConfig(widths=[8, 8, 16, 16, 16], attention_at=[], gate_at=[])  # fewer nodes to trace
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


@pytest.fixture(scope="session")
def made_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same three files for classes: light and dark pictures, and a network of one step's training."""
    folder = tmp_path_factory.mktemp("made_classifier")
    rng = np.random.default_rng(0)
    for split, count in {"train": 4, "val": 10}.items():
        for label, light in {"good": 170, "bad": 80}.items():
            (folder / "set" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.normal(light, 30, (32, 32, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / "set" / split / label / f"{number}.png")
    (folder / "mine.yaml").write_text(
        f"root: {folder / 'set'}\nformat: folders\nclasses: [good, bad]\nsplits: {{train: train, val: val}}\n"
    )
    run = lightdet.train(
        folder / "mine.yaml",
        task="classify",
        imgsz=32,
        model={"name": "cnn", "widths": [4, 8], "hidden": [8]},
        epochs=1,
        batch=8,
        output=folder / "run",
        progress=False,
    )
    shutil.copy(run.best, folder / "best.safetensors")
    shutil.copy(folder / "set" / "val" / "bad" / "0.png", folder / "part.png")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own to work in, with copies of what was made."""
    for name in ("mine.yaml", "space.yaml", "best.safetensors", "part.png"):
        shutil.copy(made / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
