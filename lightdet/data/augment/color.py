"""Random hue, saturation and brightness."""

from __future__ import annotations

import cv2
import numpy as np

from lightdet.arrays import Image
from lightdet.data.augment.gray import as_rgb, gray_plane


def jitter_hsv(image: Image, hue: float, saturation: float, value: float, rng: np.random.Generator) -> Image:
    """Scale hue, saturation and value of RGB uint8 by random factors within ``1 ± gain``; a new picture."""
    factors = 1 + rng.uniform(-1, 1, size=3) * np.array([hue, saturation, value])
    levels = np.arange(256)
    by_value = np.clip(levels * factors[2], 0, 255).astype(np.uint8)
    plane = gray_plane(image)
    if plane is not None:
        # Gray has neither hue nor saturation; scaling it gives the same result without two colour conversions.
        return as_rgb(np.asarray(cv2.LUT(np.ascontiguousarray(plane), by_value), dtype=np.uint8))
    if _is_gray(image):
        return np.asarray(cv2.LUT(image, by_value), dtype=np.uint8)
    h, s, v = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    by_hue = ((levels * factors[0]) % 180).astype(np.uint8)
    by_saturation = np.clip(levels * factors[1], 0, 255).astype(np.uint8)
    changed = cv2.merge((cv2.LUT(h, by_hue), cv2.LUT(s, by_saturation), cv2.LUT(v, by_value)))
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), dtype=np.uint8)


def _is_gray(image: Image) -> bool:
    # Sample sparsely first: a few hundred pixels reveal most colour pictures.
    sparse = image[::16, ::16]
    if (sparse[..., 0] != sparse[..., 1]).any() or (sparse[..., 1] != sparse[..., 2]).any():
        return False
    red, green, blue = cv2.split(image)
    return bool(np.array_equal(red, green) and np.array_equal(green, blue))
