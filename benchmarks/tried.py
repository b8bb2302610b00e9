"""Ideas that were tried for accuracy and are not in the package, so that their figures can be repeated.

    python benchmarks/tried.py sizes --value 0.2 --data neu-200.yaml --imgsz 160 --epochs 20 …   # as for lightdet train
    python benchmarks/tried.py smaller-first --value 504 …
    python benchmarks/tried.py second-head --value 0.25 …
    python benchmarks/tried.py branches …
    python benchmarks/tried.py doubts --value 0.5 --folder CROSSVAL --data neu-200.yaml …   # after lightdet crossval
    python benchmarks/tried.py average-longer --value 10 …
    python benchmarks/tried.py backbone-slower --value 0.1 …
    python benchmarks/tried.py backbone-later --value 60 …
    python benchmarks/tried.py first-fixed --value 2 …
    python benchmarks/tried.py aligned-from --value 0 …
    python benchmarks/tried.py overlap-power --value 2 …
    python benchmarks/tried.py muon-step --value 0.2 … train.optimizer=muon
    python benchmarks/tried.py average A.safetensors B.safetensors --output mean.safetensors   # then lightdet val
    python benchmarks/tried.py soft-nms --value 0.5 --weights A.safetensors --data datasets/neu-det.yaml   # as for val

``sizes``: each batch at another input size, up to the share `--value` smaller or larger. ``smaller-first``: the first
`--value` batches, and the anchors with them, at the share `--side` of the input's side, which costs about its square.
``second-head``: another 1x1 convolution before gates and CBAM learns the same boxes by all anchors that fit, with the
weight `--value`; it is not there in use. ``branches``: beside each 3x3 convolution a 1x1 and, where it fits, an
identity, each with its own normalization that begins at 0; they can be folded into the convolution after training
(Ding et al. 2021, "RepVGG").
``doubts``: where the models of a cross-validation doubt a label, objectness and class learn less than 1 there, by up to
`--value` times the doubt. ``average-longer``: the averaged weights are those of the last 1 / `--value` of all steps so
far; the package's average reaches back less. ``backbone-slower``: the backbone, which comes with the weights, learns at
`--value` times the rate of the other parts. ``backbone-later``: it keeps its weights for the first `--value` steps;
its normalization still measures the pictures. ``first-fixed``: the first `--value` parts of the backbone (Focus, then
the stages) keep their weights for good, so nothing is computed backward through them. ``aligned-from``: with
``loss.assignment=aligned``, anchors are ranked for boxes of `--value` pixels and more, the side of a square as large;
0: for all. ``overlap-power``: the same for all, IoU to this power in the ranking. ``muon-step``: Muon's steps of this
size. ``average``: the mean of trained
models' weights (Wortsman et al. 2022, "Model soups"). ``soft-nms``: a box of the same class that overlaps a better one
by more than `--value` stays, its score times 1 - IoU (Bodla et al. 2017, "Soft-NMS").
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import interpolate
from torch.optim import Optimizer
from torchvision.ops import box_iou

from lightdet.assembly import detection_task, detector_training
from lightdet.assembly import trainer as assembly_trainer
from lightdet.assembly.detector import load_detector
from lightdet.cli.app import main as lightdet
from lightdet.compute.precision import autocast
from lightdet.data.spec import DatasetSpec
from lightdet.layers import ConvBNAct
from lightdet.layers.conv import make_batch_norm
from lightdet.losses import DetectionLoss, TaskAligned
from lightdet.losses.assignment import GridMatches
from lightdet.models import Detector, postprocess
from lightdet.models.postprocess import PictureDetections
from lightdet.models.weights import save_model
from lightdet.runs.label_doubts import doubt_labels
from lightdet.structures import Annotation, Batch, LossTerms
from lightdet.training import muon
from lightdet.training.board_pictures import batch_sheet
from lightdet.training.ema import ExponentialMovingAverage
from lightdet.training.task import DetectionTask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in TRIED:
        parts = kinds.add_parser(kind)
        parts.add_argument("--value", type=float, default=0.25)
        if kind == "smaller-first":
            parts.add_argument("--side", type=float, default=0.7)
        if kind == "doubts":
            parts.add_argument("--folder", type=Path, required=True, help="of the cross-validation")
    average = kinds.add_parser("average")
    average.add_argument("files", type=Path, nargs="+")
    average.add_argument("--output", type=Path, required=True)
    options, rest = parser.parse_known_args()
    if options.kind == "average":
        if rest:
            parser.error(f"unknown: {' '.join(rest)}")
        mean_of(options.files, options.output)
        return
    TRIED[options.kind](options)
    command = ["val", *rest] if options.kind == "soft-nms" else ["train", *rest, "train.replicas=1"]
    sys.exit(lightdet(command))


def several_sizes(options: argparse.Namespace) -> None:
    def draw(side: int) -> int:
        least, most = (round(side * (1 + change) / 32) for change in (-options.value, options.value))
        return 32 * int(torch.randint(least, most + 1, ()))

    _change_side(draw)


def smaller_first(options: argparse.Namespace) -> None:
    if not 0 < options.side <= 1:
        sys.exit(f"--side {options.side:g}: a share of the input's side, above 0 and at most 1")
    batches = 0

    def begin_smaller(side: int) -> int:
        nonlocal batches
        batches += 1
        return max(32, 32 * round(side * options.side / 32)) if batches <= options.value else side

    _change_side(begin_smaller, anchors=True)


def _change_side(choose: Callable[[int], int], *, anchors: bool = False) -> None:
    """Train each batch at the side that `choose` returns for the input's; `anchors` change with it."""
    whole: list[Tensor] = []  # the loss's anchors for the input's side

    def loss(self: DetectionTask, forward: nn.Module, batch: Batch) -> LossTerms:
        images = self._input(batch.images)
        targets = batch.targets.to(images.device, copy=True)
        side = images.shape[-1]
        new = choose(side)
        if anchors:
            learnt: Any = self._loss
            if not whole:
                whole.append(learnt.anchors.clone())
            learnt.anchors.copy_(whole[0] * new / side)
        if new != side:
            images = interpolate(images, size=(new, new), mode="bilinear", antialias=new < side)
            targets[:, 2:] *= new / side
        with autocast(self.precision, images.device):
            outputs = forward(images)
        return self._loss(outputs, targets)

    DetectionTask.loss = loss  # type: ignore[method-assign]


def second_head(options: argparse.Namespace) -> None:
    _change_detector(_add_second_head)
    first_loss = detection_task._anchor_loss

    def both(config: Any, pictures: Any, detector: Detector, processes: Any, aligned: bool) -> nn.Module:
        losses = [first_loss(config, pictures, detector, processes, choice) for choice in (aligned, False)]
        return _BothLosses(*losses, detector.head, options.value)

    detection_task._anchor_loss = both  # type: ignore[assignment]


class _BothLosses(nn.Module):
    def __init__(self, first: DetectionLoss, second: DetectionLoss, head: Any, gain: float) -> None:
        super().__init__()
        self.first, self.second, self.gain = first, second, gain
        self.head = [head]  # in a list, or it would be a part of the loss

    def forward(self, grids: Any, targets: Tensor) -> LossTerms:
        head, terms = self.head[0], self.first(grids, targets)
        others = [
            raw.float().unflatten(1, (head.num_anchors, -1)).permute(0, 1, 3, 4, 2) for raw in head.found_by_second
        ]
        return LossTerms(terms.total + self.gain * self.second(others, targets).total, terms.parts)


def _add_second_head(detector: Detector) -> None:
    head: Any = detector.head
    head.second = nn.ModuleList(nn.Conv2d(each.in_channels, each.out_channels, 1) for each in head.outputs)
    for conv, stride in zip(head.second, detector.strides, strict=True):
        head._start_biases(conv, stride)

    def compute(module: Any, given: Any) -> None:
        if module.training:
            module.found_by_second = [conv(deep) for conv, deep in zip(module.second, given[0], strict=True)]

    head.register_forward_pre_hook(compute)


def branches(_: argparse.Namespace) -> None:
    _change_detector(_add_branches)


class _Branched(ConvBNAct):
    side: nn.Module
    same: nn.Module | None

    def forward(self, x: Tensor) -> Tensor:
        found = self.norm(self.conv(x)) + self.side(x)
        out: Tensor = self.act(found if self.same is None else found + self.same(x))
        return out


def _add_branches(detector: Detector) -> None:
    for module in list(detector.modules()):
        if type(module) is ConvBNAct and module.conv.kernel_size == (3, 3):
            conv, norm = module.conv, make_batch_norm(module.conv.out_channels)
            module.__class__ = _Branched
            module.side = nn.Sequential(
                nn.Conv2d(conv.in_channels, conv.out_channels, 1, conv.stride, bias=False), norm
            )
            fits = conv.in_channels == conv.out_channels and conv.stride == (1, 1)
            module.same = make_batch_norm(conv.in_channels) if fits else None
            for each in (norm, module.same):
                if each is not None:
                    nn.init.zeros_(each.weight)


STEPS = 20
"""Doubts are told apart in steps of 1 / 20: a box's label carries its class and its step through the augmentation."""


def doubted_labels(options: argparse.Namespace) -> None:
    read = detector_training.read_training_data

    def with_doubts(spec: DatasetSpec, *given: Any, **others: Any) -> Any:
        doubts = {
            (doubt.image, doubt.box): doubt.doubt
            for doubt in doubt_labels(spec, options.folder, 1_000_000).first
            if doubt.kind in ("extra", "class")
        }

        def complete(truths: list[Annotation]) -> tuple[list[Annotation], list[str]]:
            for truth in truths:
                for box in range(len(truth)):
                    step = round(STEPS * doubts.get((truth.image, box), 0.0))
                    truth.labels[box] += step * len(spec.classes)
            return truths, [f"{len(doubts)} labels are in doubt"]

        return read(spec, *given, **{**others, "complete": complete})

    def sheet(batch: Batch, names: tuple[str, ...]) -> Any:
        return batch_sheet(batch, names * (STEPS + 1))

    detector_training.batch_sheet = sheet  # type: ignore[assignment]
    detector_training.read_training_data = with_doubts
    detection_task.DetectionLoss = partial(_DoubtedLoss, loss_of_doubt=options.value)  # type: ignore[misc, assignment]


class _DoubtedLoss(DetectionLoss):
    def __init__(self, *given: Any, loss_of_doubt: float, **others: Any) -> None:
        super().__init__(*given, **others)
        self.loss_of_doubt = loss_of_doubt

    def forward(self, grids: Any, targets: Tensor) -> LossTerms:
        step = targets[:, 1].div(self.num_classes, rounding_mode="floor")
        self.trust = 1 - self.loss_of_doubt * step / STEPS
        targets = targets.clone()
        targets[:, 1] -= step * self.num_classes
        return super().forward(grids, targets)

    def _matched(self, grid: Tensor, match: GridMatches, level: int) -> Any:
        own = super()._matched(grid, match, level)
        return own if self.alignment is not None else self._trusted(own)

    def _aligned(self, *given: Any) -> Any:
        return [self._trusted(own) for own in super()._aligned(*given)]  # the choice itself does not know of doubts

    def _trusted(self, own: Any) -> Any:
        return replace(own, goal=own.goal * self.trust[own.match.box])

    def _classes(self, found: Tensor, match: GridMatches) -> Tensor:
        goal = torch.zeros_like(found[:, 5:])
        goal[torch.arange(len(match)), match.label] = self.trust[match.box].to(goal.dtype)
        return bce(found[:, 5:], goal, reduction="none").mean(-1).sum()


def _change_detector(change: Callable[[Detector], None]) -> None:
    build = detector_training.build_detector

    def changed(*given: Any) -> Any:
        detector = build(*given)
        assert isinstance(detector, Detector)
        change(detector)
        return detector

    detector_training.build_detector = changed


def average_longer(options: argparse.Namespace) -> None:
    def update(self: ExponentialMovingAverage, network: nn.Module) -> None:
        self.updates += 1
        if self._source is not network:
            self._pair_with(network)
        torch._foreach_lerp_(*self._floats, max(1 - self.decay, options.value / (options.value + self.updates)))
        for own, new in self._others:
            own.copy_(new)

    ExponentialMovingAverage.update = update  # type: ignore[method-assign]


def backbone_slower(options: argparse.Namespace) -> None:
    _share_of_rate(lambda _: options.value)


def backbone_later(options: argparse.Namespace) -> None:
    _share_of_rate(lambda step: float(step >= options.value))


def first_fixed(options: argparse.Namespace) -> None:
    def fix(detector: Detector) -> None:
        backbone: Any = detector.backbone
        parts = [backbone.focus, *backbone.stages]
        if options.value not in range(len(parts) + 1):
            sys.exit(f"--value {options.value:g}: the number of parts, 0 to {len(parts)}")
        for part in parts[: int(options.value)]:
            part.requires_grad_(False)

    _change_detector(fix)


def _share_of_rate(share: Callable[[int], float]) -> None:
    build = assembly_trainer.build_optimizer

    def changed(network: nn.Module, *given: Any, **others: Any) -> Optimizer:
        optimizer = build(network, *given, **others)
        backbone = {id(each) for each in network.backbone.parameters()}  # type: ignore[operator, union-attr]
        for group in list(optimizer.param_groups):
            parts: tuple[list[Any], list[Any]] = [], []
            for each in group["params"]:
                parts[id(each) in backbone].append(each)
            group["params"] = parts[0]
            optimizer.add_param_group({**group, "params": parts[1], "backbone": True})
        step = 0

        def slow(*_: Any) -> None:
            nonlocal step
            for group in optimizer.param_groups:  # the trainer sets the rate of all before each step
                group["lr"] *= share(step) if group.get("backbone") else 1.0
            step += 1

        optimizer.register_step_pre_hook(slow)
        return optimizer

    assembly_trainer.build_optimizer = changed


def mean_of(files: list[Path], output: Path) -> None:
    networks = [load_detector(file) for file in files]
    states = [network.state_dict() for network, _ in networks]
    mean = {
        name: torch.stack([each[name].double() for each in states]).mean(0).to(value)
        for name, value in states[0].items()
    }
    save_model(output, mean, networks[0][1])


def soft_nms(options: argparse.Namespace) -> None:
    def suppress(
        boxes: Tensor, score: Tensor, label: Tensor, *, max_detections: int, floor: float = 0.0, **_: Any
    ) -> PictureDetections:
        shared = box_iou(boxes, boxes) * (label[:, None] == label)
        decay = torch.where(shared > options.value, 1 - shared, 1.0)
        left, kept, scores = score.clone(), [], []
        while len(kept) < min(max_detections, len(boxes)) and left.max() >= floor:
            best = int(left.argmax())
            kept.append(best)
            scores.append(float(left[best]))
            left *= decay[best]
            left[best] = -1.0
        chosen = torch.tensor(kept, dtype=torch.int64)
        return postprocess._vote(boxes, score, label, chosen, floor), torch.tensor(scores), label[chosen]

    postprocess.suppress = suppress  # type: ignore[assignment]


def aligned_from(options: argparse.Namespace) -> None:
    detection_task.TaskAligned = partial(TaskAligned, small=options.value)  # type: ignore[misc, assignment]


def overlap_power(options: argparse.Namespace) -> None:
    detection_task.TaskAligned = partial(TaskAligned, small=0, overlap_power=options.value)  # type: ignore[misc, assignment]


def muon_step(options: argparse.Namespace) -> None:
    muon.STEP_SIZE = options.value


TRIED: dict[str, Callable[[argparse.Namespace], None]] = {
    "aligned-from": aligned_from,
    "overlap-power": overlap_power,
    "sizes": several_sizes,
    "smaller-first": smaller_first,
    "second-head": second_head,
    "branches": branches,
    "average-longer": average_longer,
    "backbone-later": backbone_later,
    "backbone-slower": backbone_slower,
    "doubts": doubted_labels,
    "first-fixed": first_fixed,
    "muon-step": muon_step,
    "soft-nms": soft_nms,
}

if __name__ == "__main__":
    main()
