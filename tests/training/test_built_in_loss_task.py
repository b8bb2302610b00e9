"""The task of networks that bring their own loss: its sums and counts, over processes, and its draws."""

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from lightdet.assembly.detector import build_detector
from lightdet.config import FasterRCNNModelConfig
from lightdet.models.faster_rcnn import FasterRCNN
from lightdet.models.torchvision_detectors import BuiltInLossNetwork, Losses
from lightdet.structures import Batch
from lightdet.training.built_in_loss_task import BuiltInLossTask


class Drawing(BuiltInLossNetwork):
    """Each box costs the square of its width times a weight; each picture a number drawn by chance."""

    def __init__(self) -> None:
        super().__init__(2)
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Losses | Tensor:
        if targets is None:
            return images.mean((1, 2, 3)) * self.weight
        width = targets[:, 4] - targets[:, 2]
        drawn = torch.rand(len(images))
        assert images.max() <= 1, "pictures come in 0-1"
        return {
            "box": ((self.weight * width**2).sum(), torch.tensor(float(len(targets)))),
            "chance": ((self.weight * drawn).sum(), torch.tensor(float(len(images)))),
        }


def batch_of(pictures: int, boxes: int, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (pictures, 3, 32, 32), generator=generator, dtype=torch.uint8)
    targets = torch.zeros(boxes, 6)
    targets[:, 0] = torch.arange(boxes) % pictures
    targets[:, 4:] = 1 + 20 * torch.rand(boxes, 2, generator=generator)
    return Batch(images, targets)


def test_the_parts_are_means_and_the_total_grows_with_the_batch() -> None:
    task, batch = BuiltInLossTask(Drawing()), batch_of(4, 3)
    terms = task.loss(task.network, batch)
    expected = float((2 * batch.targets[:, 4] ** 2).mean())
    assert terms.parts["box"].item() == pytest.approx(expected)
    assert 0 < terms.parts["chance"].item() < 2
    assert terms.total.item() == pytest.approx(4 * (expected + terms.parts["chance"].item()))


def test_without_boxes_nothing_is_divided_by_nothing() -> None:
    task = BuiltInLossTask(Drawing())
    terms = task.loss(task.network, batch_of(2, 0))
    assert terms.parts["box"].item() == 0
    assert math.isfinite(terms.total.item())


def test_draws_depend_on_the_batch_alone() -> None:
    """So a resumed training, which has drawn less before, goes on to the very weights."""
    task = BuiltInLossTask(Drawing())
    first = task.loss(task.network, batch_of(4, 3)).parts["chance"]
    torch.rand(17)
    assert task.loss(task.network, batch_of(4, 3)).parts["chance"] == first
    assert task.loss(task.network, batch_of(4, 3, seed=1)).parts["chance"] != first
    assert task.loss(task.network, batch_of(4, 2)).parts["chance"] != first


def test_the_anchors_and_proposals_of_faster_rcnn_are_drawn_so() -> None:
    torch.manual_seed(0)
    network = build_detector(FasterRCNNModelConfig(), 2, 64)
    assert isinstance(network, FasterRCNN)
    network.rpn._post_nms_top_n = {"training": 40, "testing": 20}
    network.roi_heads.fg_bg_sampler.batch_size_per_image = 8
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False).eval()
    task, batch = BuiltInLossTask(network), batch_of(2, 3)
    with torch.no_grad():
        first = task.loss(network, batch)
        torch.rand(17)
        again = task.loss(network, batch)
        torch.manual_seed(1)
        images = batch.images.float() / 255
        freely = sum(float(loss / count) for loss, count in network(images, batch.targets).values())
    assert torch.equal(first.total, again.total)
    assert freely != pytest.approx(first.total.item() / 2, rel=1e-6), "the example draws by chance"


def test_nobody_else_notices_the_draws() -> None:
    task = BuiltInLossTask(Drawing())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    task.loss(task.network, batch_of(2, 1))
    assert torch.equal(torch.rand(3), expected)


def means(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).mean(0)


@pytest.mark.parametrize("boxes", [(3, 2), (4, 0), (0, 0), (1, 0)], ids=str)
def test_two_processes_take_the_step_of_one(boxes: tuple[int, int]) -> None:
    halves = [batch_of(2, count, seed) for seed, count in enumerate(boxes)]
    second = halves[1].targets + torch.tensor([2.0, 0, 0, 0, 0, 0])
    whole = Batch(torch.cat([half.images for half in halves]), torch.cat((halves[0].targets, second)))

    class Certain(Drawing):
        def forward(self, images: Tensor, targets: Tensor | None = None) -> Losses | Tensor:
            losses = super().forward(images, targets)
            assert isinstance(losses, Mapping)
            return {"box": losses["box"]}

    single = BuiltInLossTask(Certain())
    single.loss(single.network, whole).total.backward()
    counts: list[Tensor] = []

    def note(count: Tensor) -> Tensor:
        counts.append(count.clone())
        return count

    for half in halves:
        task = BuiltInLossTask(Certain(), mean_count=note, processes=2)
        task.loss(task.network, half)
    gradients = []
    for half in halves:
        task = BuiltInLossTask(Certain(), mean_count=lambda _: means(counts), processes=2)
        task.loss(task.network, half).total.backward()
        gradients.append(task.network.weight.grad)  # type: ignore[union-attr]
    assert means(gradients).item() == pytest.approx(single.network.weight.grad.item(), rel=1e-5)  # type: ignore
