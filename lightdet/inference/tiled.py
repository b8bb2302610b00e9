"""Large pictures tile by tile, so that small defects keep their pixels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from lightdet.decisions import DecisionRule
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import Promise
from lightdet.errors import UserError
from lightdet.geometry.tile_merge import MERGE_VERSION, WEAKEST, cut_sides, merge_tiles
from lightdet.geometry.tiles import Tile, plan_tiles
from lightdet.inference.inputs import ImageLike, check_several, to_picture
from lightdet.inference.predictor import Predictor
from lightdet.inference.results import DetectionResult, origin_of
from lightdet.inference.runtime import Runtime
from lightdet.inference.wrapped import WrappedPredictor
from lightdet.structures.scores import raw_floor, reaches

MAX_TILES = 20_000
OVERLAP = 0.2
TILE_IOU = 0.5
TILED_DETECTIONS = 1000
"""Default for the most boxes per picture in tiles: such a picture is larger than a network's input."""
MARGIN = 0.01
"""A box that ends within this share of the tile's side from its border counts as cut by it."""


class TiledPredictor(WrappedPredictor[Predictor]):
    """A `Predictor` that runs on overlapping tiles of each picture and joins the results.

    Each tile is letterboxed to the network's input, so a `tile` of the input's own size keeps the picture's
    own pixels. An object no larger than the overlap is complete in some tile; pieces of larger ones are joined
    (`lightdet.geometry.tile_merge.merge_tiles`). For a picture within one tile the result is the predictor's own.

    What is found from the predictor's `confidence` on does not depend on it: the tiles are joined with all boxes that
    can belong to such an object, as far down as the runtime knows any.

    Args:
        predictor: runs on each tile.
        tile: side of a tile in pixels of the picture, at least 32.
        overlap: smallest share of the side that neighbouring tiles have in common, in [0, 0.9].
        batch: tiles that go through the network together.
        iou: threshold of the suppression between tiles.
        max_detections: most boxes per picture.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        tile: int,
        overlap: float = OVERLAP,
        batch: int = 8,
        iou: float = TILE_IOU,
        max_detections: int = TILED_DETECTIONS,
    ) -> None:
        if tile < 32:
            raise UserError(f"a tile must be at least 32 pixels per side, got {tile}")
        if not 0.0 <= overlap <= 0.9:
            raise UserError(f"the tiles' overlap is a share of their side and must lie in 0-0.9, got {overlap}")
        if batch < 1:
            raise UserError(f"a batch must hold at least one tile, got {batch}")
        if max_detections < 1:  # every part would pass for good
            raise UserError(f"max_detections must be at least 1, got {max_detections}")
        super().__init__(predictor)
        self._of_a_tile = predictor.reporting(raw_floor(WEAKEST * raw_floor(predictor.confidence)))
        self.tile = tile
        self.overlap = overlap
        self.batch_size = batch
        self.iou = iou
        self.max_detections = max_detections

    @cached_property
    def conditions(self) -> Conditions:
        """What decides, beside the picture, what is found."""
        return replace(
            self.predictor.conditions,
            tile=self.tile,
            overlap=self.overlap,
            tile_iou=self.iou,
            tile_detections=self.max_detections,
            tile_merge=MERGE_VERSION,
        )

    @cached_property
    def rule(self) -> DecisionRule | None:
        """The model's calibrated rule; None if it has none.

        Raises:
            UserError: it is damaged, or was calibrated under other conditions.
        """
        return self.rule_under(self.conditions)

    @property
    def promise(self) -> Promise:
        """What verdicts by `rule` promise.

        Raises:
            UserError: as `rule`.
        """
        return self.predictor.card_decision.promise(lambda: self.conditions)

    def with_runtime(self, runtime: Runtime) -> TiledPredictor:
        """Return the same predictor around another runtime of the same network."""
        return TiledPredictor(
            self.predictor.with_runtime(runtime),
            tile=self.tile,
            overlap=self.overlap,
            batch=self.batch_size,
            iou=self.iou,
            max_detections=self.max_detections,
        )

    @property
    def confidence(self) -> float:
        """The lowest score reported, in [0, 1]."""
        return self.predictor.confidence

    def batch(self, images: Sequence[ImageLike]) -> list[DetectionResult]:
        """Return the detections in each picture, one after the other.

        Raises:
            UserError: as for one picture; one picture where several are expected.
        """
        check_several(images)
        return [self._look(image, keep=False) for image in images]

    def __call__(self, image: ImageLike) -> DetectionResult:
        """Return the detections in one picture; `Detections.milliseconds` are sums over its tiles.

        Raises:
            UserError: as `Predictor`; a picture that would need more than 20 000 tiles.
        """
        return self._look(image, keep=True)

    def _look(self, image: ImageLike, *, keep: bool) -> DetectionResult:
        start = time.perf_counter()
        picture = to_picture(image, bit_depth=self.predictor.preprocessing.bit_depth)
        read = (time.perf_counter() - start) * 1e3
        size = (picture.shape[1], picture.shape[0])
        tiles = plan_tiles(size, self.tile, self.overlap)
        if len(tiles) > MAX_TILES:
            raise UserError(
                f"{len(tiles)} tiles of {self.tile} pixels for a picture of {size[0]} x {size[1]}: take larger tiles "
                "or less overlap"
            )
        found: list[DetectionResult] = []
        for first in range(0, len(tiles), self.batch_size):
            group = tiles[first : first + self.batch_size]
            found += self._of_a_tile.batch([picture[t.y : t.y + t.height, t.x : t.x + t.width] for t in group])
        milliseconds: dict[str, float] = {} if isinstance(image, np.ndarray) else {"read": read}
        for detections in found:
            for stage, value in detections.milliseconds.items():
                milliseconds[stage] = milliseconds.get(stage, 0.0) + value
        joined = self._join(tiles, found, size, milliseconds)
        merged = joined.only(reaches(joined.scores, self.confidence))
        return replace(merged, origin=origin_of(self, image, keep=keep))

    def _join(
        self,
        tiles: Sequence[Tile],
        found: Sequence[DetectionResult],
        size: tuple[int, int],
        milliseconds: dict[str, float],
    ) -> DetectionResult:
        if len(tiles) == 1:
            return replace(found[0], size=size, milliseconds=milliseconds)
        start = time.perf_counter()
        margin = max(2.0, MARGIN * self.tile)
        moved = [d.boxes + np.array([t.x, t.y] * 2, np.float32) for t, d in zip(tiles, found, strict=True)]
        boxes, scores, labels = merge_tiles(
            np.concatenate(moved),
            np.concatenate([d.scores for d in found]),
            np.concatenate([d.labels for d in found]),
            np.concatenate([cut_sides(b, t, size, margin) for b, t in zip(moved, tiles, strict=True)]),
            iou=self.iou,
            margin=margin,
            max_detections=self.max_detections,
            agnostic=self.predictor.agnostic,
        )
        elapsed = (time.perf_counter() - start) * 1e3
        milliseconds["postprocess"] = milliseconds.get("postprocess", 0.0) + elapsed
        return DetectionResult(boxes, scores, labels, self.names, size, milliseconds)
