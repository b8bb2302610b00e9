"""What torchvision's detectors share here: their parts with the interface of our own networks.

torchvision's own models resize, normalize, run NMS, and return different things depending on their mode. Here their
parts are assembled differently: our letterbox is the only resizing, all networks share one post-processing, and
`forward` gives raw outputs in both modes. As these networks' losses need their internals (proposals, matches of
boxes that depend on the input's size), ``forward(images, targets)`` returns the losses: one module to distribute.

Letters: B batch, N candidates, C classes; labels inside are 1 to C, 0 is the background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lightdet.errors import UserError
from lightdet.models.detector import DetectionNetwork

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of red, green and blue that torchvision's classifiers were trained with."""
CAFFE = ((0.48235, 0.45882, 0.40784), (1 / 255, 1 / 255, 1 / 255))
"""Those that the VGG16 of the SSD paper was trained with."""

Losses = dict[str, tuple[Tensor, Tensor]]
"""Each loss as its sum over the batch and the count to divide by, both 0-d: counts add up over processes."""


@dataclass(frozen=True)
class Labelled:
    """The boxes of one picture: float32 ``[M, 4]`` corners in input pixels, int64 ``[M]`` labels from 1."""

    boxes: Tensor
    labels: Tensor

    def as_dict(self) -> dict[str, Tensor]:
        """As torchvision's parts expect it."""
        return {"boxes": self.boxes, "labels": self.labels}


class BuiltInLossNetwork(DetectionNetwork):
    """A network that computes its own loss.

    ``forward(images)`` returns raw outputs, whatever the mode; ``forward(images, targets)`` returns `Losses`.

    Args:
        num_classes: C.
        normalization: mean and standard deviation of the channels, applied inside the network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_classes: int, normalization: tuple[Sequence[float], Sequence[float]] = IMAGENET) -> None:
        super().__init__()
        self.num_classes = num_classes
        for name, values in zip(("mean", "std"), normalization, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Any:
        """Return raw outputs, or with ``targets [M, 6]`` (image, class, x1, y1, x2, y2 in input pixels) `Losses`."""
        raise NotImplementedError

    def load_backbone(self, weights: Mapping[str, Tensor], source: object) -> None:
        """Start from a classifier's trained weights; `source` is named in errors.

        Raises:
            UserError: they are another network's.
        """
        raise NotImplementedError

    def normalize(self, images: Tensor) -> Tensor:
        """``[B, 3, H, W]`` in 0-1 → the backbone's input."""
        return (images - self.mean) / self.std


def split_targets(targets: Tensor, pictures: int) -> list[Labelled]:
    """``[M, 6]`` image, class, x1, y1, x2, y2 → the boxes of each picture; boxes without area are left out."""
    targets = targets[(targets[:, 4:] > targets[:, 2:4]).all(-1)]
    image = targets[:, 0].long()
    parts = [targets[image == number] for number in range(pictures)]
    return [Labelled(part[:, 2:].float(), part[:, 1].long() + 1) for part in parts]


def take_weights(
    module: torch.nn.Module,
    weights: Mapping[str, Tensor],
    names: Mapping[str, str],
    extra: str,
    *,
    kind: str,
    source: object,
) -> None:
    """Copy ``weights[names[own]]`` to each own parameter or statistic of `module`.

    Args:
        names: the file's name for each of the module's.
        extra: names in the file with this prefix must all be used; otherwise the file is for a larger network.
        kind: what the file should hold, for errors.
        source: the file.

    Raises:
        UserError: something is missing, unexpected, of another shape or not a number.
    """
    wanted = set(names.values())
    own = module.state_dict()
    for mine, theirs in names.items():
        value = weights.get(theirs)
        if value is None:
            raise UserError(f"holds no weights of {kind}: '{theirs}' is missing", path=str(source))
        if value.shape != own[mine].shape:
            shapes = f"{list(value.shape)} instead of {list(own[mine].shape)}"
            raise UserError(f"holds no weights of {kind}: '{theirs}' is {shapes}", path=str(source))
        if not torch.isfinite(value).all():
            raise UserError(f"'{theirs}' holds values that are not numbers", path=str(source))
    others = (name for name in weights if name.startswith(extra) and not name.endswith("num_batches_tracked"))
    surplus = next((name for name in others if name not in wanted), None)
    if surplus is not None:
        raise UserError(f"holds another network than {kind}: '{surplus}' does not belong to it", path=str(source))
    with torch.no_grad():
        for mine, theirs in names.items():
            own[mine].copy_(weights[theirs])
