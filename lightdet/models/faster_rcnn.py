"""Faster R-CNN with ResNet-50 and a feature pyramid (Ren et al. 2015, Lin et al. 2017), of torchvision's parts.

Letters: B batch, P proposals of all pictures, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot, smooth_l1_loss
from torchvision.models.detection import FasterRCNN as Assembled
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import clip_boxes_to_image
from torchvision.ops.misc import FrozenBatchNorm2d

from lightdet.models.postprocess import PictureDetections, suppress
from lightdet.models.torchvision_detectors import BuiltInLossNetwork, Labelled, Losses, split_targets, take_weights

RATIOS = (0.5, 1.0, 2.0)
BETA = 1 / 9  # where the smooth L1 loss turns from a parabola to a line


class RegionOutputs(NamedTuple):
    """What `FasterRCNN.forward` returns.

    Attributes:
        proposals: of each picture, float32 ``[P_b, 4]`` corners in input pixels.
        logits: ``[P, 1 + C]``, background first.
        deltas: ``[P, 4 * (1 + C)]``, the shift of each proposal for each class.
        size: (height, width) of the input.
    """

    proposals: list[Tensor]
    logits: Tensor
    deltas: Tensor
    size: tuple[int, int]


class FasterRCNN(BuiltInLossNetwork):
    """Proposals from a feature pyramid, then class and box of each.

    Args:
        num_classes: C.
        anchor_sizes: side of the square anchors at strides 4, 8, 16, 32, 64, in input pixels.
        pretrained: the backbone will start from trained weights: its normalizations are frozen, and its first
            stages too. Otherwise all of it is trained.
        trainable_stages: how many of the backbone's five, from the last; None: three if pretrained, otherwise all.

    Attributes:
        fill_up: whether each picture's proposals are padded to their maximum number. Their number depends on the
            picture, and so does the work: counting operations needs a fixed number.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        anchor_sizes: Sequence[float],
        pretrained: bool = False,
        trainable_stages: int | None = None,
    ) -> None:
        super().__init__(num_classes)
        stages = trainable_stages if trainable_stages is not None else (3 if pretrained else 5)
        backbone = resnet_fpn_backbone(
            backbone_name="resnet50",
            weights=None,
            norm_layer=FrozenBatchNorm2d if pretrained else nn.BatchNorm2d,
            trainable_layers=stages,
        )
        sizes = tuple((float(size),) for size in anchor_sizes)
        whole = Assembled(
            backbone, num_classes + 1, rpn_anchor_generator=AnchorGenerator(sizes, (RATIOS,) * len(sizes))
        )
        self.backbone = whole.backbone
        self.rpn = whole.rpn
        self.roi_heads = whole.roi_heads
        self.fill_up = False

    def forward(self, images: Tensor, targets: Tensor | None = None) -> RegionOutputs | Losses:
        """Return raw outputs in both modes; with `targets`, the losses."""
        features = dict(self.backbone(self.normalize(images)))
        height, width = int(images.shape[2]), int(images.shape[3])
        raw_objectness, raw_shifts = self.rpn.head(list(features.values()))
        # From here on the numbers are pixels and probabilities: no half precision, except in the box head.
        with torch.autocast(images.device.type, enabled=False):
            features = {name: feature.float() for name, feature in features.items()}
            pictures = ImageList(images, [(height, width)] * len(images))
            anchors = self.rpn.anchor_generator(pictures, list(features.values()))
            levels = [o.shape[1] * o.shape[2] * o.shape[3] for o in raw_objectness]
            objectness, shifts = concat_box_prediction_layers(
                [o.float() for o in raw_objectness], [s.float() for s in raw_shifts]
            )
            found = self.rpn.box_coder.decode(shifts.detach(), anchors).view(len(images), -1, 4)
            proposals, _ = self.rpn.filter_proposals(found, objectness, pictures.image_sizes, levels)
            if self.fill_up:
                proposals = [self._filled_up(some, width, height) for some in proposals]
        if targets is None:
            logits, deltas = self._classify(features, proposals, pictures)
            return RegionOutputs(proposals, logits, deltas, (height, width))
        labelled = split_targets(targets, len(images))
        return {
            **self._proposal_losses(anchors, objectness, shifts, labelled),
            **self._box_losses(features, proposals, labelled, pictures),
        }

    def _filled_up(self, proposals: Tensor, width: int, height: int) -> Tensor:
        whole = proposals.new_tensor([0.0, 0.0, width, height])
        return torch.cat((proposals, whole.expand(self.rpn.post_nms_top_n() - len(proposals), 4)))

    def _classify(
        self, features: dict[str, Tensor], proposals: list[Tensor], pictures: ImageList
    ) -> tuple[Tensor, Tensor]:
        """Logits ``[P, 1 + C]`` and shifts ``[P, 4 * (1 + C)]`` of the proposals."""
        heads = self.roi_heads
        pooled = heads.box_roi_pool(features, proposals, pictures.image_sizes)
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        return logits.float(), deltas.float()

    def _proposal_losses(
        self, anchors: list[Tensor], objectness: Tensor, shifts: Tensor, labelled: list[Labelled]
    ) -> Losses:
        """Object or not, and the shift of the objects' anchors, over 256 drawn anchors per picture."""
        labels, boxes = self.rpn.assign_targets_to_anchors(anchors, [part.as_dict() for part in labelled])
        goals = torch.cat(self.rpn.box_coder.encode(boxes, anchors))
        positive, negative = (torch.cat(drawn).nonzero()[:, 0] for drawn in self.rpn.fg_bg_sampler(labels))
        drawn = torch.cat((positive, negative))
        count = objectness.new_tensor(float(len(drawn)))
        wrong = binary_cross_entropy_with_logits(objectness.flatten()[drawn], torch.cat(labels)[drawn], reduction="sum")
        apart = smooth_l1_loss(shifts[positive], goals[positive], beta=BETA, reduction="sum")
        return {"objectness": (wrong, count), "proposal_box": (apart, count)}

    def _box_losses(
        self, features: dict[str, Tensor], proposals: list[Tensor], labelled: list[Labelled], pictures: ImageList
    ) -> Losses:
        """The class, and the shift for it, over 512 drawn proposals per picture."""
        chosen, _, labels, goals = self.roi_heads.select_training_samples(
            proposals, [part.as_dict() for part in labelled]
        )
        logits, deltas = self._classify(features, chosen, pictures)
        label = torch.cat(labels)
        count = logits.new_tensor(float(len(label)))
        positive = label.nonzero()[:, 0]
        shifts = deltas.view(-1, self.num_classes + 1, 4)[positive, label[positive]]
        apart = smooth_l1_loss(shifts, torch.cat(goals)[positive], beta=BETA, reduction="sum")
        return {"box": (apart, count), "classification": (cross_entropy(logits, label, reduction="sum"), count)}

    def _boxes_and_scores(self, outputs: RegionOutputs) -> list[tuple[Tensor, Tensor]]:
        """For each picture, boxes ``[P_b, C, 4]`` within the input and scores ``[P_b, C]``."""
        counts = [len(proposals) for proposals in outputs.proposals]
        boxes = self.roi_heads.box_coder.decode(outputs.deltas, outputs.proposals)
        boxes = clip_boxes_to_image(boxes.reshape(-1, self.num_classes + 1, 4), outputs.size)[:, 1:]
        scores = outputs.logits.softmax(-1)[:, 1:]
        return list(zip(torch.split(boxes, counts), torch.split(scores, counts), strict=True))

    def decode(self, outputs: RegionOutputs) -> Tensor:
        """Every proposal with every class as a separate candidate, because its box differs by class.

        Objectness is the score, the class probability is 1; pictures with fewer proposals are padded with boxes of
        no size and score 0.
        """
        rows = []
        for boxes, scores in self._boxes_and_scores(outputs):
            sides = boxes[..., 2:] - boxes[..., :2]
            which = one_hot(torch.arange(self.num_classes, device=boxes.device)).to(boxes).expand(len(boxes), -1, -1)
            row = torch.cat((boxes[..., :2] + sides / 2, sides, scores[..., None], which), dim=-1)
            rows.append(row.flatten(0, 1))
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def select(
        self, outputs: RegionOutputs, *, confidence: float, iou: float, max_detections: int, agnostic: bool = False
    ) -> list[PictureDetections]:
        """Return the detections of each picture, as for every network, without the detour over `decode`."""
        results = []
        for boxes, scores in self._boxes_and_scores(outputs):
            sound = torch.isfinite(boxes).all(-1) & (scores >= confidence)  # [P_b, C]
            place, label = sound.nonzero(as_tuple=True)
            found = boxes[place, label], scores[place, label], label
            results.append(
                suppress(*found, iou=iou, max_detections=max_detections, agnostic=agnostic, floor=confidence)
            )
        return results

    def load_backbone(self, weights: Mapping[str, Tensor], source: object) -> None:
        """Start from torchvision's ResNet-50 (``resnet50``), or from a detector built on one."""
        body = self.backbone.body
        names = [name for name in body.state_dict() if not name.endswith("num_batches_tracked")]
        prefix = next((p for p in ("", "backbone.body.", "module.") if f"{p}conv1.weight" in weights), "")
        take_weights(
            body,
            weights,
            {name: f"{prefix}{name}" for name in names},
            f"{prefix}layer",
            kind="a ResNet-50",
            source=source,
        )
