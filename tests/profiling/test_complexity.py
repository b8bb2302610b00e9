"""Parameters and operations against sums done by hand, and the budget of the paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightdet.assembly.detector import build_detector
from lightdet.config import Config, ModelConfig
from lightdet.profiling import count_flops, count_parameters, measure_complexity


def by_hand(network: nn.Module, imgsz: int) -> int:
    """Two operations for each weight of each convolution's window at each output place: the textbook's sum."""
    total = 0

    def add(conv: nn.Conv2d, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        (height, width), (kh, kw) = output.shape[2:], conv.kernel_size
        total += 2 * height * width * conv.out_channels * (conv.in_channels // conv.groups) * kh * kw

    handles = [m.register_forward_hook(add) for m in network.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, imgsz, imgsz))
    for handle in handles:
        handle.remove()
    return total


def test_one_convolution() -> None:
    conv = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1))
    assert count_parameters(conv) == 3 * 8 * 9 + 8
    assert count_flops(conv, 10) == 2 * 3 * 8 * 9 * 100


def test_groups_linear_and_repeats() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Conv2d(3, 3, 5, padding=2, groups=3, bias=False)
            self.line = nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.line(self.mix(self.mix(x)))

    cost = measure_complexity(Twice(), 6)
    assert cost.params == 3 * 25 + 14
    assert [(layer.name, layer.kind, layer.output, layer.params, layer.flops) for layer in cost.layers] == [
        ("mix", "Conv2d", (1, 3, 6, 6), 75, 2 * 2 * 3 * 25 * 36),
        ("line", "Linear", (1, 3, 6, 2), 14, 2 * 3 * 6 * 6 * 2),
    ]


@pytest.mark.parametrize("imgsz", [64, 320])
@pytest.mark.parametrize("gate", ["scalar", "channel", "input"])
def test_the_detector_and_its_layers_sum_up(gate: str, imgsz: int) -> None:
    detector = build_detector(ModelConfig(gate=gate), 6, imgsz)  # type: ignore[arg-type]
    cost = measure_complexity(detector, imgsz)
    assert cost.flops == by_hand(detector, imgsz) == sum(layer.flops for layer in cost.layers)
    assert cost.params == sum(layer.params for layer in cost.layers) == count_parameters(detector)


def test_operations_grow_with_the_area() -> None:
    detector = build_detector(ModelConfig(attention_at=[]), 6, 64)
    assert count_flops(detector, 128) == 4 * count_flops(detector, 64)


def test_counting_changes_nothing() -> None:
    detector = build_detector(ModelConfig(), 2, 64).train()
    detector.head.eval()
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    count_flops(detector, 64)
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert detector.training and detector.backbone.training and not detector.head.training
    assert not any(module._forward_hooks for module in detector.modules())


def test_the_budget_of_the_paper() -> None:
    """Six classes at 608 x 608, all parts present: at most 1.56 M parameters and 3.6 GFLOPs (Table 3)."""
    config = Config()
    cost = measure_complexity(build_detector(config.model, 6, 608), 608)
    assert cost.params <= 1_560_000
    assert cost.flops <= 3.6e9
