"""On the CPU another network runs than was trained: with the same outputs, proved, or else the trained one itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from random_statistics import randomize_statistics
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from lightdet.assembly.classifier import build_classifier
from lightdet.assembly.detector import build_detector
from lightdet.config import YamlFile, load_config, network_names
from lightdet.config.classification import classifier_names, load_classifier_config
from lightdet.models import fast_cpu as fast_module
from lightdet.models import zoo
from lightdet.models.agreement import AGREE, agree
from lightdet.models.fast_cpu import fast_cpu, shifted_pool5
from lightdet.models.faster_rcnn import FasterRCNN

LIGHT = ("lightdet", "lightdet-nano", "lightdet-plus", "yolov5n")
NAMES = [name if name in LIGHT else pytest.param(name, marks=pytest.mark.slow) for name in network_names()]
ANCHORS = [[[8.0, 9.0], [12.0, 20.0]], [[30.0, 20.0], [25.0, 50.0]], [[60.0, 60.0], [90.0, 70.0]]]
SHAPES = [(1, 3, 64, 64), (2, 3, 96, 64), (3, 3, 32, 160)]
PARTS: list[dict[str, Any]] = [
    {"gate": "scalar"},
    {"backbone_block": "spp"},
    {"gate": "channel", "activation": "silu"},
    {"gate": "input", "activation": "mish"},
    {"gate_at": (), "attention_at": (), "backbone_block": "csp"},
    {"gate_at": (8, 16, 32), "attention_at": (8, 16, 32), "activation": "hardswish"},
    {"heads_at": (4, 8, 16, 32), "attention_at": (4, 8), "gate_at": (4, 16, 32), "anchors": [ANCHORS[0], *ANCHORS]},
]


def small(**parts: Any) -> nn.Module:
    torch.manual_seed(0)
    return randomize_statistics(zoo.lightdet(3, **{"anchors": ANCHORS, "widths": (8, 8, 16, 16, 16), **parts}))


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(3))


def assert_same(rewritten: nn.Module, trained: nn.Module, *shapes: tuple[int, ...]) -> None:
    for shape in shapes:
        for order in (torch.contiguous_format, torch.channels_last):
            images = pictures(*shape).contiguous(memory_format=order)
            before = images.clone()
            with torch.inference_mode():
                wanted = trained(images)
                assert agree(rewritten(images), wanted)
                assert agree(rewritten(images), wanted)  # nothing of the first call is left
            assert torch.equal(images, before)


@pytest.mark.parametrize("parts", PARTS)
def test_the_same_values_with_every_choice_of_parts(parts: dict[str, Any]) -> None:
    network = small(**parts)
    before = copy.deepcopy(network.state_dict())
    rewritten = fast_cpu(network)
    assert rewritten is not network
    assert_same(rewritten, network, *SHAPES)
    after = network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("name", NAMES)
def test_every_detector(name: str) -> None:
    torch.manual_seed(0)
    network = randomize_statistics(build_detector(load_config(YamlFile({"model": {"name": name}})).model, 3, 64))
    rewritten = fast_cpu(network)
    assert rewritten is not network and type(rewritten) is type(network)
    if isinstance(network, FasterRCNN):  # its proposals hang on the last digit
        assert_same(rewritten.backbone, network.backbone, *SHAPES)
    else:
        assert_same(rewritten, network, *SHAPES)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in rewritten.modules())


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", classifier_names())
def test_every_classifier(name: str, batch_norm: bool) -> None:
    torch.manual_seed(0)
    more = {"batch_norm": True} if batch_norm and name == "cnn" else {}
    network = randomize_statistics(build_classifier(load_classifier_config(YamlFile({"name": name, **more})), 2, 64))
    rewritten = fast_cpu(network, (64, 64))
    assert rewritten is not network
    assert_same(rewritten, network, (1, 3, 64, 64), (3, 3, 64, 64))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in rewritten.modules())


def test_a_model_for_the_largest_pictures_is_loaded_by_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own pictures would take gigabytes before the first is asked for."""
    sizes: list[int] = []
    network = build_classifier(load_classifier_config(YamlFile({"name": "cnn", "pool": "mean"})), 2, 8192)
    network.register_forward_hook(lambda _, images, __: sizes.append(images[0].shape[2] * images[0].shape[3]))
    assert fast_cpu(network, (8192, 8192)) is not network
    assert sizes and max(sizes) <= 64 * 96


def test_a_network_that_takes_one_size_is_compared_at_it() -> None:
    network = build_classifier(load_classifier_config(YamlFile({"name": "dnn"})), 2, 40)
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 3, 64, 96))
    assert fast_cpu(network, (40, 40)) is not network


def test_a_network_in_training_is_looked_at_as_it_will_be_used() -> None:
    network = small().train()
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    rewritten = fast_cpu(network)
    assert torch.equal(torch.get_rng_state(), state)  # a training draws on as if nothing had been
    assert network.training and not rewritten.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert_same(rewritten, copy.deepcopy(network).eval(), SHAPES[1])


def test_a_rewritten_network_with_other_outputs_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small()
    monkeypatch.setattr(fast_module, "shifted_pool5", lambda x: max_pool2d(x, 3, 1, 1))
    assert fast_cpu(network) is network
    monkeypatch.setattr(fast_module, "shifted_pool5", lambda x: x * float("nan"))
    assert fast_cpu(network) is network


def test_an_operation_that_is_not_there_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Tensor:
        raise RuntimeError("not in this build")

    network = small()
    monkeypatch.setattr(fast_module, "linear", missing)
    assert fast_cpu(network) is network


def test_other_kinds_of_numbers_stay() -> None:
    network = small().double()
    assert fast_cpu(network) is network


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (19, 20)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_shifted_maxima_are_a_max_pool(size: tuple[int, int], order: torch.memory_format) -> None:
    x = torch.randn(2, 5, *size, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=order)
    assert torch.equal(shifted_pool5(x), max_pool2d(x, 5, 1, 2))


def test_half_the_width_is_close() -> None:
    network = small()
    rewritten = fast_cpu(network)
    images = pictures(*SHAPES[1])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for ours, theirs in zip(rewritten(images), network(images), strict=True):
            assert ours.dtype == torch.bfloat16
            assert (ours - theirs).abs().mean() < 0.05 * theirs.abs().max()


def test_outputs_agree_or_do_not() -> None:
    one = torch.tensor([1.0, -100.0])
    assert agree(one, one + AGREE * 99)
    assert not agree(one, one + AGREE * 110)
    assert agree({"a": (one, 3)}, {"a": [one, 3]})
    assert not agree((one, one), (one,)) and not agree((one,), (one, one))
    assert not agree(one, one[:1]) and not agree((), ())
    for number in (float("nan"), float("inf")):
        broken = torch.tensor([1.0, number])
        assert not agree(broken, one) and not agree(one, broken) and not agree(broken, broken)
