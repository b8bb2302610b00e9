"""The networks with anchors: their sizes against what was published, and what they are made of."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightdet.assembly.detector import build_detector
from lightdet.config import AnchorNetworkConfig, LossConfig, RunConfig, YamlFile, load_config, load_yaml, network_names
from lightdet.errors import UserError
from lightdet.layers import CBAM, SPP, BottleneckCSP, Focus, GatedFusion
from lightdet.models import DetectionNetwork, zoo
from lightdet.models.backbones import CSPDarknet53, Darknet53
from lightdet.models.heads import HeadBranch
from lightdet.models.necks import FPN, PAN, ConvPAN
from lightdet.profiling import count_parameters, measure_complexity

CONFIGS = Path(__file__).parents[2] / "configs"
MAIN = {run.model.name: run for run in map(load_config, map(load_yaml, sorted(CONFIGS.glob("*.yaml"))))}


def run_of(name: str) -> RunConfig:
    return load_config(YamlFile({"model": {"name": name}}))


WITH_ANCHORS = [name for name in network_names() if isinstance(run_of(name).model, AnchorNetworkConfig)]


def build(name: str, num_classes: int = 6, imgsz: int = 608, device: str = "meta") -> DetectionNetwork:
    with torch.device(device):  # meta: shapes alone, counting needs no numbers
        return build_detector(run_of(name).model, num_classes, imgsz)


def size_of(name: str, num_classes: int = 6, imgsz: int = 608) -> tuple[int, int]:
    with torch.device("meta"):
        cost = measure_complexity(build(name, num_classes), imgsz)
    return cost.params, cost.flops


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def values_in_file(network: nn.Module) -> int:
    """What a Darknet weight file holds: parameters, and the running mean and variance of each normalization."""
    statistics = sum(2 * m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    return count_parameters(network) + statistics


@pytest.mark.parametrize("name", network_names())
def test_each_network_has_its_file(name: str) -> None:
    assert MAIN[name].model == run_of(name).model, "the file spells the defaults out"


@pytest.mark.parametrize("name", WITH_ANCHORS)
def test_networks_with_anchors_are_trained_alike(name: str) -> None:
    ours, other = run_of("lightdet"), load_config(load_yaml(CONFIGS / f"{name}.yaml"))
    assert isinstance(other.loss, LossConfig)
    assert ours.model_dump(exclude={"model"}) == other.model_dump(exclude={"model"})


@pytest.mark.parametrize(
    ("name", "millions"),
    [("yolov3", 61.5), ("yolov4", 64.0), ("yolov5s", 7.27), ("yolov5m", 21.5), ("lightdet", 1.54)],
)
def test_parameters_with_six_classes(name: str, millions: float) -> None:
    assert size_of(name)[0] == pytest.approx(millions * 1e6, rel=0.01)


@pytest.mark.parametrize(
    ("name", "classes", "giga"),
    [
        ("yolov5s", 6, 15.1),
        ("yolov5m", 6, 46.2),
        ("yolov3", 80, 140.7),  # as Darknet prints it for 608
        ("yolov4", 80, 128.5),
    ],
)
def test_operations_at_608(name: str, classes: int, giga: float) -> None:
    assert size_of(name, classes)[1] == pytest.approx(giga * 1e9, rel=0.01)


@pytest.mark.parametrize(("name", "size"), [("yolov3", 248_007_048), ("yolov4", 257_717_640)])
def test_as_many_values_as_the_published_weights(name: str, size: int) -> None:
    """yolov3.weights and yolov4.weights are a header of 20 bytes and four bytes per value."""
    assert 20 + 4 * values_in_file(build(name, 80)) == size


@pytest.mark.parametrize(("name", "parameters"), [("lightdet-nano", 0.8e6), ("lightdet-plus", 3e6)])
def test_the_siblings_keep_their_budget_and_have_all_parts(name: str, parameters: float) -> None:
    assert 0.9 * parameters < size_of(name)[0] <= parameters
    ours, sibling = build("lightdet"), build(name)
    for kind in (Focus, SPP, CBAM, GatedFusion, BottleneckCSP):
        assert count(sibling, kind) == count(ours, kind) > 0
    nano, middle, plus = (size_of(n)[1] for n in ("lightdet-nano", "lightdet", "lightdet-plus"))
    assert nano < middle < plus


@pytest.mark.parametrize("name", WITH_ANCHORS)
def test_the_zoo_and_the_configuration_have_the_same_defaults(name: str) -> None:
    with torch.device("meta"):
        plain = getattr(zoo, name.replace("-", "_"))(6, anchors=zoo.default_anchors(608))
    configured = build(name)
    assert str(plain) == str(configured)
    shapes = [{key: value.shape for key, value in n.state_dict().items()} for n in (plain, configured)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("name", "depth"), [("yolov5n", 1), ("yolov5s", 1), ("yolov5m", 2)])
def test_yolov5_is_the_frame_of_the_early_releases(name: str, depth: int) -> None:
    network: Any = build(name)
    assert count(network, Focus) == count(network, SPP) == 1
    backbone = [m for m in network.backbone.modules() if isinstance(m, BottleneckCSP)]
    neck = [m for m in network.neck.modules() if isinstance(m, BottleneckCSP)]
    assert [len(m.blocks) for m in backbone] == [depth, 3 * depth, 3 * depth, depth]
    assert [m.blocks[0].residual for m in backbone] == [True, True, True, False]
    assert [len(m.blocks) for m in neck] == [depth] * 4
    assert not any(m.blocks[0].residual for m in neck)
    assert all(isinstance(branch, HeadBranch) and not list(branch.parameters()) for branch in network.head.branches)


def test_mish_is_in_the_backbone_of_yolov4_alone() -> None:
    network: Any = build("yolov4")
    assert count(network.backbone, nn.Mish) == 72 and count(network.backbone, nn.LeakyReLU) == 0
    for part in (network.neck, network.head):
        assert count(part, nn.Mish) == 0 and count(part, nn.LeakyReLU) > 0
    assert count(network.neck, SPP) == 1
    assert count(build("yolov3"), nn.LeakyReLU) == 72  # 75 convolutions, three of them bare


@pytest.mark.parametrize("name", WITH_ANCHORS)
def test_another_activation_is_everywhere(name: str) -> None:
    config = load_config(YamlFile({"model": {"name": name, "activation": "silu"}}))
    with torch.device("meta"):
        network = build_detector(config.model, 2, 64)
    assert count(network, nn.SiLU) > 0
    assert count(network, nn.LeakyReLU) == count(network, nn.Mish) == 0


@pytest.mark.parametrize("name", ["lightdet-nano", "lightdet-plus"])
def test_another_name_does_not_turn_one_network_into_another(name: str) -> None:
    with pytest.raises(UserError, match=rf"lightdet\.yaml:\d+: 'model\.widths' are those of 'lightdet'.*{name}\.yaml"):
        load_config(load_yaml(CONFIGS / "lightdet.yaml"), [f"model.name={name}"])
    given = load_config(load_yaml(CONFIGS / "lightdet.yaml"), [f"model.name={name}", "model.widths=[8,8,8,8,16]"])
    assert given.model.model_dump()["widths"] == [8, 8, 8, 8, 16]


@pytest.mark.parametrize("kind", [Darknet53, CSPDarknet53])
def test_without_their_branches_residual_blocks_change_nothing(kind: type[Darknet53] | type[CSPDarknet53]) -> None:
    """23 blocks whose last normalization gives zero: as if they were not there."""
    torch.manual_seed(0)
    backbone = kind(activation="relu").eval()
    images = torch.rand(1, 3, 32, 64)
    blocks = [b for stage in backbone.stages for b in find_blocks(stage)]
    assert [len(find_blocks(stage)) for stage in backbone.stages] == [1, 2, 8, 8, 4]
    with torch.no_grad():
        for block in blocks:
            assert block.residual
            block.conv2.norm.weight.zero_()
            block.conv2.norm.bias.zero_()
        quiet = backbone(images)
        assert [tuple(f.shape) for f in quiet] == [(1, 256, 4, 8), (1, 512, 2, 4), (1, 1024, 1, 2)]
        for stage in backbone.stages:
            remove_blocks(stage)
        for one, other in zip(quiet, backbone(images), strict=True):
            assert one.any() and torch.equal(one, other)


def find_blocks(stage: nn.Module) -> list[Any]:
    return [m for m in stage.modules() if type(m).__name__ == "Bottleneck"]


def remove_blocks(stage: nn.Module) -> None:
    for module in stage.modules():
        if isinstance(module, nn.Sequential) and type(module[0]).__name__ == "Bottleneck":
            for index in range(len(module)):
                module[index] = nn.Identity()


@pytest.mark.parametrize(
    ("neck", "sees"),
    [
        (FPN((8, 16, 32)), [(8, 16, 32), (16, 32), (32,)]),
        (ConvPAN((8, 16, 32)), [(8, 16, 32)] * 3),
        (PAN((8, 16, 32), depth=2), [(8, 16, 32)] * 3),
    ],
    ids=["FPN", "ConvPAN", "PAN"],
)
def test_what_each_output_of_a_neck_is_made_of(neck: nn.Module, sees: list[tuple[int, ...]]) -> None:
    """Top-down, the finest sees all; bottom-up as well, every one does."""
    features = [torch.rand(2, c, 64 // c, 96 // c, requires_grad=True) for c in (8, 16, 32)]
    outputs: tuple[Tensor, ...] = neck(features)
    for output, feature, expected in zip(outputs, features, sees, strict=True):
        assert output.shape[2:] == feature.shape[2:]
        gradients = torch.autograd.grad(output.square().sum(), features, retain_graph=True, allow_unused=True)
        strides = (8, 16, 32)
        assert tuple(s for s, g in zip(strides, gradients, strict=True) if g is not None and g.any()) == expected
