"""Networks trained here on pictures whose defect is known: the heat must lie on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lightdet.classification.networks import BasicCNN, MLPMixer
from lightdet.explaining.classifier import ClassifierExplainer
from lightdet.explaining.detector import DetectorExplainer
from lightdet.structures import Preprocessing

Spot = Callable[..., tuple[np.ndarray, np.ndarray | None]]
SIDE = 64
LARGE = 96


def fit(network: nn.Module, spot_picture: Spot, *, pictures: int, epochs: int, rate: float = 2e-3) -> nn.Module:
    rng = np.random.default_rng(0)
    drawn = [spot_picture(rng, SIDE, bad=number % 2 == 1) for number in range(pictures)]
    images = torch.from_numpy(np.stack([image for image, _ in drawn])).permute(0, 3, 1, 2).float() / 255
    labels = torch.tensor([box is not None for _, box in drawn]).long()
    optimizer = torch.optim.Adam(network.parameters(), rate)
    generator = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(pictures, generator=generator).split(20):
            loss = nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


def scores_on_bad(network: nn.Module, spot_picture: Spot) -> tuple[float, float, float]:
    """On fresh bad pictures that it recognizes: how often the peak is on the defect, mean heat and area share."""
    explainer = ClassifierExplainer(network, ("good", "bad"), Preprocessing(SIDE))
    rng = np.random.default_rng(1)
    hits, heats, areas = [], [], []
    for _ in range(30):
        image, box = spot_picture(rng, SIDE, bad=True)
        assert box is not None
        look = explainer.look(image)
        if look.probabilities[1] < 0.5:
            continue
        heat = look.category(1)
        peak = heat.peak or (-1, -1)
        hits.append(box[0] <= peak[0] < box[2] and box[1] <= peak[1] < box[3])
        heats.append(heat.share_in(box) or 0.0)
        areas.append(heat.area_share(box))
    assert len(hits) >= 24, "it has not learned to see the defects"
    return float(np.mean(hits)), float(np.mean(heats)), float(np.mean(areas))


def test_heat_of_a_convolution_network_lies_on_the_defect(spot_picture: Spot) -> None:
    torch.manual_seed(0)
    network = BasicCNN(2, SIDE, widths=(8, 16), hidden=(32,), dropout=0.0)
    hits, heat, area = scores_on_bad(fit(network, spot_picture, pictures=200, epochs=8), spot_picture)
    assert hits > 0.9
    assert heat > 8 * area


def test_heat_of_a_network_that_takes_the_largest_value_lies_on_the_defect(spot_picture: Spot) -> None:
    torch.manual_seed(0)
    network = BasicCNN(2, SIDE, widths=(8, 16), hidden=(32,), dropout=0.0, batch_norm=True, pool="both")
    hits, heat, area = scores_on_bad(fit(network, spot_picture, pictures=200, epochs=8), spot_picture)
    assert hits > 0.9
    assert heat > 8 * area


def test_an_untrained_network_points_nowhere(spot_picture: Spot) -> None:
    """Else the test above would praise heat that always follows dark spots, trained or not (Adebayo et al. 2018)."""
    torch.manual_seed(0)
    network = BasicCNN(2, SIDE, widths=(8, 16), hidden=(32,), dropout=0.0)
    explainer = ClassifierExplainer(network, ("good", "bad"), Preprocessing(SIDE))
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(20):
        image, box = spot_picture(rng, SIDE, bad=True)
        heat = explainer.look(image).category(1)
        assert box is not None
        shares.append((heat.share_in(box) or 0.0) / heat.area_share(box))
    assert np.mean(shares) < 2.5


@pytest.mark.slow
def test_heat_of_a_mixer_lies_near_the_defect(spot_picture: Spot) -> None:
    torch.manual_seed(0)
    network = MLPMixer(2, SIDE, patch=8, width=64, depth=3, token_hidden=64, channel_hidden=128)
    hits, heat, area = scores_on_bad(fit(network, spot_picture, pictures=400, epochs=40, rate=1e-3), spot_picture)
    assert hits > 0.5
    assert heat > 3 * area


@pytest.mark.slow
def test_heat_of_a_detector_lies_on_the_defect(tmp_path: Path, spot_picture: Spot) -> None:
    """Trained by the trainer on a data set in YOLO's format, explained through the model file."""
    from PIL import Image

    from lightdet.assembly.dataset import load_dataset
    from lightdet.assembly.detector import load_detector
    from lightdet.assembly.detector_training import build_trainer, load_training_data
    from lightdet.assembly.trainer import RunContext
    from lightdet.config import YamlFile, load_config
    from lightdet.training.reporting import SilentReporter

    rng = np.random.default_rng(0)
    for number in range(60):
        image, box = spot_picture(rng, LARGE, bad=number % 4 > 0)
        for folder in ("images", "labels"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
        line = ""
        if box is not None:
            x, y, w, h = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
            line = f"0 {x / LARGE:.6f} {y / LARGE:.6f} {w / LARGE:.6f} {h / LARGE:.6f}\n"
        (tmp_path / "labels" / f"{number}.txt").write_text(line)
    data = tmp_path / "data.yaml"
    data.write_text("format: yolo\nclasses: [spot]\nsplits:\n  train: images\n")
    options = [
        f"imgsz={LARGE}",
        "model.widths=[8, 16, 24, 32, 32]",
        "train.epochs=50",
        "train.batch=8",
        "train.precision=fp32",
    ]
    options += ["augment.mosaic=0", "augment.scale=0.2", "train.lr=0.006", "train.ema_decay=0.98"]
    config = load_config(YamlFile({}), options)
    training = load_training_data(config, load_dataset(data))
    device = torch.device("cpu")
    build_trainer(
        config, training, RunContext(folder=tmp_path / "run", device=device, reporter=SilentReporter(), board=False)
    ).fit()
    network, card = load_detector(tmp_path / "run" / "best.safetensors")
    explainer = DetectorExplainer(network, card.names, card.preprocessing)
    hits, heats, areas = [], [], []
    for _ in range(40):
        image, box = spot_picture(rng, LARGE, bad=True)
        look = explainer.look(image)
        if box is None or not len(look.detections):
            continue
        heat = look.box(0)
        peak = heat.peak or (-1, -1)
        near = box + np.array([-8, -8, 8, 8], np.float32)  # half a cell of stride 16
        hits.append(near[0] <= peak[0] < near[2] and near[1] <= peak[1] < near[3])
        heats.append(heat.share_in(box) or 0.0)
        areas.append(heat.area_share(box))
    assert len(hits) >= 30, "it has not learned to find the defects"
    assert np.mean(hits) > 0.7
    assert np.mean(heats) > 5 * np.mean(areas)
