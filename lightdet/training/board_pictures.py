"""Sheets of pictures for TensorBoard: what the network is shown, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightdet.arrays import Image
from lightdet.data.pictures import Pictures
from lightdet.drawing import class_color, draw_boxes, draw_detections
from lightdet.geometry.letterbox import letterbox, plan_letterbox, resize
from lightdet.structures import Batch, Detections

SHOWN = 8
COLUMNS = 4
TILE = 320
"""Side in pixels of a picture on a sheet."""
MIN_SCORE = 0.25


def batch_sheet(batch: Batch, names: Sequence[str]) -> Image:
    """The first pictures of a training batch with their boxes, side by side."""
    tiles = []
    targets = batch.targets.numpy()
    for number, image in enumerate(batch.images[:SHOWN]):
        rows = targets[targets[:, 0] == number]
        labels = rows[:, 1].astype(int)
        tiles.append(
            draw_boxes(
                tile(image.permute(1, 2, 0).numpy()),
                rows[:, 2:].astype(np.float32) * np.float32(TILE / image.shape[-1]),
                [names[label] for label in labels],
                [class_color(label) for label in labels],
            )
        )
    return sheet(tiles)


def detection_sheet(pictures: Pictures, detections: Sequence[Detections]) -> Image:
    """The first pictures of a split with what was found above a score of 0.25, side by side."""
    side = pictures.imgsz
    tiles = []
    for index in range(min(SHOWN, len(pictures))):
        image, _ = letterbox(np.ascontiguousarray(pictures.sample(index).image), (side, side))
        found = detections[index].above(MIN_SCORE)
        transform, _ = plan_letterbox(found.size, (TILE, TILE))
        placed = Detections(transform.apply(found.boxes), found.scores, found.labels, found.names, (TILE, TILE))
        tiles.append(draw_detections(tile(image), placed))
    return sheet(tiles)


def tile(image: Image) -> Image:
    """A square picture, uint8 ``[S, S, 3]``, at its size on a sheet."""
    return resize(np.ascontiguousarray(image), (TILE, TILE))


def sheet(tiles: Sequence[Image]) -> Image:
    """Equal tiles in rows of four; the last row is filled with gray."""
    rows = []
    for start in range(0, len(tiles), COLUMNS):
        row = list(tiles[start : start + COLUMNS])
        row += [np.full_like(tiles[0], 114)] * (min(COLUMNS, len(tiles)) - len(row))
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows, axis=0)
