"""Faster R-CNN and SSD behind the contracts of our own networks, and their losses against torchvision's own."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_voting import voted
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision.models import resnet50, resnet101, vgg16, vgg19
from torchvision.models.detection import FasterRCNN as Published
from torchvision.models.detection import ssd300_vgg16
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.ops import batched_nms, box_iou
from torchvision.ops.misc import FrozenBatchNorm2d

from lightdet.assembly.detector import build_detector, load_backbone, load_detector
from lightdet.card import ModelCard
from lightdet.config import FasterRCNNModelConfig, NetworkConfig, SSDModelConfig, YamlFile, load_config, load_yaml
from lightdet.errors import UserError
from lightdet.models.faster_rcnn import FasterRCNN
from lightdet.models.ssd import SSD, default_boxes
from lightdet.models.torchvision_detectors import BuiltInLossNetwork, split_targets
from lightdet.models.weights import save_model
from lightdet.profiling import count_flops, measure_complexity
from lightdet.structures import Preprocessing

CONFIGS = Path(__file__).parents[2] / "configs"
MODELS: dict[str, NetworkConfig] = {"faster-rcnn": FasterRCNNModelConfig(), "ssd": SSDModelConfig()}
TARGETS = torch.tensor([[0, 1, 5.0, 5.0, 30.0, 40.0], [0, 0, 8.0, 8.0, 30.0, 20.0], [1, 2, 10.0, 20.0, 60.0, 62.0]])


@cache
def built(name: str) -> BuiltInLossNetwork:
    torch.manual_seed(0)
    network = build_detector(MODELS[name], 3, 64)
    if isinstance(network, FasterRCNN):  # fewer proposals: each costs 28 million operations
        network.rpn._post_nms_top_n = {"training": 40, "testing": 20}
        network.roi_heads.fg_bg_sampler.batch_size_per_image = 16
    return network  # type: ignore[return-value]


def fresh(name: str) -> BuiltInLossNetwork:
    """A copy: initializing the millions of weights takes longer."""
    return deepcopy(built(name))


def images(pictures: int = 2, height: int = 64, width: int = 64) -> Tensor:
    return torch.rand(pictures, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", MODELS)
def test_the_configuration_spells_out_the_defaults(name: str) -> None:
    file = load_yaml(CONFIGS / f"{name}.yaml")
    defaults = load_config(YamlFile({"model": {"name": name}, "train": {"epochs": 100}}))
    assert load_config(file) == defaults
    assert file.values["model"].keys() == MODELS[name].model_dump().keys()


@pytest.mark.parametrize(("name", "parameters"), [("faster-rcnn", 41.3e6), ("ssd", 24e6)])
def test_the_size_with_six_classes(name: str, parameters: float) -> None:
    with torch.device("meta"):
        network = build_detector(MODELS[name], 6, 608)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters, rel=0.02)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(64, 64), (96, 64), (32, 32)])
def test_raw_outputs_in_both_modes_and_what_comes_of_them(name: str, training: bool, size: tuple[int, int]) -> None:
    network = fresh(name).train(training)
    with torch.no_grad():
        outputs = network(images(2, *size))
    assert isinstance(outputs, tuple)
    decoded = network.decode(outputs)
    assert decoded.dtype == torch.float32
    assert decoded.shape[0] == 2 and decoded.shape[2] == 8
    assert torch.isfinite(decoded).all()
    assert ((decoded[..., 4:] >= 0) & (decoded[..., 4:] <= 1)).all()
    corners = torch.cat((decoded[..., :2] - decoded[..., 2:4] / 2, decoded[..., :2] + decoded[..., 2:4] / 2), -1)
    assert corners.min() >= -1e-3
    assert (corners.amax((0, 1)) <= torch.tensor([size[1], size[0], size[1], size[0]]) + 1e-3).all()
    for boxes, scores, labels in network.select(outputs, confidence=0.05, iou=0.5, max_detections=7):
        assert len(boxes) == len(scores) == len(labels) <= 7
        assert (scores >= 0.05).all() and (scores.diff() <= 0).all()
        assert ((labels >= 0) & (labels < 3)).all()


@pytest.mark.parametrize("name", MODELS)
def test_selection_is_that_of_the_candidates(name: str) -> None:
    """By hand: every candidate with every class, torchvision's suppression by class, then the boxes' vote."""
    network = fresh(name).eval()
    with torch.no_grad():
        outputs = network(images())
    for row, (boxes, scores, labels) in zip(
        network.decode(outputs), network.select(outputs, confidence=0.3, iou=0.5, max_detections=1000), strict=True
    ):
        score = row[:, 4:5] * row[:, 5:]
        place, label = (score >= 0.3).nonzero(as_tuple=True)
        corners = torch.cat((row[place, :2] - row[place, 2:4] / 2, row[place, :2] + row[place, 2:4] / 2), dim=-1)
        kept = batched_nms(corners, score[place, label], label, 0.5)
        torch.testing.assert_close(scores, score[place, label][kept], rtol=1e-4, atol=1e-6)
        every = list(zip(corners.tolist(), score[place, label].tolist(), label.tolist(), strict=True))
        torch.testing.assert_close(
            boxes, torch.tensor(voted([every[k] for k in kept], every, 0.3)), rtol=1e-3, atol=1e-2
        )
        assert torch.equal(labels, label[kept])
        assert len(labels) > 0


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("targets", [TARGETS, torch.zeros(0, 6), TARGETS[:2]], ids=["both", "empty", "one empty"])
def test_the_gradient_reaches_every_trained_parameter(name: str, targets: Tensor) -> None:
    """Zero where there is nothing to learn, but there: several processes wait for each other's."""
    network = fresh(name).train()
    losses = network(images(), targets)
    assert all(loss.isfinite() and loss >= 0 and count >= 0 for loss, count in losses.values())
    sum(loss for loss, _ in losses.values()).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    still = [n for n, p in network.named_parameters() if not p.grad.any()]  # type: ignore[union-attr]
    if targets is TARGETS and name == "faster-rcnn":  # SSD learns from the hardest boxes, on some maps alone
        assert still == []
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("name", MODELS)
def test_boxes_without_area_change_nothing(name: str) -> None:
    network = fresh(name).eval()
    flat = torch.tensor([[1, 0, 5.0, 5.0, 5.0, 20.0]])
    results = []
    for targets in (TARGETS, torch.cat((flat, TARGETS))):
        torch.manual_seed(3)
        with torch.no_grad():
            results.append(network(images(), targets))
    for key, (loss, count) in results[0].items():
        assert loss == results[1][key][0] and count == results[1][key][1]


@pytest.mark.parametrize("name", MODELS)
def test_a_diverged_network_is_told_by_its_loss(name: str) -> None:
    network = fresh(name).train()
    with torch.no_grad():
        for parameter in network.backbone.parameters():  # type: ignore[union-attr]
            parameter.fill_(float("nan"))
    losses = network(images(), TARGETS)
    assert not all(loss.isfinite() for loss, _ in losses.values())
    network.eval()
    with torch.no_grad():
        found = network.select(network(images()), confidence=0.01, iou=0.5, max_detections=10)
    assert [len(boxes) for boxes, _, _ in found] == [0, 0]


@pytest.mark.parametrize("name", MODELS)
def test_half_precision_ends_before_the_numbers(name: str) -> None:
    network = fresh(name).train()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):  # slow where a processor has no such numbers
        losses = network(images(2, 32, 32), TARGETS)
        outputs = network(images(2, 32, 32))
    assert all(loss.dtype == torch.float32 for loss, _ in losses.values())
    assert network.decode(outputs).dtype == torch.float32


@pytest.mark.parametrize("name", MODELS)
def test_the_round_trip_through_a_file_gives_the_same_output(name: str, tmp_path: Path) -> None:
    network = fresh(name)
    with torch.no_grad():
        network.train()(images())  # moves the statistics
    card = ModelCard(MODELS[name].model_dump(mode="json"), ("a", "b", "c"), Preprocessing(64))
    save_model(tmp_path / "best.safetensors", dict(network.state_dict()), card)
    again, _ = load_detector(tmp_path / "best.safetensors")
    if isinstance(again, FasterRCNN):
        again.rpn._post_nms_top_n = {"training": 40, "testing": 20}
    with torch.no_grad():
        one, other = (n.eval().decode(n(images())) for n in (network, again))
    assert torch.equal(one, other)


def test_split_targets() -> None:
    parts = split_targets(torch.cat((TARGETS, torch.tensor([[3, 0, 1.0, 1.0, 1.0, 9.0]]))), 4)
    assert [part.labels.tolist() for part in parts] == [[2, 1], [3], [], []]
    assert parts[1].boxes.tolist() == [[10.0, 20.0, 60.0, 62.0]]
    assert parts[3].boxes.shape == (0, 4)


def test_faster_rcnn_finds_what_torchvisions_own_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same parts within torchvision's whole model without resizing and threshold; no vote here."""
    monkeypatch.setattr("lightdet.models.postprocess.VOTER_IOU", 1.0)
    network = fresh("faster-rcnn").eval()
    with torch.no_grad():
        network.roi_heads.box_predictor.cls_score.weight.mul_(20)  # scores that differ
    whole = Published(network.backbone, 4, min_size=64, max_size=64, box_score_thresh=0.1, box_nms_thresh=0.5)
    whole.rpn, whole.roi_heads = network.rpn, network.roi_heads
    whole.roi_heads.score_thresh, whole.roi_heads.nms_thresh, whole.roi_heads.detections_per_img = 0.1, 0.5, 50
    pictures = images()
    with torch.no_grad():
        expected = whole.eval()(list(pictures))
        found = network.select(network(pictures), confidence=0.1, iou=0.5, max_detections=50)
    for (boxes, scores, labels), wanted in zip(found, expected, strict=True):
        assert len(boxes) > 0
        torch.testing.assert_close(scores, wanted["scores"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(boxes, wanted["boxes"], rtol=1e-4, atol=1e-3)
        assert torch.equal(labels + 1, wanted["labels"])


def test_faster_rcnn_has_torchvisions_losses() -> None:
    network = fresh("faster-rcnn").train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    pictures = images()
    listed = [part.as_dict() for part in split_targets(TARGETS, 2)]
    with torch.no_grad():
        torch.manual_seed(5)
        found = {name: float(loss / count) for name, (loss, count) in network(pictures, TARGETS).items()}
        torch.manual_seed(5)
        features = network.backbone(network.normalize(pictures))
        as_list = ImageList(pictures, [(64, 64)] * 2)
        proposals, first = network.rpn(as_list, features, listed)
        chosen, _, labels, goals = network.roi_heads.select_training_samples(proposals, listed)
        pooled = network.roi_heads.box_roi_pool(features, chosen, as_list.image_sizes)
        logits, shifts = network.roi_heads.box_predictor(network.roi_heads.box_head(pooled))
        classification, box = fastrcnn_loss(logits, shifts, labels, goals)
    assert found == pytest.approx(
        {
            "objectness": float(first["loss_objectness"]),
            "proposal_box": float(first["loss_rpn_box_reg"]),
            "classification": float(classification),
            "box": float(box),
        },
        rel=1e-4,
    )


def test_counted_operations_do_not_depend_on_chance() -> None:
    network = fresh("faster-rcnn")
    counts, proposals = set(), set()
    for seed in range(4):
        torch.manual_seed(seed)
        nn.init.normal_(network.rpn.head.bbox_pred.weight, std=3.0)
        counts.add(count_flops(network, 64))
        assert network.fill_up is False
        with torch.no_grad():
            proposals.add(len(network.eval()(torch.zeros(1, 3, 64, 64)).proposals[0]))
    assert len(counts) == 1
    assert len(proposals) > 1, "the example has what it is an example of"
    cost = measure_complexity(network, 64)
    assert {"roi_heads.box_head.fc6", "backbone.body.conv1"} <= {layer.name for layer in cost.layers}


@cache
def untrained_ssd() -> tuple[SSD, Any]:
    network = built("ssd")
    assert isinstance(network, SSD)
    with torch.no_grad():
        return network, network(images())


def ssd_outputs(seed: int) -> tuple[SSD, Any]:
    network, outputs = untrained_ssd()
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(outputs.logits.shape, generator=generator)
    deltas = torch.randn(outputs.deltas.shape, generator=generator)
    return network, outputs._replace(logits=logits, deltas=deltas)


@given(st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_ssd_has_torchvisions_losses_where_every_picture_has_a_box(seed: int) -> None:
    network, outputs = ssd_outputs(seed)
    labelled = split_targets(TARGETS, 2)
    found = {name: float(loss / count) for name, (loss, count) in network._losses(outputs, labelled).items()}
    listed = [part.as_dict() for part in labelled]
    matched = [network.matcher(box_iou(part.boxes, outputs.anchors)) for part in labelled]
    heads = {"cls_logits": outputs.logits, "bbox_regression": outputs.deltas}
    expected = published().compute_loss(listed, heads, [outputs.anchors] * 2, matched)
    assert found == pytest.approx(
        {"box": float(expected["bbox_regression"]), "classification": float(expected["classification"])}, rel=1e-4
    )


@cache
def published() -> Any:
    torch.manual_seed(1)
    return ssd300_vgg16(weights=None, weights_backbone=None, num_classes=4).eval()


def test_every_part_of_ssd_is_used() -> None:
    network = fresh("ssd").train()
    outputs = network(images())
    (outputs.logits.square().mean() + outputs.deltas.square().mean()).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_ssd_learns_from_a_picture_without_boxes() -> None:
    network, outputs = ssd_outputs(2)
    loss, count = network._losses(outputs, split_targets(torch.zeros(0, 6), 2))["classification"]
    background = cross_entropy(
        outputs.logits.flatten(0, 1), torch.zeros(outputs.logits[..., 0].numel()).long(), reduction="none"
    )
    hardest = background.view(2, -1).sort(dim=1, descending=True).values[:, :3]
    assert count == 0
    assert float(loss) == pytest.approx(float(hardest.sum()), rel=1e-4)


def test_default_boxes_at_300_are_torchvisions() -> None:
    maps = [38, 19, 10, 5, 3, 1]
    picture = ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)])
    generator = deepcopy(published().anchor_generator)
    generator.steps = None  # centres in the middle of their cells, as the paper's formula has them
    expected = generator(picture, [torch.zeros(1, 1, side, side) for side in maps])[0]
    found = default_boxes([(side, side) for side in maps], (300, 300))
    assert found.shape == (8732, 4)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3)


def test_default_boxes_of_a_rectangle_have_the_sides_of_the_square() -> None:
    square = default_boxes([(8, 8)], (64, 64))
    flat = default_boxes([(4, 8)], (32, 64))
    torch.testing.assert_close(flat[:, 2:] - flat[:, :2], (square[:, 2:] - square[:, :2])[: len(flat)])
    centres = (flat[:, :2] + flat[:, 2:]) / 2
    assert centres.view(4, 8, 4, 2)[1, 2, 0].tolist() == pytest.approx([20.0, 12.0])


def test_at_300_pixels_it_is_torchvisions_network() -> None:
    network = fresh("ssd").eval()
    whole = published()
    network.backbone.load_state_dict(whole.backbone.state_dict())  # type: ignore[union-attr]
    network.head.load_state_dict(whole.head.state_dict())  # type: ignore[union-attr]
    picture = images(1, 300, 300)
    with torch.no_grad():
        outputs = network(picture)
        heads = whole.head(list(whole.backbone(network.normalize(picture)).values()))
    torch.testing.assert_close(outputs.logits, heads["cls_logits"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(outputs.deltas, heads["bbox_regression"], rtol=1e-4, atol=1e-4)


def classifier_weights(make: Any) -> dict[str, Tensor]:
    """Random weights of a classifier, without the hundred millions of VGG's last layers."""
    with torch.device("meta"):
        state = make(weights=None).state_dict()
    generator = torch.Generator().manual_seed(7)
    shapes = {name: (1,) if name.startswith("classifier.") else value.shape for name, value in state.items()}
    return {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}


CLASSIFIERS = {"faster-rcnn": resnet50, "ssd": vgg16}


@pytest.mark.parametrize(("name", "suffix"), [("faster-rcnn", ".safetensors"), ("ssd", ".pth")])
def test_a_backbone_begins_with_weights_from_a_file(name: str, suffix: str, tmp_path: Path) -> None:
    weights = classifier_weights(CLASSIFIERS[name])
    path = tmp_path / f"backbone{suffix}"
    if suffix == ".pth":
        torch.save(weights, path)
    else:
        save_file(weights, path)
    config = type(MODELS[name])(backbone_weights=str(path))
    network = build_detector(config, 3, 64)
    assert load_backbone(config, network)
    state = network.state_dict()
    if name == "faster-rcnn":
        assert torch.equal(state["backbone.body.layer4.2.conv3.weight"], weights["layer4.2.conv3.weight"])
        assert torch.equal(state["backbone.body.bn1.running_var"], weights["bn1.running_var"])
        assert any(isinstance(module, FrozenBatchNorm2d) for module in network.modules())
        assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        still = {n.split(".")[2] for n, p in network.named_parameters() if not p.requires_grad}
        assert still == {"conv1", "layer1"}
    else:
        assert torch.equal(state["backbone.features.21.weight"], weights["features.21.weight"])
        for inside, outside in ((1, 24), (3, 26), (5, 28)):
            key = f"backbone.extra.0.{inside}.weight"
            assert torch.equal(state[key], weights[f"features.{outside}.weight"])
        still = {n for n, p in network.named_parameters() if not p.requires_grad}
        assert still == {f"backbone.features.{i}.{k}" for i in (0, 2) for k in ("weight", "bias")}
    # A trained one is rebuilt on a computer that has no such file.
    path.unlink()
    card = ModelCard(config.model_dump(mode="json"), ("a", "b", "c"), Preprocessing(64))
    save_model(tmp_path / "best.safetensors", dict(state), card)
    again, _ = load_detector(tmp_path / "best.safetensors")
    assert all(torch.equal(value, state[key]) for key, value in again.state_dict().items())


def test_no_weights_named_none_loaded() -> None:
    assert not load_backbone(SSDModelConfig(), build_detector(SSDModelConfig(), 1, 64))


@pytest.mark.parametrize(
    ("name", "other", "told"),
    [
        ("faster-rcnn", resnet101, r"another network than a ResNet-50: 'layer3\.\d+\.bn1"),
        ("faster-rcnn", vgg16, r"no weights of a ResNet-50: 'conv1\.weight' is missing"),
        ("ssd", vgg19, r"no weights of a VGG16|another network than a VGG16"),
    ],
)
def test_another_networks_weights_are_refused(name: str, other: Any, told: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file(classifier_weights(other), path)
    config = type(MODELS[name])(backbone_weights=str(path))
    with pytest.raises(UserError, match=told) as caught:
        load_backbone(config, build_detector(config, 3, 64))
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 broken", b"\x80\x04."], ids=["empty", "text", "zip", "pickle"]
)
def test_a_file_that_is_none_of_weights_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    config = SSDModelConfig(backbone_weights=str(path))
    with pytest.raises(UserError, match=r"weights\.pth.*neither safetensors nor an intact file of weights"):
        load_backbone(config, build_detector(config, 3, 64))


def test_a_pickled_program_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(nn.Linear(2, 2), path)
    config = SSDModelConfig(backbone_weights=str(path))
    with pytest.raises(UserError, match="holds more than weights"):
        load_backbone(config, build_detector(config, 3, 64))


def test_missing_weights_are_told(tmp_path: Path) -> None:
    config = SSDModelConfig(backbone_weights=str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match="no such file"):
        load_backbone(config, build_detector(config, 3, 64))
