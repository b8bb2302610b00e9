"""The letterbox, the one way from a picture to network input: scale, centre, pad. Shared by training and deployment."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lightdet.arrays import FloatArray, Image


@dataclass(frozen=True)
class LetterboxTransform:
    """The affine map of one letterbox: ``input = original * scale + offset`` by axis.

    `scale_x` and `scale_y` differ only by the rounding of the scaled picture to whole pixels.
    """

    scale_x: float
    scale_y: float
    offset_x: int
    offset_y: int

    def apply(self, boxes: FloatArray) -> FloatArray:
        """``[N, 4]`` boxes in original pixels → input pixels."""
        scale = np.array([self.scale_x, self.scale_y] * 2, dtype=np.float32)
        offset = np.array([self.offset_x, self.offset_y] * 2, dtype=np.float32)
        return (boxes * scale + offset).astype(np.float32)

    def invert(self, boxes: FloatArray) -> FloatArray:
        """``[N, 4]`` boxes in input pixels → original pixels, not clipped."""
        scale = np.array([self.scale_x, self.scale_y] * 2, dtype=np.float32)
        offset = np.array([self.offset_x, self.offset_y] * 2, dtype=np.float32)
        return ((boxes - offset) / scale).astype(np.float32)


def plan_letterbox(
    size: tuple[int, int], target: tuple[int, int], *, upscale: bool = True
) -> tuple[LetterboxTransform, tuple[int, int]]:
    """Fit a picture of `size` (width, height) into `target` (width, height), centred.

    Returns the transform and the scaled size (width, height) before padding.
    """
    ratio = min(target[0] / size[0], target[1] / size[1])
    if not upscale:
        ratio = min(ratio, 1.0)
    width = min(target[0], max(1, round(size[0] * ratio)))
    height = min(target[1], max(1, round(size[1] * ratio)))
    offset_x, offset_y = (target[0] - width) // 2, (target[1] - height) // 2
    return LetterboxTransform(width / size[0], height / size[1], offset_x, offset_y), (width, height)


def rectangle_for(size: tuple[int, int], imgsz: int, stride: int = 32) -> tuple[int, int]:
    """The smallest (width, height) in multiples of `stride` that holds `size` scaled to fit `imgsz`."""
    ratio = imgsz / max(size)
    return tuple(max(stride, -(-max(1, round(side * ratio)) // stride) * stride) for side in size)  # type: ignore[return-value]


def resize(image: Image, size: tuple[int, int]) -> Image:
    """Scale ``[H, W, 3]`` to (width, height): area averaging when shrinking, bilinear when growing."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    shrinks = size[0] < width or size[1] < height
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def letterbox(
    image: Image, target: tuple[int, int], *, pad_value: int = 114, upscale: bool = True
) -> tuple[Image, LetterboxTransform]:
    """Scale ``[H, W, 3]`` to fit `target` (width, height), pad with gray; returns the picture and its map."""
    transform, scaled = plan_letterbox((image.shape[1], image.shape[0]), target, upscale=upscale)
    resized = resize(image, scaled)
    if scaled == target:
        return np.ascontiguousarray(resized), transform
    canvas = np.full((target[1], target[0], 3), pad_value, dtype=np.uint8)
    x, y = transform.offset_x, transform.offset_y
    canvas[y : y + scaled[1], x : x + scaled[0]] = resized
    return canvas, transform
