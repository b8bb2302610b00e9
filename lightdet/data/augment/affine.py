"""Rotation, scale, shear and shift in one warp, and which boxes survive it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lightdet.arrays import AnyArray, BoolArray, FloatArray, Image, IntArray
from lightdet.data.augment.gray import as_rgb, stored
from lightdet.structures import Sample

MIN_SIDE = 2.0
MIN_VISIBLE = 0.15
MAX_ASPECT = 60.0


@dataclass(frozen=True)
class AffineRange:
    """How far a random affine map may go: degrees, shares of the side, factor ``1 ± scale``, shear degrees."""

    degrees: float = 0.0
    translate: float = 0.1
    scale: float = 0.5
    shear: float = 0.0


def random_affine(
    sample: Sample,
    side: int,
    limits: AffineRange,
    rng: np.random.Generator,
    *,
    pad_value: int = 114,
    mirror: bool = False,
) -> Sample:
    """Map `sample` (any size) about its centre onto a square of `side` pixels; boxes are clipped and filtered."""
    height, width = sample.image.shape[:2]
    matrix = draw_matrix(width, height, side, limits, rng)
    boxes, labels = map_boxes(sample.boxes, sample.labels, matrix, side)
    return Sample(warp(sample.image, matrix, side, pad_value, mirror=mirror), boxes, labels)


def warp(image: Image, matrix: AnyArray, side: int, pad_value: int, *, mirror: bool = False) -> Image:
    """Map a picture by `matrix` (``[3, 3]``, continuous pixels) onto a square of `side`.

    Outside the picture the result has `pad_value`, or with `mirror` the picture's mirror image.
    """
    pixels = stored(image)
    pad = (pad_value,) * 3
    border = cv2.BORDER_REFLECT_101 if mirror else cv2.BORDER_CONSTANT
    warped = cv2.warpAffine(
        pixels, by_index(matrix)[:2], (side, side), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=pad
    )
    return as_rgb(np.asarray(warped, dtype=np.uint8))


def by_index(matrix: AnyArray) -> AnyArray:
    """The map of pixel indices for a map of positions: pixel centres are at +0.5, and cv2 counts from the centres."""
    return np.asarray(shift(-0.5, -0.5) @ matrix @ shift(0.5, 0.5))


def map_boxes(boxes: FloatArray, labels: IntArray, matrix: AnyArray, side: int) -> tuple[FloatArray, IntArray]:
    """Map ``[N, 4]`` boxes, clip them to the square and drop those of which too little is left."""
    moved = _move_boxes(boxes, matrix)
    clipped = np.clip(moved, 0, side).astype(np.float32)
    kept = filter_boxes(moved, clipped)
    return clipped[kept], labels[kept]


def draw_matrix(width: int, height: int, side: int, limits: AffineRange, rng: np.random.Generator) -> AnyArray:
    """Draw a map ``[3, 3]`` from a picture's pixels to those of a square of `side`, about the centres of both."""
    angle = math.radians(rng.uniform(-limits.degrees, limits.degrees))
    factor = rng.uniform(1 - limits.scale, 1 + limits.scale)
    shear_x, shear_y = (math.tan(math.radians(rng.uniform(-limits.shear, limits.shear))) for _ in range(2))
    shift_x, shift_y = (rng.uniform(0.5 - limits.translate, 0.5 + limits.translate) * side for _ in range(2))
    to_centre = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    turn = np.array(
        [
            [factor * math.cos(angle), factor * math.sin(angle), 0],
            [-factor * math.sin(angle), factor * math.cos(angle), 0],
            [0, 0, 1],
        ]
    )
    slant = np.array([[1, shear_x, 0], [shear_y, 1, 0], [0, 0, 1]])
    return np.asarray(shift(shift_x, shift_y) @ slant @ turn @ to_centre)


def shift(x: float, y: float) -> AnyArray:
    """The map ``[3, 3]`` that moves by (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _move_boxes(boxes: FloatArray, matrix: AnyArray) -> FloatArray:
    """The upright boxes around the mapped corners of ``[N, 4]`` boxes."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    mapped = corners @ matrix[:2, :2].T + matrix[:2, 2]
    return np.concatenate((mapped.min(axis=1), mapped.max(axis=1)), axis=1).astype(np.float32)


def filter_boxes(moved: FloatArray, clipped: FloatArray) -> BoolArray:
    """Which ``[N, 4]`` boxes are still worth learning after clipping to the picture."""
    sides = clipped[:, 2:] - clipped[:, :2]
    area = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
    short, long = sides.min(axis=1), sides.max(axis=1)
    return np.asarray(
        (short >= MIN_SIDE) & (sides.prod(axis=1) > MIN_VISIBLE * area) & (long < MAX_ASPECT * np.maximum(short, 1e-6))
    )
