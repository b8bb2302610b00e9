"""From levels to a picture: light, lens, sensor, tone curve, compression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightdet.arrays import FloatArray, Image
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.teacher.bank import cut, smooth


@dataclass(frozen=True, eq=False)
class Camera:
    """One lamp and one camera.

    Attributes:
        light: float32 ``[H, W]``, what falls on each pixel, about 255.
        tint: the lamp's colour, float32 ``[3, 1, 1]``.
        gray: a camera without colour.
        blur: of the lens, sigma in pixels.
        motion: kernel of a moving part's blur, None where it rests.
        noise: of the sensor, sigma in levels of 255; `coarse` of it is made of larger grains.
        coarse: share of the noise that is coarse, as sharpened or enlarged pictures have it.
        curve: uint8 ``[256]``, gamma and contrast.
        quality: of JPEG, None where the picture is not compressed.
    """

    light: FloatArray
    tint: FloatArray
    gray: bool
    blur: float
    motion: FloatArray | None
    noise: float
    coarse: float
    curve: NDArray[np.uint8]
    quality: int | None

    @property
    def reach(self) -> int:
        """How far a change of the levels can be seen."""
        moved = 0 if self.motion is None else len(self.motion) // 2
        return math.ceil(3 * self.blur) + 1 + moved

    def expose(self, planes: FloatArray, window: Window) -> list[FloatArray]:
        """One or three planes ``[h, w]`` in levels of 255, before noise and tone curve."""
        rows, columns = window.within(Window.whole(len(self.light)))
        light = self.light[rows, columns]
        if self.gray and len(planes) == 3:
            mixed = np.float32(0.3) * planes[0]
            mixed += np.float32(0.59) * planes[1]
            mixed += np.float32(0.11) * planes[2]
            seen = [mixed * light]
        elif self.gray:
            seen = [planes[0] * light]
        else:
            lit = planes * light
            if len(lit) == 1:  # a ground without a colour shows the lamp's
                lit = np.repeat(lit, 3, axis=0)
            lit *= self.tint
            seen = list(lit)
        return [self._through_lens(plane) for plane in seen]

    def _through_lens(self, plane: FloatArray) -> FloatArray:
        if self.blur > 0.25:
            side = 2 * math.ceil(2.5 * self.blur) + 1
            plane = np.asarray(cv2.GaussianBlur(plane, (side, side), self.blur), np.float32)
        if self.motion is not None:
            plane = np.asarray(cv2.filter2D(plane, cv2.CV_32F, self.motion), np.float32)
        return plane

    def levels(self, planes: FloatArray, window: Window) -> NDArray[np.int16]:
        """The sensor's output without noise: int16 ``[C, h, w]``."""
        seen = self.expose(planes, window)
        levels = np.empty((len(seen), *window.shape), np.int16)
        for k, plane in enumerate(seen):
            levels[k] = cv2.LUT(np.clip(plane, 0, 255, out=plane).astype(np.uint8), self.curve)
        return levels

    def develop(self, planes: FloatArray, rng: Generator) -> Image:
        """The picture, uint8 ``[H, W, 3]``."""
        seen = self.expose(planes, Window.whole(len(self.light)))
        shape = self.light.shape
        channels = []
        for plane in seen:
            noisy = plane + self._noise(rng, shape)
            channels.append(cv2.LUT(np.clip(noisy, 0, 255, out=noisy).astype(np.uint8), self.curve))
        image = np.asarray(cv2.merge(channels * 3 if len(channels) == 1 else channels), np.uint8)
        if self.quality is None:
            return image
        done, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, self.quality))
        if not done:
            raise RuntimeError("OpenCV did not encode a picture as jpg")
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

    def _noise(self, rng: Generator, shape: tuple[int, ...]) -> FloatArray:
        area = (shape[0], shape[1])
        noise = np.float32(self.noise) * cut(rng, "white", area)
        if self.coarse:
            noise += np.float32(self.noise * self.coarse) * cut(rng, "fine", area)
        return noise


def draw_camera(rng: Generator, size: int, mean: float, *, binary: bool = False) -> Camera:
    """A random set-up for pictures of `size` pixels per side and `mean` level; `binary` as of a scanner's threshold."""
    unit = size / 320
    blur = float(min(rng.exponential(0.45), 1.9)) * unit
    moving = None
    if rng.random() < 0.04:
        moving = _motion(rng, unit)
    if binary:
        blur, moving = rng.uniform(0.0, 0.4), None
    warm = rng.normal(0, 0.06)
    tint = np.array([1 + warm, 1 + rng.normal(0, 0.02), 1 - warm], np.float32)[:, None, None]
    return Camera(
        light=np.full((size, size), 255, np.float32) if binary else _light(rng, size, mean),
        tint=tint,
        gray=binary or bool(rng.random() < 0.3),
        blur=blur,
        motion=moving,
        noise=0.0 if binary and rng.random() < 0.7 else float(min(0.4 + rng.exponential(2.2), 11)),
        coarse=float(rng.uniform(0, 1.5)) if rng.random() < 0.3 else 0.0,
        curve=_curve(rng, hard=binary),
        quality=int(rng.integers(35, 96)) if rng.random() < 0.3 else None,
    )


def _light(rng: Generator, size: int, mean: float) -> FloatArray:
    """Exposure, a gradient, a spot, darker corners, blotches; drawn small, then scaled."""
    small = 24
    axis = np.linspace(-1, 1, small, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    angle = rng.uniform(0, 2 * math.pi)
    field = 1 + min(abs(rng.normal(0, 0.16)), 0.5) * (x * math.cos(angle) + y * math.sin(angle))
    if rng.random() < 0.5:
        spot = rng.uniform(-1.1, 1.1, 2)
        wide = rng.uniform(0.1, 1.4)
        field = field + rng.uniform(-0.25, 0.5) * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / wide)
    if rng.random() < 0.4:
        field = field * (1 - rng.uniform(0.0, 0.3) * (x**2 + y**2))
    if rng.random() < 0.25:
        field = field * (1 + rng.uniform(0.02, 0.12) * smooth(rng, (small, small), 3))
    # A camera is set up for its ground, if not perfectly.
    exposure = (rng.uniform(0.22, 0.75) / max(mean, 0.02)) ** 0.65 * rng.uniform(0.85, 1.15)
    field = np.maximum(field, 0.08) * (255 * exposure)
    return np.asarray(cv2.resize(field.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC))


def _curve(rng: Generator, *, hard: bool) -> NDArray[np.uint8]:
    """Gamma, contrast and black level as a table; `hard` is nearly a threshold."""
    level = np.arange(256) / 255
    gamma = math.exp(rng.normal(0, 0.16 if hard else 0.22))
    gain = rng.uniform(2.0, 8.0) if hard else math.exp(rng.normal(0.03, 0.2))
    shifted = (level**gamma - 0.5) * gain + 0.5 + (0.0 if hard else rng.normal(0, 0.04))
    return np.asarray(np.clip(shifted * 255, 0, 255).round(), dtype=np.uint8)


def _motion(rng: Generator, unit: float) -> FloatArray:
    side = 2 * max(1, round(rng.uniform(1, 3) * unit)) + 1
    kernel = np.zeros((side, side), np.float32)
    if rng.random() < 0.5:
        kernel[side // 2] = 1 / side
    else:
        kernel[:, side // 2] = 1 / side
    return kernel
