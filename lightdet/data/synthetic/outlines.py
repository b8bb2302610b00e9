"""Outlines and paths as points: rounded rectangles, blobs, ribbons, jagged cracks; and the pose of a part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""``[N, 2]`` x, y (or one point ``[2]``)."""


@dataclass(frozen=True)
class Pose:
    """Where a part lies: its own units are turned by `angle` (radians), scaled by `unit` and moved to `center`."""

    center: Points
    angle: float
    unit: float

    @property
    def axis(self) -> Points:
        """The part's x direction in the picture, of length one."""
        return np.array([math.cos(self.angle), math.sin(self.angle)])

    def points(self, local: Points) -> Points:
        """Part units ``[..., 2]`` → picture pixels."""
        c, s = math.cos(self.angle) * self.unit, math.sin(self.angle) * self.unit
        return np.asarray(local @ np.array([[c, s], [-s, c]]) + self.center)

    def at(self, x: float, y: float) -> Points:
        """One point in part units → picture pixels ``[2]``."""
        return self.points(np.array([x, y]))


def circle(center: Points, radius: float, count: int = 48) -> Points:
    """A closed circle of `count` corners."""
    angles = np.linspace(0, 2 * math.pi, count, endpoint=False)
    return center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def rounded_rectangle(width: float, height: float, radius: float, count: int = 6) -> Points:
    """A closed rectangle around 0, 0; each corner an arc of `count` points."""
    radius = min(radius, width / 2, height / 2)
    arc = np.linspace(0, math.pi / 2, count)
    corners = []
    for turn, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angles = arc + turn * math.pi / 2
        middle = np.array([sx * (width / 2 - radius), sy * (height / 2 - radius)])
        corners.append(middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    return np.concatenate(corners)


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    """The four corners of an upright rectangle."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def regular_polygon(center: Points, radius: float, sides: int, turn: float) -> Points:
    """`sides` corners on a circle, the first at angle `turn`."""
    angles = turn + np.arange(sides) * (2 * math.pi / sides)
    return center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def blob(
    rng: Generator, center: Points, radius: float, *, roughness: float = 0.25, stretch: float = 1.0, count: int = 40
) -> Points:
    """A closed irregular outline: a circle whose radius wavers by about `roughness`, stretched along some axis."""
    angles = np.linspace(0, 2 * math.pi, count, endpoint=False)
    waves = np.arange(2, 8)
    amplitudes = rng.normal(0, 1, len(waves)) * roughness / waves**0.5 / 1.5
    phases = rng.uniform(0, 2 * math.pi, len(waves))
    wobble = (amplitudes[:, None] * np.cos(waves[:, None] * angles + phases[:, None])).sum(axis=0)
    radii = radius * np.clip(1 + wobble, 0.35, 1.8)
    local = np.stack([radii * np.cos(angles) * stretch, radii * np.sin(angles) / stretch], axis=1)
    turn = rng.uniform(0, math.pi)
    c, s = math.cos(turn), math.sin(turn)
    return np.asarray(center + local @ np.array([[c, s], [-s, c]]))


def shard(rng: Generator, center: Points, radius: float) -> Points:
    """A closed angular outline of five to eight corners."""
    count = int(rng.integers(5, 9))
    angles = np.sort(rng.uniform(0, 2 * math.pi, count))
    radii = radius * rng.uniform(0.55, 1.15, count)
    return center + np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def ribbon(path: Points, widths: NDArray[np.float64]) -> Points:
    """The closed outline of a path ``[N, 2]`` that is `widths` ``[N]`` pixels wide."""
    normal = normals(path)
    half = widths[:, None] / 2
    return np.concatenate([path + normal * half, (path - normal * half)[::-1]])


def normals(path: Points) -> Points:
    """Unit normals of an open path, to the left of its direction in a y-down picture turned by +90°."""
    tangent = np.gradient(path, axis=0)
    length = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)
    tangent = tangent / length[:, None]
    return np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)


def curve(rng: Generator, center: Points, length: float, angle: float, bend: float, count: int = 24) -> Points:
    """A smooth open path through `center`: its direction turns by about `bend` radians along it."""
    steps = np.linspace(-0.5, 0.5, count)
    turns = angle + bend * (rng.normal(0, 0.6) * steps + rng.normal(0, 0.5) * np.sin(2 * math.pi * steps))
    offsets = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0) * (length / count)
    return np.asarray(center + offsets - offsets[count // 2])


def jagged(rng: Generator, start: Points, length: float, angle: float, step: float) -> Points:
    """A crack's path from `start`: short pieces whose direction jumps about `angle`."""
    count = max(4, round(length / step))
    drift = np.cumsum(rng.normal(0, 0.16, count))
    turns = angle + drift + rng.normal(0, 0.55, count)
    pieces = rng.uniform(0.6, 1.4, count) * (length / count)
    offsets = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * pieces[:, None], axis=0)
    return np.concatenate([start[None], start + offsets])


def resampled(outline: Points, spacing: float) -> Points:
    """A closed outline as points about `spacing` apart."""
    closed = np.concatenate([outline, outline[:1]])
    lengths = np.hypot(*np.diff(closed, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(8, int(along[-1] / spacing))
    where = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(where, along, closed[:, 0]), np.interp(where, along, closed[:, 1])], axis=1)
