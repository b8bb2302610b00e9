"""Rotation, scale, shear and shift in one warp, and which boxes survive it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lightdet.arrays import AnyArray, BoolArray, FloatArray
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
    sample: Sample, side: int, limits: AffineRange, rng: np.random.Generator, *, pad_value: int = 114
) -> Sample:
    """Map `sample` (any size) about its centre onto a square of `side` pixels; boxes are cut and filtered."""
    height, width = sample.image.shape[:2]
    matrix = _draw_matrix(width, height, side, limits, rng)
    # Boxes are continuous and pixel centres lie at +0.5, while cv2 puts pixel centres at whole numbers.
    by_index = _shift(-0.5) @ matrix @ _shift(0.5)
    image = cv2.warpAffine(
        sample.image, by_index[:2], (side, side), flags=cv2.INTER_LINEAR, borderValue=(pad_value,) * 3
    )
    moved = _move_boxes(sample.boxes, matrix)
    clipped = np.clip(moved, 0, side).astype(np.float32)
    kept = filter_boxes(moved, clipped)
    return Sample(np.asarray(image, dtype=np.uint8), clipped[kept], sample.labels[kept])


def _draw_matrix(width: int, height: int, side: int, limits: AffineRange, rng: np.random.Generator) -> AnyArray:
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
    shift = np.array([[1, 0, shift_x], [0, 1, shift_y], [0, 0, 1]])
    return np.asarray(shift @ slant @ turn @ to_centre)


def _shift(by: float) -> AnyArray:
    return np.array([[1, 0, by], [0, 1, by], [0, 0, 1]])


def _move_boxes(boxes: FloatArray, matrix: AnyArray) -> FloatArray:
    """The upright boxes around the mapped corners of ``[N, 4]`` boxes."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    mapped = corners @ matrix[:2, :2].T + matrix[:2, 2]
    return np.concatenate((mapped.min(axis=1), mapped.max(axis=1)), axis=1).astype(np.float32)


def filter_boxes(moved: FloatArray, clipped: FloatArray) -> BoolArray:
    """Which ``[N, 4]`` boxes are still worth learning after being cut to the picture."""
    sides = clipped[:, 2:] - clipped[:, :2]
    area = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
    short, long = sides.min(axis=1), sides.max(axis=1)
    return np.asarray(
        (short >= MIN_SIDE) & (sides.prod(axis=1) > MIN_VISIBLE * area) & (long < MAX_ASPECT * np.maximum(short, 1e-6))
    )
