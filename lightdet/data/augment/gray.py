"""Gray pictures as a single plane until the end: a third of the work, the same pixels.

A gray picture is passed on as an RGB view of its single plane (the last stride is 0); changes that treat all channels
alike work on the plane.
"""

from __future__ import annotations

import cv2
import numpy as np

from lightdet.arrays import AnyArray, Image


def gray_plane(image: Image) -> AnyArray | None:
    """The single plane ``[H, W]`` behind an RGB view ``[H, W, 3]``, or None if the channels are stored separately."""
    return image[..., 0] if image.strides[2] == 0 else None


def as_rgb(pixels: AnyArray) -> Image:
    """``[H, W]`` seen as ``[H, W, 3]`` without a copy; ``[H, W, 3]`` as it is."""
    return pixels if pixels.ndim == 3 else np.broadcast_to(pixels[..., None], (*pixels.shape, 3))


def stored(image: Image) -> AnyArray:
    """What is actually stored: the plane ``[H, W]`` of a gray view, otherwise the picture itself."""
    plane = gray_plane(image)
    return image if plane is None else plane


def solid(image: Image) -> Image:
    """The picture ``[H, W, 3]`` in its own memory, as libraries need it."""
    plane = gray_plane(image)
    if plane is None:
        return np.ascontiguousarray(image)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(plane), cv2.COLOR_GRAY2RGB), dtype=np.uint8)
