"""Validation of a detector that is trained on tiles: each picture as `lightdet.inference.tiled` will see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from lightdet.arrays import Image
from lightdet.geometry.tiles import plan_tiles
from lightdet.inference.predictor import Predictor
from lightdet.inference.runtime import RawDetections
from lightdet.inference.tiled import TiledPredictor
from lightdet.models.fast_cpu import fast_cpu
from lightdet.structures import Detections, Preprocessing, Tiling
from lightdet.training.parallel import parallel_map
from lightdet.training.task import FindingTask
from lightdet.training.validation import DetectionValidation


@dataclass
class TiledValidation(DetectionValidation):
    """A split of large pictures, whose tiles' detections are joined: metrics are per picture.

    Attributes:
        confidence: the lowest score. The network's own suppression is the task's; tiles are joined as they are in use.
    """

    confidence: float = 0.001

    def __len__(self) -> int:
        """How many inputs go through the network."""
        tiles = self._tiles
        return sum(len(plan_tiles(each.size, tiles.size, tiles.overlap)) for each in self.pictures.annotations)

    @property
    def _tiles(self) -> Tiling:
        if self.pictures.tiles is None:
            raise ValueError("the pictures are whole")
        return self.pictures.tiles

    def detections(self, task: FindingTask, network: nn.Module) -> list[Detections]:
        """The detections of `network`, one result per picture, in its pixels."""
        runtime = _TrainedRuntime(task, fast_cpu(network), self)
        predictor = TiledPredictor(
            Predictor(runtime, confidence=self.confidence),
            tile=self._tiles.size,
            overlap=self._tiles.overlap,
            batch=max(1, self.batch // self.replicas),
        )

        def look(index: int) -> Detections:
            return predictor.batch([np.ascontiguousarray(self.pictures.sample(index).image)])[0]

        return parallel_map(look, range(len(self.pictures)), replicas=self.replicas)


class _TrainedRuntime:
    """The network in training, as a `lightdet.inference.runtime.Runtime`."""

    def __init__(self, task: FindingTask, network: nn.Module, validation: TiledValidation) -> None:
        pictures = validation.pictures
        self.task, self.network = task, network
        self.names = tuple(validation.names)
        self.preprocessing = Preprocessing(pictures.imgsz, pad_value=validation.pad_value, bit_depth=pictures.bit_depth)
        self.milliseconds: Mapping[str, float] = {}

    def __call__(self, batch: Image) -> list[RawDetections]:
        """The boxes in each tile."""
        found: Any = self.task.predict(self.network, torch.from_numpy(batch).permute(0, 3, 1, 2))
        return [tuple(part.cpu().numpy() for part in picture) for picture in found]
