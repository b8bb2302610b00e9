"""The network as a whole: budget, sizes, and that every part of it learns."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lightdet.assembly.detector import build_detector
from lightdet.config import AnchorNetworkConfig, Config, ModelConfig, load_config, load_yaml
from lightdet.layers import CBAM, SPP, BottleneckCSP, Focus, GatedFusion
from lightdet.models import Detector
from lightdet.models.zoo import ANCHORS_640, default_anchors

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted([*CONFIGS.glob("*.yaml"), *CONFIGS.glob("ablation/*.yaml")])
RUNS = {path: load_config(load_yaml(path)) for path in FILES}
BUDGETED = [None, *(path for path, run in RUNS.items() if path.parent == CONFIGS and isinstance(run, Config))]
WITH_ANCHORS = [path for path, run in RUNS.items() if isinstance(run.model, AnchorNetworkConfig)]
NARROW = [8, 8, 16, 16, 24]


def name_of(path: Path | None) -> str:
    return "defaults" if path is None else path.stem


def narrow(num_classes: int = 2, **changes: Any) -> Detector:
    torch.manual_seed(0)
    return build_detector(ModelConfig(widths=NARROW, **changes), num_classes, 64)


@pytest.mark.parametrize("path", BUDGETED, ids=name_of)
def test_within_the_budget_of_the_paper(path: Path | None) -> None:
    config = Config() if path is None else RUNS[path]
    with torch.device("meta"):  # shapes alone: counting needs no numbers
        detector = build_detector(config.model, 6, 608)
        with FlopCounterMode(display=False) as counter:
            detector(torch.zeros(1, 3, 608, 608))
    assert sum(p.numel() for p in detector.parameters()) <= 1.56e6
    assert counter.get_total_flops() <= 3.6e9


def test_all_parts_of_the_paper_are_there() -> None:
    detector = build_detector(ModelConfig(), 6, 608)
    assert isinstance(detector.backbone.focus, Focus)
    assert sum(isinstance(m, SPP) for m in detector.backbone.modules()) == 4
    assert not any(isinstance(m, BottleneckCSP) for m in detector.backbone.modules())
    assert sum(isinstance(m, BottleneckCSP) for m in detector.neck.modules()) == 4
    p8, p16, p32 = detector.head.branches
    kinds = [{type(m) for m in branch.modules()} & {CBAM, GatedFusion, BottleneckCSP} for branch in (p8, p16, p32)]
    assert kinds == [{CBAM}, {GatedFusion, BottleneckCSP}, {GatedFusion, BottleneckCSP}]


@pytest.mark.parametrize("path", WITH_ANCHORS, ids=name_of)
def test_every_configuration_builds_and_runs(path: Path) -> None:
    config = RUNS[path]
    with torch.device("meta"):
        detector = build_detector(config.model, 3, config.imgsz)
        grids = detector(torch.zeros(2, 3, 64, 96))
    assert [tuple(grid.shape) for grid in grids] == [(2, 3, 64 // s, 96 // s, 8) for s in (8, 16, 32)]


@pytest.mark.parametrize("size", [(640, 640), (320, 320), (224, 224), (416, 320), (32, 64)])
def test_sizes_in_multiples_of_32(size: tuple[int, int]) -> None:
    height, width = size
    detector = narrow(num_classes=4).eval()
    with torch.no_grad():
        grids = detector(torch.rand(1, 3, height, width))
    assert [tuple(grid.shape) for grid in grids] == [(1, 3, height // s, width // s, 9) for s in (8, 16, 32)]


@pytest.mark.parametrize("training", [True, False])
def test_forward_gives_the_same_kind_of_thing_in_training_and_evaluation(training: bool) -> None:
    grids = narrow().train(training)(torch.rand(2, 3, 64, 32))
    assert type(grids) is tuple
    assert [tuple(grid.shape) for grid in grids] == [(2, 3, 64 // s, 32 // s, 7) for s in (8, 16, 32)]
    assert all(grid.dtype == torch.float32 for grid in grids)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gate": "scalar"},
        {"gate": "channel"},
        {"gate": "input"},
        {"gate_at": [], "attention_at": []},
        {"gate_at": [8, 16, 32], "attention_at": [8, 16, 32]},
        {"heads_at": [4, 8, 16, 32], "attention_at": [8]},
        {"heads_at": [4, 8, 16, 32], "gate_at": [4], "attention_at": [4]},
        {"backbone_block": "csp", "activation": "silu"},
        {"activation": "mish"},
        {"activation": "hardswish"},
    ],
    ids=str,
)
def test_the_gradient_reaches_every_parameter(changes: dict[str, Any]) -> None:
    detector = narrow(**changes).train()
    grids = detector(torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    torch.cat([grid.flatten() for grid in grids]).square().mean().backward()
    still = [name for name, p in detector.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []
    assert all(torch.isfinite(p.grad).all() for p in detector.parameters() if p.grad is not None)


@pytest.mark.parametrize("training", [True, False])
def test_channels_last_gives_the_same_numbers(training: bool) -> None:
    # In double precision: another order of summation would show in the last digits of float32.
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        plain = narrow().double().train(training)(images)
        turned = narrow().double().to(memory_format=torch.channels_last).train(training)
        grids = turned(images.contiguous(memory_format=torch.channels_last))
    for one, other in zip(plain, grids, strict=True):
        torch.testing.assert_close(one, other)


def test_a_grid_at_stride_4_is_one_more() -> None:
    detector, before = narrow(heads_at=[4, 8, 16, 32]), narrow()
    assert [tuple(grid.shape[2:4]) for grid in detector(torch.rand(1, 3, 64, 96))] == [
        (16, 24),
        (8, 12),
        (4, 6),
        (2, 3),
    ]
    torch.testing.assert_close(detector.anchors[1:], before.anchors)
    torch.testing.assert_close(detector.anchors[0], before.anchors[0] / 2)
    assert detector.strides == (4, 8, 16, 32)


def test_evaluation_sees_each_picture_alone() -> None:
    detector = narrow().eval()
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together, alone = detector(images), detector(images[1:2])
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[1:2], other, rtol=1e-4, atol=1e-5)


def test_anchors_scale_with_the_input_and_travel_with_the_weights() -> None:
    detector = build_detector(ModelConfig(widths=NARROW), 2, 320)
    torch.testing.assert_close(detector.anchors, torch.tensor(ANCHORS_640) / 2)
    assert default_anchors(640) == [[list(pair) for pair in level] for level in ANCHORS_640]
    assert "anchors" in detector.state_dict()
    own = [[(4.0, 5.0)], [(6.0, 7.0)], [(8.0, 9.0)]]
    detector = build_detector(ModelConfig(widths=NARROW, anchors=own), 2, 320)
    assert detector.anchors.tolist() == [[[4, 5]], [[6, 7]], [[8, 9]]]
    assert detector(torch.zeros(2, 3, 64, 64))[0].shape == (2, 1, 8, 8, 7)
