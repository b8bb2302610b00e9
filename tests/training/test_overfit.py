"""Each network learns eight rendered pictures by heart, through the trainer and out of the file again."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest_training import Recorder
from torch import nn

from lightdet.assembly.detector_training import TrainingData, build_trainer
from lightdet.assembly.trainer import RunContext
from lightdet.config import YamlFile, load_config, network_names
from lightdet.data.pictures import Pictures
from lightdet.data.synthetic import CLASSES
from lightdet.data.synthetic.render import render_sample
from lightdet.evaluation.average_precision import evaluate
from lightdet.runs.load import load
from lightdet.structures import Annotation

SIDE = 64
LIGHT = ("lightdet", "lightdet-nano", "lightdet-plus", "yolov5n")
QUICK = ("lightdet",)
"""Of each kind of parts one; the siblings have those of lightdet at other widths (tests/models/test_zoo.py)."""
OTHERS = {"yolov3": (0.0002, 80), "yolov4": (0.0002, 80), "yolox-s": (0.001, 300), "ssd": (0.0005, 200)}
"""Rate and epochs of those that need other ones than most."""


def rate_and_epochs(name: str) -> tuple[float, int]:
    """The deeper, the slower: Darknet-53 does not come down at a rate that suits two million parameters."""
    if name in LIGHT:
        return 0.003, 50
    return OTHERS.get(name, (0.001, 80))


@pytest.fixture(scope="session")
def eight(tmp_path_factory: pytest.TempPathFactory) -> list[Annotation]:
    """One defect each, about half as long as the picture, and not in its middle."""
    folder = tmp_path_factory.mktemp("eight")
    rng = np.random.default_rng(0)
    found: list[Annotation] = []
    index = 0
    while len(found) < 8:
        sample = render_sample(1, index, 320, clean=0)
        index += 1
        box, others = sample.boxes[0], sample.boxes[1:]
        side = int(2.2 * max(box[2] - box[0], box[3] - box[1]))
        x, y = rng.uniform(np.maximum(box[2:] - side, 0), np.minimum(box[:2], 320 - side)).astype(int)
        if ((others[:, :2] < (x + side, y + side)) & (others[:, 2:] > (x, y))).all(axis=1).any():
            continue  # a part of a second defect would be in it
        path = folder / f"{len(found)}.png"
        crop = cv2.resize(sample.image[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        assert cv2.imwrite(str(path), crop[..., ::-1])
        moved = (box - np.array([x, y, x, y])) * SIDE / side
        found.append(Annotation(path, (SIDE, SIDE), moved[None].astype(np.float32), sample.labels[:1]))
    assert len({int(annotation.labels[0]) for annotation in found}) >= 4
    return found


def params(names: list[str]) -> list[object]:
    slow = [pytest.mark.slow, pytest.mark.timeout(3600)]
    return [name if name in QUICK else pytest.param(name, marks=slow) for name in names]


@pytest.mark.parametrize("name", params(network_names()))
def test_eight_pictures_are_learnt_by_heart(name: str, eight: list[Annotation], tmp_path: Path) -> None:
    lr, epochs = rate_and_epochs(name)
    plain = [f"augment.{key}=0" for key in ("mosaic", "flip_lr", "hsv_h", "hsv_s", "hsv_v", "translate", "scale")]
    changes = [f"model.name={name}", f"imgsz={SIDE}", f"train.lr={lr}", f"train.epochs={epochs}"]
    fixed = [
        "train.start=chance",
        "train.batch=8",
        "train.weight_decay=0",
        "train.precision=fp32",
        "train.warmup_epochs=5",
        "train.workers=1",
    ]
    rare = [f"train.validate_every={epochs}", f"train.save_every={epochs}"]
    config = load_config(YamlFile({}), [*changes, *fixed, *rare, *plain])
    pictures = Pictures(eight, SIDE)
    data = TrainingData(CLASSES, pictures, pictures, [])
    reporter = Recorder()
    trainer = build_trainer(
        config, data, RunContext(folder=tmp_path, device=torch.device("cpu"), reporter=reporter, board=False)
    )
    for module in trainer.task.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.2  # so few steps: the statistics would lag behind the weights
    progress = trainer.fit()
    assert reporter.records[-1]["loss"] < reporter.records[0]["loss"] / 3
    assert progress.last_metrics["map50"] >= 0.9
    predictor = load(tmp_path / "last.safetensors", device="cpu", confidence=0.001)
    detections = predictor.batch([annotation.image for annotation in eight])
    assert evaluate(detections, eight, CLASSES).map50 == pytest.approx(progress.last_metrics["map50"], abs=0.02)
