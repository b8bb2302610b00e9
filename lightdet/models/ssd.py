"""SSD with VGG16 (Liu et al. 2016), of torchvision's parts, for inputs of any size.

The published SSD takes 300 x 300 pixels; this is the same network for any input. Default boxes are given as shares
of its longer side, as published, so they fit larger inputs just as well. Below 288 pixels the last maps would have
no cell left: they then keep one.

Letters: B batch, N default boxes, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad, smooth_l1_loss
from torchvision.models.detection._utils import BoxCoder, SSDMatcher
from torchvision.models.detection.ssd import SSDFeatureExtractorVGG, SSDHead
from torchvision.models.vgg import cfgs, make_layers
from torchvision.ops import box_iou, clip_boxes_to_image

from lightdet.models.torchvision_detectors import (
    IMAGENET,
    BuiltInLossNetwork,
    Labelled,
    Losses,
    split_targets,
    take_weights,
)

CHANNELS = (512, 1024, 512, 256, 256, 256)
RATIOS: tuple[tuple[float, ...], ...] = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
"""Ratio of the long to the short side of the default boxes that are not square, by map."""
SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
"""Side of the square default box as a share of the input's, by map, and one more for the last map's second."""
STAGES = (0, 4, 9, 16, 23)
"""Where VGG16's five stages begin: at the first convolution, then at each of the first four poolings."""
EXTRA_FROM = 23  # in VGG16; the layers from there on are the first of torchvision's extra blocks
NEGATIVES = 3
"""How many of the hardest background boxes are used per matched box; and in a picture without any boxes."""


class AnchorOutputs(NamedTuple):
    """What `SSD.forward` returns.

    Attributes:
        logits: float32 ``[B, N, 1 + C]``, background first.
        deltas: float32 ``[B, N, 4]``, the shift of each default box.
        anchors: float32 ``[N, 4]`` corners of the default boxes in input pixels.
        size: (height, width) of the input.
    """

    logits: Tensor
    deltas: Tensor
    anchors: Tensor
    size: tuple[int, int]


class _AtLeastOneCell(nn.Conv2d):
    """A convolution without padding, except for maps smaller than its kernel: those are padded to its size."""

    def forward(self, x: Tensor) -> Tensor:
        down = max(0, self.kernel_size[0] - x.shape[2])
        right = max(0, self.kernel_size[1] - x.shape[3])
        if down or right:
            x = pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        return super().forward(x)


class SSD(BuiltInLossNetwork):
    """Classes and boxes from six maps at once.

    Args:
        num_classes: C.
        normalization: see `BuiltInLossNetwork`.
        trainable_stages: of VGG16's five, from the last.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        normalization: tuple[Sequence[float], Sequence[float]] = IMAGENET,
        trainable_stages: int = 5,
    ) -> None:
        super().__init__(num_classes, normalization)
        layers = make_layers(cfgs["D"])  # VGG16 without its classifier, which is five sixths of it
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        frozen = STAGES[5 - trainable_stages] if trainable_stages else len(layers)
        for layer in layers[:frozen]:
            layer.requires_grad_(False)
        self.backbone = SSDFeatureExtractorVGG(layers, highres=False)
        for block in self.backbone.extra[3:]:
            old = block[2]
            block[2] = _AtLeastOneCell(old.in_channels, old.out_channels, old.kernel_size)
            block[2].load_state_dict(old.state_dict())
        self.head = SSDHead(list(CHANNELS), [2 + 2 * len(ratios) for ratios in RATIOS], num_classes + 1)
        self.box_coder = BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
        self.matcher = SSDMatcher(0.5)

    def forward(self, images: Tensor, targets: Tensor | None = None) -> AnchorOutputs | Losses:
        """Return raw outputs in both modes; with `targets`, the losses."""
        maps = list(self.backbone(self.normalize(images)).values())
        raw = self.head(maps)
        size = (int(images.shape[2]), int(images.shape[3]))
        anchors = default_boxes([(int(m.shape[2]), int(m.shape[3])) for m in maps], size).to(images.device)
        outputs = AnchorOutputs(raw["cls_logits"].float(), raw["bbox_regression"].float(), anchors, size)
        if targets is None:
            return outputs
        with torch.autocast(images.device.type, enabled=False):
            return self._losses(outputs, split_targets(targets, len(images)))

    def _losses(self, outputs: AnchorOutputs, labelled: list[Labelled]) -> Losses:
        """Class and shift of the matched default boxes, and the class of the background's hardest.

        As in torchvision, except that pictures without boxes are used too (the paper's ratio of negatives
        to positives would exclude them).
        """
        labels, goals = zip(*(self._match(outputs.anchors, part) for part in labelled), strict=True)
        label = torch.stack(labels)  # [B, N], 0 where nothing is matched
        matched = label > 0
        apart = smooth_l1_loss(outputs.deltas[matched], torch.stack(goals)[matched], reduction="sum")
        wrong = cross_entropy(outputs.logits.flatten(0, 1), label.flatten(), reduction="none").view_as(label)
        hardness = wrong.detach().masked_fill(matched, -math.inf)
        rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        hard = (rank < NEGATIVES * matched.sum(1, keepdim=True).clamp(min=1)) & ~matched
        count = matched.sum().to(apart.dtype)
        return {"box": (apart, count), "classification": (wrong[matched | hard].sum(), count)}

    def _match(self, anchors: Tensor, part: Labelled) -> tuple[Tensor, Tensor]:
        """The label ``[N]`` and the shift to its box ``[N, 4]`` of each default box."""
        if not len(part.boxes):
            return part.labels.new_zeros(len(anchors)), torch.zeros_like(anchors)
        index = self.matcher(box_iou(part.boxes, anchors))
        box = index.clamp(min=0)
        label = torch.where(index >= 0, part.labels[box], 0)
        return label, self.box_coder.encode_single(part.boxes[box], anchors)

    def decode(self, outputs: AnchorOutputs) -> Tensor:
        """Candidates ``[B, N, 5 + C]``: objectness is one minus the background, a class is its share of that."""
        b, n, _ = outputs.logits.shape
        boxes = self.box_coder.decode_single(outputs.deltas.flatten(0, 1), outputs.anchors.repeat(b, 1))
        boxes = clip_boxes_to_image(boxes, outputs.size).view(b, n, 4)
        background, classes = outputs.logits[..., :1], outputs.logits[..., 1:]
        objectness = (classes.logsumexp(-1, keepdim=True) - background).sigmoid()
        sides = boxes[..., 2:] - boxes[..., :2]
        return torch.cat((boxes[..., :2] + sides / 2, sides, objectness, classes.softmax(-1)), dim=-1)

    def load_backbone(self, weights: Mapping[str, Tensor], source: object) -> None:
        """Begin with VGG16 (``vgg16`` of torchvision, or the features of the SSD paper's)."""
        names = {}
        for name in self.backbone.state_dict():
            part, _, rest = name.partition(".")
            if part == "features":
                names[name] = name
            elif name.startswith("extra.0.") and not name.startswith("extra.0.7."):  # 7: fc6 and fc7, new in SSD
                number, _, kind = rest.removeprefix("0.").partition(".")
                names[name] = f"features.{EXTRA_FROM + int(number)}.{kind}"
        take_weights(self.backbone, weights, names, "features.", kind="a VGG16", source=source)


def default_boxes(maps: Sequence[tuple[int, int]], size: tuple[int, int]) -> Tensor:
    """Corners ``[N, 4]`` in input pixels of the default boxes (Liu et al. 2016, section 2.2), map by map.

    Args:
        maps: (rows, columns) of each map.
        size: (height, width) of the input.
    """
    longer = max(size)
    boxes = []
    for number, (rows, columns) in enumerate(maps):
        scale = SCALES[number]
        pairs = [(scale, scale), (math.sqrt(scale * SCALES[number + 1]),) * 2]
        for ratio in RATIOS[number]:
            root = math.sqrt(ratio)
            pairs += [(scale * root, scale / root), (scale / root, scale * root)]
        half = torch.tensor(pairs).clamp(max=1.0) * longer / 2  # [A, 2]
        y = (torch.arange(rows) + 0.5) * (size[0] / rows)
        x = (torch.arange(columns) + 0.5) * (size[1] / columns)
        centre = torch.stack((x.expand(rows, -1), y[:, None].expand(-1, columns)), dim=-1).reshape(-1, 1, 2)
        boxes.append(torch.cat((centre - half, centre + half), dim=-1).reshape(-1, 4))
    return torch.cat(boxes)
