"""The validation split through the network, scored by `lightdet.evaluation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lightdet.data.pictures import Pictures
from lightdet.evaluation.average_precision import evaluate
from lightdet.evaluation.metrics import Metrics
from lightdet.geometry.boxes import clip_boxes
from lightdet.geometry.letterbox import letterbox, plan_letterbox
from lightdet.models.postprocess import PictureDetections
from lightdet.structures import Detections
from lightdet.training.task import Task


@dataclass
class Validation:
    """A split to score a network on; pictures are letterboxed to squares, as the predictor does.

    Attributes:
        pictures: the split.
        names: class names.
        batch: pictures at a time.
        pad_value: letterbox gray.
    """

    pictures: Pictures
    names: Sequence[str]
    batch: int = 16
    pad_value: int = 114

    def detections(self, task: Task, network: nn.Module) -> list[Detections]:
        """What `network` finds, one result a picture, in pixels of the original picture."""
        results = []
        side = self.pictures.imgsz
        for start in range(0, len(self.pictures), self.batch):
            numbers = range(start, min(start + self.batch, len(self.pictures)))
            images = [
                letterbox(self.pictures.sample(i).image, (side, side), pad_value=self.pad_value)[0] for i in numbers
            ]
            batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
            found = task.predict(network, batch)
            results += [self._to_picture(i, picture) for i, picture in zip(numbers, found, strict=True)]
        return results

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

    def score(self, task: Task, network: nn.Module) -> tuple[Metrics, list[Detections]]:
        """Average precision and its company, in evaluation mode, and the detections they were taken from."""
        found = self.detections(task, network)
        return evaluate(found, self.pictures.annotations, self.names), found
