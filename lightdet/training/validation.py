"""What the trainer needs from a validation, and the validation of detectors on a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from lightdet.arrays import Image
from lightdet.data.pictures import Pictures
from lightdet.evaluation.average_precision import evaluate
from lightdet.evaluation.report.markup import Markup
from lightdet.geometry.boxes import clip_boxes
from lightdet.geometry.letterbox import letterbox, plan_letterbox
from lightdet.models.fast_cpu import fast_cpu
from lightdet.models.postprocess import PictureDetections
from lightdet.structures import Detections
from lightdet.training.best_and_worst import validation_pictures
from lightdet.training.board_pictures import detection_sheet
from lightdet.training.parallel import parallel_map
from lightdet.training.task import FindingTask

COLUMNS = ("precision", "recall", "map50", "map75", "map50_95")


@dataclass(frozen=True)
class Scored:
    """The result of a validation.

    Attributes:
        best_by: the number by which the best epoch is chosen; more is better. None if the split has nothing to
            measure it on: then the last epoch is used.
        columns: the numbers for results.csv and TensorBoard; None if a number does not exist.
        metrics: all metrics, as plain values for the JSON and the model's card.
        draw: makes a sheet of pictures for TensorBoard, uint8 ``[H, W, 3]``.
        pictures: draws the best and the worst pictures for the page; None if there are none.
    """

    best_by: float | None
    columns: Mapping[str, float | None]
    metrics: dict[str, Any]
    draw: Callable[[], Image]
    pictures: Callable[[], Markup | None]


class Validation(Protocol):
    """Pictures to score a network on."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def score(self, task: Any, network: nn.Module) -> Scored:
        """Score `network` (the averaged one), in evaluation mode, as the `task` of the same kind uses it."""


@dataclass
class DetectionValidation:
    """A split to score a network on; pictures are letterboxed to squares, as in the predictor.

    Attributes:
        pictures: the split.
        names: class names.
        batch: pictures per batch, over all replicas.
        pad_value: letterbox gray.
        replicas: threads that process batches in parallel.
    """

    pictures: Pictures
    names: Sequence[str]
    batch: int = 16
    pad_value: int = 114
    replicas: int = 1

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.pictures)

    def detections(self, task: FindingTask, network: nn.Module) -> list[Detections]:
        """The detections of `network`, one result per picture, in pixels of the original picture."""
        network = fast_cpu(network)
        side, share = self.pictures.imgsz, max(1, self.batch // self.replicas)

        def look(start: int) -> list[Detections]:
            numbers = range(start, min(start + share, len(self.pictures)))
            images = [
                letterbox(self.pictures.sample(i).image, (side, side), pad_value=self.pad_value)[0] for i in numbers
            ]
            batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
            found = task.predict(network, batch)
            return [self._to_picture(i, picture) for i, picture in zip(numbers, found, strict=True)]

        parts = parallel_map(look, range(0, len(self.pictures), share), replicas=self.replicas)
        return [picture for part in parts for picture in part]

    def _to_picture(self, index: int, found: PictureDetections) -> Detections:
        boxes, scores, labels = (part.cpu().numpy() for part in found)
        size = self.pictures.annotations[index].size
        side = self.pictures.imgsz
        transform, _ = plan_letterbox(size, (side, side))
        return Detections(
            clip_boxes(transform.invert(boxes), *size),
            scores.astype(np.float32),
            labels.astype(np.int64),
            tuple(self.names),
            size,
        )

    def score(self, task: FindingTask, network: nn.Module) -> Scored:
        """Average precision and related metrics."""
        found = self.detections(task, network)
        metrics = evaluate(found, self.pictures.annotations, self.names)
        columns = {name: getattr(metrics, name) for name in COLUMNS}
        draw = partial(detection_sheet, self.pictures, found)
        shown = partial(validation_pictures, self.pictures, found, metrics, self.names)
        return Scored(metrics.map50_95, columns, metrics.as_dict(), draw, shown)
