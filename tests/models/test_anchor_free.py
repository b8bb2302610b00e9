"""YOLOX-s: its size, its outputs, its decoding, and that every part of it learns."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lightdet.assembly.detector import build_detector, load_detector
from lightdet.card import ModelCard
from lightdet.config import YamlFile, YoloxModelConfig, load_config, load_network_config, load_yaml
from lightdet.layers import C3, BottleneckCSP
from lightdet.models import AnchorFreeDetector
from lightdet.models.heads import decode_cells
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

CONFIG = Path(__file__).parents[2] / "configs" / "yolox-s.yaml"
STRIDES = (8, 16, 32)


def narrow(num_classes: int = 2, **changes: Any) -> AnchorFreeDetector:
    torch.manual_seed(0)
    config = YoloxModelConfig(widths=[8, 8, 16, 16, 24], head_width=16, **changes)
    return build_detector(config, num_classes, 64)  # type: ignore[return-value]


def test_the_configuration_spells_out_the_defaults() -> None:
    file = load_yaml(CONFIG)
    config = load_config(file)
    defaults = load_config(YamlFile({"model": {"name": "yolox-s"}}))
    assert config == defaults
    for section in ("model", "loss"):
        assert file.values[section].keys() == getattr(defaults, section).model_dump().keys()


@pytest.mark.parametrize(
    ("classes", "imgsz", "parameters", "operations"),
    [(6, 608, 8.94e6, None), (80, 640, 8.97e6, 26.8e9)],
    ids=["six classes", "as published"],
)
def test_the_size_is_the_published_one(classes: int, imgsz: int, parameters: float, operations: float | None) -> None:
    with torch.device("meta"):
        detector = build_detector(load_config(load_yaml(CONFIG)).model, classes, imgsz)
        with FlopCounterMode(display=False) as counter:
            detector(torch.zeros(1, 3, imgsz, imgsz))
    assert sum(p.numel() for p in detector.parameters()) == pytest.approx(parameters, rel=0.01)
    if operations is not None:
        assert counter.get_total_flops() == pytest.approx(operations, rel=0.01)
    kinds = [type(module) for module in detector.modules()]
    assert kinds.count(C3) == 8
    assert BottleneckCSP not in kinds


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
def test_forward_gives_the_same_kind_of_thing_in_training_and_evaluation(training: bool, size: tuple[int, int]) -> None:
    grids = narrow().train(training)(torch.rand(2, 3, *size))
    assert type(grids) is tuple
    assert [tuple(g.shape) for g in grids] == [(2, size[0] // s, size[1] // s, 7) for s in STRIDES]


@pytest.mark.parametrize("classes", [1, 3])
def test_the_gradient_reaches_every_parameter(classes: int) -> None:
    detector = narrow(classes).train()
    grids = detector(torch.rand(4, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    torch.cat([grid.flatten() for grid in grids]).square().mean().backward()
    still = [name for name, p in detector.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_channels_last_gives_the_same_numbers() -> None:
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        plain = narrow().double()(images)
        turned = narrow().double().to(memory_format=torch.channels_last)
        grids = turned(images.contiguous(memory_format=torch.channels_last))
    for one, other in zip(plain, grids, strict=True):
        torch.testing.assert_close(one, other)


def test_decoding_as_by_hand() -> None:
    generator = torch.Generator().manual_seed(1)
    grids = [torch.randn(2, 64 // s, 96 // s, 8, generator=generator) for s in STRIDES]
    decoded = decode_cells(grids, STRIDES).double()
    assert decoded.shape == (2, sum(64 // s * 96 // s for s in STRIDES), 8)
    for picture in range(2):
        number = 0
        for grid, stride in zip(grids, STRIDES, strict=True):
            for row in range(64 // stride):
                for column in range(96 // stride):
                    x, y, w, h, *logits = grid[picture, row, column].double().tolist()
                    expected = [(x + column) * stride, (y + row) * stride, math.exp(w) * stride, math.exp(h) * stride]
                    expected += [1 / (1 + math.exp(-v)) for v in logits]
                    assert decoded[picture, number].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)
                    number += 1


def test_decoded_sides_stay_numbers() -> None:
    decoded = decode_cells([torch.full((1, 2, 2, 7), 1e30)], (8,))
    assert torch.isfinite(decoded[..., 2:]).all()


def test_a_fresh_network_finds_next_to_nothing() -> None:
    detector = narrow(3).eval()
    with torch.no_grad():
        outputs = detector(torch.rand(1, 3, 64, 64))
    assert len(detector.select(outputs, confidence=0.05, iou=0.5, max_detections=10)[0][0]) == 0
    boxes, scores, labels = detector.select(outputs, confidence=0.0, iou=0.5, max_detections=10)[0]
    assert boxes.shape == (10, 4)
    assert (scores.diff() <= 0).all()
    assert labels.max() < 3


def test_the_round_trip_through_a_file_gives_the_same_output(tmp_path: Path) -> None:
    detector = narrow(3).eval()
    config = YoloxModelConfig(widths=[8, 8, 16, 16, 24], head_width=16)
    card = ModelCard(config.model_dump(mode="json"), ("a", "b", "c"), Preprocessing(64))
    save_model(tmp_path / "best.safetensors", dict(detector.state_dict()), card)
    again, read = load_detector(tmp_path / "best.safetensors")
    assert load_network_config(YamlFile(read.model)) == config
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for one, other in zip(detector(images), again.eval()(images), strict=True):
            assert torch.equal(one, other)
