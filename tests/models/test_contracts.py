"""What every network holds to, whatever it is: trainer, predictor and profile know no more of it than this."""

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from lightdet.assembly.detection_task import build_task
from lightdet.assembly.detector import build_detector, load_detector
from lightdet.card import ModelCard
from lightdet.compute import Computing
from lightdet.config import AnchorNetworkConfig, RunConfig, YamlFile, load_config, network_names
from lightdet.data.pictures import Pictures
from lightdet.models import DetectionNetwork, Detector
from lightdet.models.weights import save_model
from lightdet.profiling import count_flops, count_parameters
from lightdet.runs.load import load
from lightdet.structures import Batch, LossTerms, Preprocessing
from lightdet.training.distributed import Processes
from lightdet.training.task import Task

LIGHT = ("lightdet", "lightdet-nano", "lightdet-plus", "yolov5n")
CLASSES = ("scratch", "pit", "stain")
IMGSZ = 64
SIZES = [(64, 64), (96, 64), (64, 96)]


def with_heavy_ones_slow(names: list[str]) -> list[Any]:
    return [name if name in LIGHT else pytest.param(name, marks=pytest.mark.slow) for name in names]


def run_of(name: str) -> RunConfig:
    changes = [f"model.name={name}", f"imgsz={IMGSZ}", "train.precision=fp32"]
    return load_config(YamlFile({}), changes)


def build(name: str) -> DetectionNetwork:
    torch.manual_seed(0)
    return build_detector(run_of(name).model, len(CLASSES), IMGSZ)


def task_of(name: str) -> Task:
    no_pictures = cast(Pictures, None)  # asked for class frequencies alone, which no loss weighs by default
    return build_task(run_of(name), no_pictures, build(name), torch.device("cpu"), Processes(), Computing())


def images(count: int = 2, size: tuple[int, int] = (64, 64)) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)


ALL = with_heavy_ones_slow(network_names())
WITH_ANCHORS = [name for name in network_names() if isinstance(run_of(name).model, AnchorNetworkConfig)]


@pytest.mark.parametrize("name", ALL)
def test_it_runs_on_squares_and_rectangles(name: str) -> None:
    network = build(name).eval()
    assert network.num_classes == len(CLASSES)
    for height, width in SIZES:
        with torch.inference_mode():
            outputs = network(images(2, (height, width)).float() / 255)
            found = network.select(outputs, confidence=0.0, iou=0.55, max_detections=50)
        assert len(found) == 2
        for boxes, scores, labels in found:
            assert len(boxes) == len(scores) == len(labels) <= 50
            assert boxes.shape[1:] == (4,) and boxes.dtype == scores.dtype == torch.float32
            assert labels.dtype == torch.int64
            assert torch.isfinite(boxes).all() and (boxes[:, 2:] >= boxes[:, :2]).all()
            assert ((scores >= 0) & (scores <= 1)).all() and (scores.diff() <= 0).all()
            assert ((labels >= 0) & (labels < len(CLASSES))).all()


@pytest.mark.parametrize("name", with_heavy_ones_slow(WITH_ANCHORS))
@pytest.mark.parametrize("training", [True, False])
def test_grids_and_their_decoding_have_the_shapes_told(name: str, training: bool) -> None:
    network = build(name).train(training)
    for height, width in SIZES:
        with torch.no_grad():
            grids = network(images(2, (height, width)).float() / 255)
            decoded = network.decode(grids)
        assert type(grids) is tuple
        cells = [(height // s, width // s) for s in (8, 16, 32)]
        assert [tuple(g.shape) for g in grids] == [(2, 3, h, w, 5 + len(CLASSES)) for h, w in cells]
        assert decoded.shape == (2, sum(3 * h * w for h, w in cells), 5 + len(CLASSES))
        assert ((decoded[..., 4:] >= 0) & (decoded[..., 4:] <= 1)).all()
        assert (decoded[..., 2:4] > 0).all()


TARGETS = {
    "a box for every grid": [[0, 0, 4, 4, 9, 10], [0, 1, 20, 20, 30, 36], [1, 2, 4, 6, 60, 62]],
    "one picture without a box": [[1, 1, 10, 10, 30, 50]],
    "no box at all": [],
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", TARGETS)
def test_its_loss_is_differentiated(name: str, kind: str) -> None:
    task = task_of(name)
    task.network.train()
    boxes = TARGETS[kind]
    targets = torch.tensor(boxes, dtype=torch.float32).view(-1, 6)
    loss = task.loss(task.network, Batch(images(), targets))
    assert isinstance(loss, LossTerms)
    assert loss.total.ndim == 0 and torch.isfinite(loss.total) and loss.total > 0
    assert all(torch.isfinite(part) for part in loss.parts.values())
    loss.total.backward()
    trained = {name: p.grad for name, p in task.network.named_parameters() if p.requires_grad}
    assert all(g is None or torch.isfinite(g).all() for g in trained.values())
    still = [name for name, g in trained.items() if g is None or not g.any()]
    if kind == "a box for every grid" and isinstance(task.network, Detector):  # others choose by what they say now
        assert still == []
    else:  # without boxes nothing speaks for classes or sides, and SSD takes the few hardest places alone
        assert len(still) < len(trained)


@pytest.mark.parametrize("name", ALL)
def test_from_disk_it_finds_the_same(name: str, tmp_path: Path) -> None:
    network = build(name).eval()
    if isinstance(network, Detector):
        network.anchors.mul_(1.25)  # as if fitted to a data set
    path = tmp_path / "best.safetensors"
    card = ModelCard(run_of(name).model.model_dump(mode="json"), CLASSES, Preprocessing(IMGSZ))
    save_model(path, dict(network.state_dict()), card)
    again, read = load_detector(path)
    assert read == card
    assert type(again) is type(network)
    with torch.inference_mode():
        batch = images().float() / 255
        ours, theirs = (
            n.select(n(batch), confidence=0.0, iou=0.55, max_detections=20) for n in (network, again.eval())
        )
    for one, other in zip(ours, theirs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    picture = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    found = load(path, device="cpu", confidence=0.0)(picture)
    assert found.names == CLASSES and found.size == (80, 50)
    assert len(found.boxes) > 0


@pytest.mark.parametrize("name", with_heavy_ones_slow(WITH_ANCHORS))
def test_the_order_in_memory_changes_nothing(name: str) -> None:
    # In double precision: another order of summation would show in the last digits of float32.
    batch = images(2, (64, 96)).double() / 255
    network = build(name).double().eval()
    with torch.inference_mode():
        plain = network(batch)
        turned = network.to(memory_format=torch.channels_last)(batch.contiguous(memory_format=torch.channels_last))
    for one, other in zip(plain, turned, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", [name for name in network_names() if name in LIGHT])
def test_the_configuration_says_the_size_of_its_network(name: str) -> None:
    """``1.54 M parameters and 3.2 GFLOPs with six classes at 608``, as the head of its YAML has it."""
    head = (Path(__file__).parents[2] / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
    size = re.search(r"([\d.]+) M parameters and ([\d.]+) GFLOPs with six classes at 608", head)
    assert size is not None
    network = build_detector(load_config(YamlFile({}), [f"model.name={name}"]).model, 6, 608)
    for told, real in zip(
        size.groups(), (count_parameters(network) / 1e6, count_flops(network, 608) / 1e9), strict=True
    ):
        assert told == f"{real:.{len(told.partition('.')[2])}f}"
