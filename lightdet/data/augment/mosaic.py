"""Mosaic: four pictures around a random point of a canvas of twice the side (Bochkovskiy 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lightdet.arrays import AnyArray, FloatArray, Image, IntArray
from lightdet.data.augment.affine import AffineRange, by_index, draw_matrix, filter_boxes, map_boxes, shift, warp
from lightdet.data.augment.gray import as_rgb, gray_plane, stored
from lightdet.structures import Sample


@dataclass(frozen=True)
class Tile:
    """A picture with its corner (x, y) on the canvas; the part from left, top to right, bottom is visible."""

    image: Image
    x: int
    y: int
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Layout:
    """Where the pictures lie on a canvas of twice `side`, with all boxes, clipped and filtered."""

    side: int
    tiles: tuple[Tile, ...]
    boxes: FloatArray
    labels: IntArray


def lay_out(samples: Sequence[Sample], side: int, rng: np.random.Generator) -> Layout:
    """Draw the point at which four samples (each at most `side` per side) meet, and place them around it."""
    if len(samples) != 4:
        raise ValueError(f"a mosaic needs four samples, got {len(samples)}")
    meet_x, meet_y = (int(rng.integers(side // 2, side * 3 // 2 + 1)) for _ in range(2))
    tiles: list[Tile] = []
    boxes: list[FloatArray] = [np.zeros((0, 4), np.float32)]
    labels: list[IntArray] = [np.zeros(0, np.int64)]
    for place, sample in enumerate(samples):
        height, width = sample.image.shape[:2]
        # Corner of the picture on the canvas: its inner corner touches the meeting point.
        x = meet_x - width if place % 2 == 0 else meet_x
        y = meet_y - height if place < 2 else meet_y
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, 2 * side), min(y + height, 2 * side)
        if right <= left or bottom <= top:
            continue
        tiles.append(Tile(sample.image, x, y, left, top, right, bottom))
        moved = sample.boxes + np.array([x, y, x, y], dtype=np.float32)
        limits = np.array([left, top, right, bottom], dtype=np.float32)
        clipped = np.clip(moved, limits[[0, 1, 0, 1]], limits[[2, 3, 2, 3]]).astype(np.float32)
        kept = filter_boxes(moved, clipped)
        boxes.append(clipped[kept])
        labels.append(sample.labels[kept])
    return Layout(side, tuple(tiles), np.concatenate(boxes), np.concatenate(labels))


def paint(layout: Layout, pad_value: int) -> Image:
    """The canvas of twice the side."""
    canvas = _blank(layout, 2 * layout.side, pad_value)
    for tile in layout.tiles:
        part = tile.image[tile.top - tile.y : tile.bottom - tile.y, tile.left - tile.x : tile.right - tile.x]
        canvas[tile.top : tile.bottom, tile.left : tile.right] = part if canvas.ndim == 3 else part[..., 0]
    return as_rgb(canvas)


def mosaic(samples: Sequence[Sample], side: int, rng: np.random.Generator, *, pad_value: int = 114) -> Sample:
    """Join four samples (each at most `side` per side) into one of ``2 * side``; boxes are clipped and filtered."""
    layout = lay_out(samples, side, rng)
    return Sample(paint(layout, pad_value), layout.boxes, layout.labels)


def mosaic_affine(
    samples: Sequence[Sample], side: int, limits: AffineRange, rng: np.random.Generator, *, pad_value: int = 114
) -> Sample:
    """A mosaic of four, then a random affine map to `side` per side.

    Without rotation and shear each picture is drawn straight into its rectangle of the result: what falls outside is
    never touched. Only pixels on the seams differ from those of the whole canvas warped.
    """
    layout = lay_out(samples, side, rng)
    matrix = draw_matrix(2 * side, 2 * side, side, limits, rng)
    upright = matrix[0, 1] == 0 and matrix[1, 0] == 0
    image = (
        _draw_tiles(layout, matrix, pad_value) if upright else warp(paint(layout, pad_value), matrix, side, pad_value)
    )
    boxes, labels = map_boxes(layout.boxes, layout.labels, matrix, side)
    return Sample(image, boxes, labels)


def _draw_tiles(layout: Layout, matrix: AnyArray, pad_value: int) -> Image:
    """Draw each tile by an upright map into the pixels whose centres it covers."""
    result = _blank(layout, layout.side, pad_value)
    for tile in layout.tiles:
        x1, x2 = (_first_pixel(matrix[0, 0] * at + matrix[0, 2], layout.side) for at in (tile.left, tile.right))
        y1, y2 = (_first_pixel(matrix[1, 1] * at + matrix[1, 2], layout.side) for at in (tile.top, tile.bottom))
        if x2 <= x1 or y2 <= y1:
            continue
        own = shift(-x1, -y1) @ by_index(matrix @ shift(tile.x, tile.y))
        part = cv2.warpAffine(
            stored(tile.image), own[:2], (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        result[y1:y2, x1:x2] = part if part.ndim == result.ndim else part[..., None]
    return as_rgb(result)


def _first_pixel(place: float, side: int) -> int:
    """The first pixel whose centre lies at or after `place`, within the picture."""
    return min(max(math.ceil(place - 0.5), 0), side)


def _blank(layout: Layout, side: int, pad_value: int) -> AnyArray:
    """A square to draw on: one plane if every tile is gray."""
    gray = all(gray_plane(tile.image) is not None for tile in layout.tiles)
    return np.full((side, side) if gray else (side, side, 3), pad_value, dtype=np.uint8)
