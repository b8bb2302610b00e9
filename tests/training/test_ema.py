"""The averaged weights against the recurrence, number by number."""

import math

import pytest
import torch
from torch import nn

from lightdet.training.ema import ExponentialMovingAverage


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))


def test_the_recurrence_with_its_ramp() -> None:
    net = network()
    average = ExponentialMovingAverage(net, decay=0.99)
    weight = net[0].weight
    assert isinstance(weight, nn.Parameter)
    expected = float(weight.flatten()[0].detach())
    for step in range(1, 40):
        with torch.no_grad():
            weight.add_(math.sin(step))
        average.update(net)
        decay = 0.99 * (1 - math.exp(-step / 2000))
        expected = decay * expected + (1 - decay) * float(weight.flatten()[0].detach())
    assert average.updates == 39
    assert average.weights()["0.weight"].flatten()[0].item() == pytest.approx(expected, rel=1e-5)


def test_early_steps_follow_and_late_ones_hardly() -> None:
    net = network()
    average = ExponentialMovingAverage(net, decay=0.9998)
    with torch.no_grad():
        net[0].weight.fill_(5.0)
    average.update(net)
    assert average.weights()["0.weight"].mean().item() == pytest.approx(5, abs=0.01)
    average.updates = 10**6
    with torch.no_grad():
        net[0].weight.fill_(9.0)
    average.update(net)
    assert average.weights()["0.weight"].mean().item() == pytest.approx(5, abs=0.02)


def test_statistics_are_averaged_and_counters_copied() -> None:
    net = network()
    average = ExponentialMovingAverage(net, decay=0.9)
    for _ in range(3):
        net(torch.randn(4, 2, 5, 5, generator=torch.Generator().manual_seed(1)) + 3)
        average.update(net)
    weights = average.weights()
    assert weights["1.num_batches_tracked"].item() == 3
    assert weights["1.num_batches_tracked"].dtype == torch.int64
    mean = net[1].running_mean
    assert isinstance(mean, torch.Tensor)
    torch.testing.assert_close(weights["1.running_mean"], mean, rtol=0.05, atol=0.05)
    assert not torch.equal(weights["1.running_mean"], mean)


def test_what_does_not_change_stays_to_the_last_bit() -> None:
    net = network()
    net.register_buffer("anchors", torch.rand(3, 3, 2))
    average = ExponentialMovingAverage(net, decay=0.999)
    for _ in range(50):
        average.update(net)
    for name, value in net.state_dict().items():
        assert torch.equal(average.weights()[name], value)


def test_the_copy_is_its_own_and_always_evaluates() -> None:
    net = network().train()
    average = ExponentialMovingAverage(net, decay=0.9)
    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())
    assert all(p.requires_grad for p in net.parameters())
    before = average.weights()["0.weight"].clone()
    with torch.no_grad():
        net[0].weight.add_(1)
    assert torch.equal(average.weights()["0.weight"], before)
    assert net.training


def test_the_memory_layout_of_the_network_does_not_matter() -> None:
    plain, turned = network(), network().to(memory_format=torch.channels_last)
    averages = [ExponentialMovingAverage(net, decay=0.9) for net in (plain, turned)]
    for net, average in zip((plain, turned), averages, strict=True):
        with torch.no_grad():
            net[0].weight.mul_(2).add_(torch.arange(6.0).view(3, 2, 1, 1))
        average.update(net)
    assert torch.equal(averages[0].weights()["0.weight"], averages[1].weights()["0.weight"])
