"""Which weights decay, and one step of each optimizer by its formula."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, AdamW

from lightdet.assembly.detector import build_detector
from lightdet.config import ModelConfig
from lightdet.layers import ChannelGate, ScalarGate
from lightdet.models import Detector
from lightdet.training.muon import STEP_SIZE, Muon, orthogonal
from lightdet.training.optimizer import build_optimizer, clip_gradients


def detector(gate: str = "channel") -> Detector:
    return build_detector(ModelConfig(widths=[8, 8, 16, 16, 16], gate=gate), 3, 64)  # type: ignore[arg-type]


@pytest.mark.parametrize("gate", ["scalar", "channel", "input"])
@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_weights_of_convolutions_decay_and_nothing_else(name: str, gate: str) -> None:
    net = detector(gate)
    optimizer = build_optimizer(net, name, lr=0.1, momentum=0.9, weight_decay=0.01, batch=64)
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(net.parameters()))
    for module in net.modules():
        for kind, parameter in module.named_parameters(recurse=False):
            is_weight = isinstance(module, nn.Conv2d) and kind == "weight"
            assert (decays[id(parameter)] > 0) == is_weight, (type(module), kind)
    assert any(isinstance(m, (ScalarGate, ChannelGate)) for m in net.modules()) or gate == "input"


def test_linear_weights_decay_too() -> None:
    optimizer = build_optimizer(nn.Linear(3, 1), "sgd", lr=0.1, momentum=0.0, weight_decay=0.5, batch=64)
    assert [[p.ndim for p in group["params"]] for group in optimizer.param_groups] == [[2], [1]]


def test_frozen_weights_are_left_out() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[0].requires_grad_(False)
    optimizer = build_optimizer(net, "sgd", lr=0.1, momentum=0.9, weight_decay=0.0, batch=1)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2


@pytest.mark.parametrize("batch", [8, 16, 64, 128])
def test_the_decay_of_sgd_goes_with_the_batch(batch: int) -> None:
    """So that an epoch decays weights alike, however many steps it has."""
    optimizer = build_optimizer(detector(), "sgd", lr=0.1, momentum=0.9, weight_decay=0.01, batch=batch)
    assert isinstance(optimizer, SGD)
    assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(0.01 * batch / 64)
    assert optimizer.param_groups[0]["nesterov"]
    optimizer = build_optimizer(detector(), "adamw", lr=0.1, momentum=0.9, weight_decay=0.01, batch=batch)
    assert isinstance(optimizer, AdamW)
    assert optimizer.param_groups[0]["weight_decay"] == 0.01
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)


def one_weight(value: float) -> nn.Linear:
    net = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(value)
    return net


def steps(name: str, weight: float, gradients: list[float], *, momentum: float) -> float:
    net = one_weight(weight)
    optimizer = build_optimizer(net, name, lr=0.1, momentum=momentum, weight_decay=0.2, batch=64)
    for gradient in gradients:
        net.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    return float(net.weight.detach())


def test_sgd_steps_by_hand() -> None:
    weight, velocity = 2.0, 0.0
    for gradient in (1.0, -0.5, 0.25):
        slope = gradient + 0.2 * weight
        velocity = 0.9 * velocity + slope
        weight -= 0.1 * (slope + 0.9 * velocity)  # Nesterov
    assert steps("sgd", 2.0, [1.0, -0.5, 0.25], momentum=0.9) == pytest.approx(weight, rel=1e-5)


def test_sgd_without_momentum() -> None:
    assert steps("sgd", 2.0, [1.0], momentum=0.0) == pytest.approx(2 - 0.1 * (1 + 0.2 * 2))


def test_adamw_steps_by_hand() -> None:
    weight, first, second = 2.0, 0.0, 0.0
    for number, gradient in enumerate((1.0, -0.5, 0.25), start=1):
        weight *= 1 - 0.1 * 0.2
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weight -= 0.1 * (first / (1 - 0.9**number)) / (math.sqrt(second / (1 - 0.999**number)) + 1e-8)
    assert steps("adamw", 2.0, [1.0, -0.5, 0.25], momentum=0.9) == pytest.approx(weight, rel=1e-5)


def test_muon_steps_by_hand() -> None:
    """Of a matrix of one value only the sign of its mean gradient counts: the polynomial takes 1 to a fixed value."""
    turned = 1.0
    for _ in range(5):
        turned = 3.4445 * turned - 4.7750 * turned**3 + 2.0315 * turned**5
    weight, mean = 2.0, 0.0
    for gradient in (1.0, -0.5, -8.0):
        mean = 0.9 * mean + 0.1 * gradient
        ahead = 0.1 * gradient + 0.9 * mean  # Nesterov
        weight *= 1 - 0.1 * 0.2
        weight -= 0.1 * STEP_SIZE * math.copysign(turned, ahead)
    assert steps("muon", 2.0, [1.0, -0.5, -8.0], momentum=0.9) == pytest.approx(weight, rel=1e-5)


@given(rows=st.integers(1, 60), columns=st.integers(1, 60), seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
@settings(max_examples=50)
def test_singular_values_become_about_one_and_directions_stay(rows: int, columns: int, seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    left, _, right = torch.linalg.svd(torch.randn(rows, columns, generator=generator), full_matrices=False)
    values = torch.rand(min(rows, columns), generator=generator) + 0.05
    found = orthogonal(scale * left @ values.diag() @ right)
    middle = left.T @ found @ right.T
    assert (middle.diag() > 0.65).all() and (middle.diag() < 1.25).all()
    torch.testing.assert_close(middle, middle.diag().diag(), rtol=0, atol=2e-3)


def test_many_columns_are_turned_as_few() -> None:
    """They take a shorter way, by x xᵀ alone: small and missing directions must not grow there."""
    generator = torch.Generator().manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(32, 300, generator=generator), full_matrices=False)
    for values in (
        torch.logspace(0, -2, 32),
        torch.logspace(0, -9, 32),
        (torch.arange(32) < 3).float(),
        torch.zeros(32),
    ):
        few = orthogonal(values.diag() @ left.T)
        torch.testing.assert_close(orthogonal(values.diag() @ right), few @ left @ right, rtol=0, atol=2e-4)


def test_threads_change_no_bit_of_a_step_of_muon() -> None:
    nets = [detector(), detector()]
    nets[1].load_state_dict(nets[0].state_dict())
    for net, threads in zip(nets, (1, 3), strict=True):
        optimizer = build_optimizer(net, "muon", lr=0.01, momentum=0.9, weight_decay=0.1, batch=8, threads=threads)
        generator = torch.Generator().manual_seed(0)
        for _ in range(3):
            for parameter in net.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (16, 2, 1, 1), (5, 1, 3, 3), (7, 20)])
def test_the_size_of_a_step_of_muon_depends_on_neither_gradient_nor_shape(shape: tuple[int, ...]) -> None:
    for scale in (1e-4, 1.0, 1e4):
        weight = nn.Parameter(torch.zeros(shape))
        optimizer = Muon([{"params": [weight], "muon": True}], lr=0.1, weight_decay=0.0)
        weight.grad = scale * torch.randn(shape, generator=torch.Generator().manual_seed(0))
        optimizer.step()
        size = float(weight.detach().square().mean().sqrt())
        assert size == pytest.approx(0.1 * STEP_SIZE, rel=0.35)


def test_with_muon_everything_but_weights_steps_as_with_adamw() -> None:
    nets = [detector(), detector()]
    nets[1].load_state_dict(nets[0].state_dict())
    for net, name in zip(nets, ("muon", "adamw"), strict=True):
        optimizer = build_optimizer(net, name, lr=0.01, momentum=0.9, weight_decay=0.1, batch=8)
        generator = torch.Generator().manual_seed(0)
        for _ in range(3):
            for parameter in net.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
    ours, theirs = (dict(net.named_parameters()) for net in nets)
    weights = {f"{name}.weight" for name, part in nets[0].named_modules() if isinstance(part, nn.Conv2d)}
    for name, parameter in ours.items():
        assert torch.allclose(parameter, theirs[name], rtol=1e-5, atol=1e-7) != (name in weights), name


def test_an_unknown_one() -> None:
    with pytest.raises(ValueError, match=r"adagrad.*sgd"):
        build_optimizer(one_weight(1.0), "adagrad", lr=0.1, momentum=0.9, weight_decay=0.0, batch=1)


@given(seed=st.integers(0, 1000), limit=st.floats(0.01, 100))
@settings(max_examples=30)
def test_gradients_are_clipped_as_torch_does(seed: int, limit: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    ours, theirs = ([nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), (2, 2, 3))] for _ in range(2))
    for mine, other in zip(ours, theirs, strict=True):
        mine.grad = torch.randn(mine.shape, generator=generator)
        other.grad = mine.grad.clone()
    ours.append(nn.Parameter(torch.zeros(2)))  # one without a gradient
    norm = clip_gradients(ours, limit)
    torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(theirs, limit))
    for mine, other in zip(ours, theirs, strict=False):
        torch.testing.assert_close(mine.grad, other.grad)


def test_an_infinite_limit_clips_nothing() -> None:
    parameter = nn.Parameter(torch.zeros(3))
    parameter.grad = torch.tensor([3.0, 0.0, 4.0])
    assert clip_gradients([parameter], float("inf")) == 5
    assert parameter.grad.tolist() == [3, 0, 4]
