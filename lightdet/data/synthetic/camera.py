"""From layers to a picture: light and shade, lens blur, sensor noise, 8 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightdet.arrays import FloatArray, Image
from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.textures import colored

_EDGE_HEIGHT = 0.55
"""Height in pixels of a part above its background, for the bright and the dark side of its outline."""


@dataclass(frozen=True, eq=False)
class Camera:
    """One lighting set-up and one camera; the noise is drawn once, so the same layers give the same picture.

    Attributes:
        light: float32 ``[3, H, W]``, the light that falls on each pixel, about one.
        slope: x and y of the light's direction times its strength: how much a slope brightens.
        blur: lens blur, sigma in pixels.
        noise: float32 ``[H, W]``, added in 0–255 levels.
        gray: a camera without colour.
    """

    light: FloatArray
    slope: tuple[float, float]
    blur: float
    noise: FloatArray
    gray: bool

    @property
    def reach(self) -> int:
        """How far, in pixels, a change of the layers can be seen: lens blur and one pixel of slope."""
        return math.ceil(4 * self.blur) + 2

    def develop(self, layers: Layers, window: Window) -> Image:
        """The picture of `window` (inside the layers' own), uint8 ``[h, w, 3]``.

        The layers should reach `reach` pixels beyond the window, or to the border of the picture.
        """
        rows, columns = layers.window.within(Window.whole(len(self.noise)))
        cover = layers.coverage
        height = layers.relief * cover + np.float32(_EDGE_HEIGHT) * cover
        shade = np.float32(self.slope[0] / 8) * np.asarray(cv2.Sobel(height, cv2.CV_32F, 1, 0))
        shade += np.float32(self.slope[1] / 8) * np.asarray(cv2.Sobel(height, cv2.CV_32F, 0, 1))
        # In theory a slope towards the light brightens without limit; metal saturates and shadows keep some light.
        shade = np.clip(1 + shade, 0.35, 1.9)
        lit = layers.material - layers.background
        lit *= cover
        lit += layers.background
        lit *= self.light[:, rows, columns]
        lit *= shade
        planes = list(lit) if not self.gray else [0.299 * lit[0] + 0.587 * lit[1] + 0.114 * lit[2]]
        noise = self.noise[window.y0 : window.y1, window.x0 : window.x1]
        inner = window.within(layers.window)
        levels = [_expose(blurred(plane, self.blur)[inner], noise) for plane in planes]
        return np.asarray(cv2.merge(levels * 3 if self.gray else levels), dtype=np.uint8)


def _expose(lit: FloatArray, noise: FloatArray) -> NDArray[np.uint8]:
    levels = lit * np.float32(255)
    levels += noise
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)


def draw_camera(rng: Generator, size: int, *, sharp: bool = False) -> Camera:
    """A random set-up for pictures of `size` pixels per side; `sharp`: its blur does not grow with the picture."""
    pixel = 1.0 if sharp else size / 320
    angle = rng.uniform(0, 2 * math.pi)
    strength = rng.uniform(0.75, 1.15)
    sigma = rng.uniform(1.0, 3.5)
    return Camera(
        light=_draw_light(rng, size, angle),
        slope=(strength * math.cos(angle), strength * math.sin(angle)),
        blur=rng.uniform(0.35, 0.85) * max(pixel, 0.5),
        noise=np.float32(sigma) * rng.standard_normal((size, size), dtype=np.float32),
        gray=bool(rng.random() < 0.35),
    )


def _draw_light(rng: Generator, size: int, angle: float) -> FloatArray:
    """A gradient towards the lamp, a soft spot, darker corners, and the lamp's colour; drawn small, then scaled."""
    small = 24
    axis = np.linspace(-1, 1, small, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    # The lamp stands where slopes facing it (negative gradient) are bright.
    field = 1 - rng.uniform(0.0, 0.16) * (x * math.cos(angle) + y * math.sin(angle))
    spot = rng.uniform(-0.8, 0.8, 2)
    field = field + rng.uniform(0.0, 0.28) * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / rng.uniform(0.3, 1.2))
    field = field * (1 - rng.uniform(0.0, 0.12) * (x**2 + y**2)) * rng.uniform(0.85, 1.1)
    warm = rng.uniform(-0.05, 0.05)
    tint = np.array([1 + warm, 1 + rng.uniform(-0.012, 0.012), 1 - warm])
    light = np.asarray(cv2.resize(field.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC))
    return colored(light, tint)


def cast_shadow(layers: Layers, offset: tuple[float, float], softness: float, depth: float) -> None:
    """Darken the background with the shadow of the part's outline, once, before any defect."""
    height, width = layers.coverage.shape
    shift = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float64)
    moved = cv2.warpAffine(layers.coverage, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    layers.background[...] *= 1 - np.float32(depth) * blurred(np.asarray(moved, np.float32), softness)
