"""Textures from which every picture is cut: drawn once per process, the same in each, mean 0 and deviation 1.

A field is float32 ``[SIDE, SIDE]``; a cut begins anywhere in it, turned and scaled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightdet.arrays import FloatArray

SIDE = 768
_SEED = 20260


@cache
def field(name: str) -> FloatArray:
    """The whole field of one of `FIELDS`, read-only."""
    rng = np.random.default_rng([_SEED, list(FIELDS).index(name)])
    drawn = FIELDS[name](rng)
    drawn = np.ascontiguousarray((drawn - drawn.mean()) / drawn.std(), dtype=np.float32)
    drawn.setflags(write=False)
    return drawn


def cut(
    rng: Generator, name: str, shape: tuple[int, int], scale: float = 1.0, angle: float = 0.0, stretch: float = 1.0
) -> FloatArray:
    """A random piece of a field, float32 ``[h, w]``.

    Args:
        rng: says where it is cut from.
        name: one of `FIELDS`.
        shape: ``(h, w)`` of the piece.
        scale: above one the texture grows coarser.
        angle: by which it is turned (radians).
        stretch: how much longer its features get along `angle`.
    """
    source = field(name)
    u, v, flip = rng.random(3).tolist()
    height, width = shape
    if angle == 0 and stretch == 1:
        rows, columns = min(SIDE, math.ceil(height / scale)), min(SIDE, math.ceil(width / scale))
        row, column = int(u * (SIDE - rows + 1)), int(v * (SIDE - columns + 1))
        piece = source[row : row + rows, column : column + columns]
        if piece.shape != shape:
            piece = np.asarray(cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    else:
        piece = _turned(source, shape, (u, v), _back(scale, angle, stretch))
    return piece[::-1] if flip < 0.5 else piece


def _back(scale: float, angle: float, stretch: float) -> NDArray[np.float64]:
    c, s = math.cos(angle) / scale, math.sin(angle) / scale
    return np.array([[c / stretch, s / stretch, 0.0], [-s, c, 0.0]])


def _turned(
    source: FloatArray, shape: tuple[int, int], where: tuple[float, float], back: NDArray[np.float64]
) -> FloatArray:
    """A turned piece, begun where it stays inside of the field if it can; beyond its border the field is mirrored."""
    size = np.array([shape[1], shape[0]])
    low = np.minimum(back[:, :2], 0) @ size
    room = np.maximum(SIDE - 2 - np.abs(back[:, :2]) @ size, 0)
    back[:, 2] = np.array(where) * room - low
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(source, back, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def smooth(rng: Generator, shape: tuple[int, int], cells: int = 5) -> FloatArray:
    """A very smooth field of about `cells` blotches a side, deviation about one; cheap."""
    grid = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
    return np.asarray(cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _spectrum(rng: Generator, exponent: float, stretch: float = 1.0) -> FloatArray:
    """Noise whose amplitude falls with frequency, `stretch` times longer in x than in y."""
    fy = np.fft.fftfreq(SIDE)[:, None]
    fx = np.fft.rfftfreq(SIDE)[None, :] * stretch
    radius = np.sqrt(fx**2 + fy**2)
    radius[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)))
    return np.fft.irfft2(white * radius**-exponent, (SIDE, SIDE)).astype(np.float32)


def _blurred_white(rng: Generator, sigma: float) -> FloatArray:
    around = np.pad(rng.standard_normal((SIDE, SIDE), dtype=np.float32), 32, mode="wrap")
    return np.asarray(cv2.GaussianBlur(around, (0, 0), sigma), np.float32)[32:-32, 32:-32]


def _ridges(rng: Generator) -> FloatArray:
    """Fine winding lines (high, 0 before scaling) between smooth areas: pixels to the zero crossings of a cloud."""
    cloud, rough = _spectrum(rng, 1.5), _spectrum(rng, 1.1)
    mixed = cloud / cloud.std() + 0.3 * rough / rough.std()
    steep = np.hypot(*np.gradient(mixed))
    return np.asarray(-np.minimum(np.abs(mixed) / (steep + 1e-4), 5), np.float32)


def _cell_distances(rng: Generator, count: int) -> tuple[FloatArray, FloatArray]:
    """Pixels to the nearest of `count` random points, and to the border between two points' cells."""
    empty = np.ones((SIDE, SIDE), np.uint8)
    rows, columns = rng.integers(0, SIDE, (2, count))
    empty[rows, columns] = 0
    nearest, owner = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    inside = np.ones((SIDE, SIDE), np.uint8)
    inside[:, 1:][owner[:, 1:] != owner[:, :-1]] = 0
    inside[1:][owner[1:] != owner[:-1]] = 0
    border = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    x, y = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    bend = [_spectrum(rng, 1.4) for _ in range(2)]
    x, y = x + bend[0] * (2.5 / bend[0].std()), y + bend[1] * (2.5 / bend[1].std())
    bent = [cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for plane in (nearest, border)]
    return np.asarray(bent[0], np.float32), np.asarray(bent[1], np.float32)


def _cells(rng: Generator) -> FloatArray:
    """The borders (low) of irregular cells about 20 pixels wide."""
    _, border = _cell_distances(rng, 1400)
    return np.minimum(border, 4)


def _pebbles(rng: Generator) -> FloatArray:
    """Rounded bumps (high) about 12 pixels wide, as of leather or moulded plastics."""
    nearest, _ = _cell_distances(rng, 4000)
    return np.asarray(-cv2.GaussianBlur(nearest, (0, 0), 1.0), np.float32)


def _rings(rng: Generator) -> FloatArray:
    """Long wavering bands along x, as of wood."""
    rows = np.arange(SIDE, dtype=np.float32)[:, None] * (2 * math.pi * 24 / SIDE)
    bend = _spectrum(rng, 1.9, 4.0)
    wave = np.sin(rows + bend * (3.0 / bend.std()))
    fibre = _spectrum(rng, 0.6, 40.0)
    return np.asarray(np.exp(0.8 * wave) + 0.25 * fibre / fibre.std(), dtype=np.float32)


def _veins(rng: Generator) -> FloatArray:
    """Thin veins (low) in clouds, as of marble."""
    cloud = _spectrum(rng, 1.7, 1.8)
    veins = np.abs(cloud / cloud.std())
    return np.asarray(np.minimum(veins, 0.7) + 0.15 * cloud / cloud.std(), dtype=np.float32)


def _flakes(rng: Generator) -> FloatArray:
    """Grains of three or four tones, as of granite."""
    a, b = _spectrum(rng, 0.9), _blurred_white(rng, 2.2)
    mixed = a / a.std() + b / b.std()
    return np.asarray(np.digitize(mixed, (-1.5, -0.3, 1.0)), dtype=np.float32)


FIELDS: dict[str, Callable[[Generator], FloatArray]] = {
    "white": lambda rng: rng.standard_normal((SIDE, SIDE), dtype=np.float32),
    "fine": lambda rng: _blurred_white(rng, 1.0),
    "medium": lambda rng: _blurred_white(rng, 2.2),
    "coarse": lambda rng: _blurred_white(rng, 5.0),
    "rough": lambda rng: _spectrum(rng, 0.8),
    "fractal": lambda rng: _spectrum(rng, 1.25),
    "clouds": lambda rng: _spectrum(rng, 1.8),
    "streaks": lambda rng: _spectrum(rng, 0.7, 14.0),
    "lines": lambda rng: _spectrum(rng, 0.55, 80.0),
    "ridges": _ridges,
    "cells": _cells,
    "pebbles": _pebbles,
    "rings": _rings,
    "veins": _veins,
    "flakes": _flakes,
}
"""The fields by name."""
