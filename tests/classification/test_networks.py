"""The six classifiers: shapes, sizes, gradients, the weights they may start from."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from lightdet.assembly.classifier import build_classifier, fixed_size, start_weights
from lightdet.classification.networks import (
    BasicCNN,
    DenseNet,
    MLPMixer,
    download_backbone,
    load_backbone,
    mobilenet_v2,
)
from lightdet.config import YamlFile
from lightdet.config.classification import ClassifierConfig, classifier_names, load_classifier_config
from lightdet.errors import UserError


def config_of(name: str, **more: Any) -> ClassifierConfig:
    return load_classifier_config(YamlFile({"name": name, **more}))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", classifier_names())
@pytest.mark.parametrize(("classes", "output"), [(2, "softmax"), (2, "sigmoid"), (5, "softmax")])
def test_each_network_gives_logits_and_every_parameter_learns(name: str, classes: int, output: str) -> None:
    torch.manual_seed(0)
    network = build_classifier(config_of(name, output=output), classes, 64)
    logits = network(torch.rand(3, 3, 64, 64))
    assert logits.shape == (3, 1 if output == "sigmoid" else classes)
    logits.square().sum().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not without


def test_sizes_are_those_that_can_be_counted_by_hand() -> None:
    assert count(DenseNet(1)) == (64 * 64 * 3 * 128 + 128) + (128 * 64 + 64) + (64 + 1)
    convolutions = sum(9 * a * b + b for a, b in ((3, 32), (32, 64), (64, 128)))
    assert count(BasicCNN(2)) == convolutions + (28 * 28 * 128 * 128 + 128) + (128 * 64 + 64) + (64 * 2 + 2)
    # Tolstikhin et al., table 1: Mixer-S/16 has 18 M parameters (with 1000 classes).
    small = MLPMixer(1000, 224, width=512, depth=8, token_hidden=256, channel_hidden=2048)
    assert count(small) == pytest.approx(18.5e6, rel=0.01)
    # torchvision's own documentation tells 3 504 872 for MobileNetV2 with 1000 classes.
    assert count(mobilenet_v2(1000)) == 3_504_872
    paper = build_classifier(config_of("efficientnet_b0", hidden=[1024, 512]), 2, 224)
    backbone = count(models.efficientnet_b0(weights=None)) - (1280 * 1000 + 1000)
    assert count(paper) == backbone + (1280 * 1024 + 1024) + (1024 * 512 + 512) + (512 * 2 + 2)


@pytest.mark.parametrize(("pool", "cells"), [("flatten", 4 * 4), ("mean", 1), ("max", 1), ("both", 2)])
def test_what_the_basic_cnn_sees_of_its_last_map(pool: str, cells: int) -> None:
    torch.manual_seed(0)
    config = config_of("cnn", widths=[4, 8], hidden=[6], batch_norm=True, pool=pool)
    network = build_classifier(config, 2, 16).eval()
    convolutions = sum(9 * a * b + 2 * b for a, b in ((3, 4), (4, 8)))  # a scale and a shift in place of each bias
    assert count(network) == convolutions + (8 * cells * 6 + 6) + (6 * 2 + 2)
    images = torch.rand(2, 3, 16, 16)
    last = network.features(images)
    seen = {
        "flatten": last.flatten(1),
        "mean": last.mean((2, 3)),
        "max": last.flatten(2).max(dim=2).values,
        "both": torch.cat([last.flatten(2).max(dim=2).values, last.mean((2, 3))], dim=1),
    }[pool]
    assert torch.allclose(network(images), network.classifier(seen), atol=1e-6)
    assert fixed_size(config) == (pool == "flatten")
    if pool != "flatten":
        assert network(torch.rand(1, 3, 48, 48)).shape == (1, 2)


def test_dropout_of_the_papers_heads() -> None:
    def drops(network: nn.Module) -> list[float]:
        return [module.p for module in network.modules() if isinstance(module, nn.Dropout)]

    assert drops(BasicCNN(2)) == [0.5, 0.0]
    assert drops(DenseNet(1)) == [0.5, 0.5]
    assert drops(mobilenet_v2(2)) == [0.2]


def test_memory_layout_does_not_change_a_flattening_network() -> None:
    torch.manual_seed(0)
    network, images = BasicCNN(2, 64).eval(), torch.rand(2, 3, 64, 64)
    plain = network(images)
    last = network.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    assert torch.allclose(plain, last, atol=1e-5)


def test_contradictions_are_told() -> None:
    with pytest.raises(UserError, match="at least two classes"):
        build_classifier(config_of("cnn"), 1, 64)
    with pytest.raises(UserError, match=r"sigmoid is for two classes and the data set has 3"):
        build_classifier(config_of("dnn"), 3, 64)
    with pytest.raises(UserError, match="did you mean 'resnet18'"):
        config_of("resnet8")


@pytest.fixture
def trained() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return dict(models.resnet18(weights=None).state_dict())


@pytest.mark.parametrize("kind", ["safetensors", "pth", "nested", "wrapped"])
def test_a_local_file_fills_all_but_the_head(trained: dict[str, torch.Tensor], tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"weights.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(trained, path)
    elif kind == "wrapped":
        torch.save({f"module.{name}": value for name, value in trained.items()}, path)
    else:
        torch.save({"epoch": 3, "state_dict": trained} if kind == "nested" else trained, path)
    config = config_of("resnet18", pretrained=str(path))
    torch.manual_seed(5)
    network = build_classifier(config, 2, 64)
    head = network.state_dict()["fc.1.weight"].clone()
    started, told = start_weights(network, config)
    assert started and str(path) in told
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in trained.items() if not name.startswith("fc."))
    assert torch.equal(state["fc.1.weight"], head)


def test_weights_that_do_not_fit_are_refused(trained: dict[str, torch.Tensor], tmp_path: Path) -> None:
    network = build_classifier(config_of("mobilenet_v2"), 2, 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_file(trained, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"other tensors than this network: .* are missing"):
        load_backbone(network, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="no such file"):
        load_backbone(network, tmp_path / "none.pth")
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(UserError, match="neither safetensors nor an intact file of weights"):
        load_backbone(network, tmp_path / "junk.pth")
    own = dict(mobilenet_v2(2).state_dict())
    own["features.0.0.weight"] = torch.full_like(own["features.0.0.weight"], float("nan"))
    save_file(own, tmp_path / "nan.safetensors")
    with pytest.raises(UserError, match="values that are not numbers"):
        load_backbone(network, tmp_path / "nan.safetensors")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_file_that_runs_code_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(UserError, match="holds more than weights"):
        load_backbone(mobilenet_v2(2), tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_without_network_the_message_tells_the_two_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    network = build_classifier(config_of("mobilenet_v2"), 2, 64)
    with pytest.raises(UserError, match=r"no route to host.*model\.pretrained=FILE.*model\.pretrained=false"):
        download_backbone(network, "mobilenet_v2")
    assert start_weights(network, config_of("mobilenet_v2")) == (False, "")
    started, told = start_weights(network, config_of("mobilenet_v2", pretrained="auto"))
    assert not started and told.startswith("starts from scratch: ")
    with pytest.raises(UserError):
        start_weights(network, config_of("mobilenet_v2", pretrained=True))


def test_a_download_is_taken(monkeypatch: pytest.MonkeyPatch, trained: dict[str, torch.Tensor]) -> None:
    seen: dict[str, Any] = {}

    def fetched(url: str, **options: Any) -> dict[str, torch.Tensor]:
        seen.update(options, url=url)
        return trained

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetched)
    network = build_classifier(config_of("resnet18"), 2, 64)
    assert start_weights(network, config_of("resnet18", pretrained=True))[0]
    assert torch.equal(network.state_dict()["layer4.1.conv2.weight"], trained["layer4.1.conv2.weight"])
    assert seen["weights_only"] is True and seen["check_hash"] is True
