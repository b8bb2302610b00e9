"""Circuit board and plug connector."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic import fittings
from lightdet.data.synthetic.canvas import blurred
from lightdet.data.synthetic.materials import OXIDE, PAINTS, new_scene, shade_of
from lightdet.data.synthetic.outlines import Points, Pose, circle, rectangle, rounded_rectangle
from lightdet.data.synthetic.parts_metal import finish_scene
from lightdet.data.synthetic.scene import Mounted, Scene, Trace

_MASKS = ((0.07, 0.25, 0.15), (0.08, 0.15, 0.30), (0.09, 0.10, 0.11), (0.32, 0.09, 0.10))


def _upright_pose(rng: Generator, size: int, unit: float) -> Pose:
    turn = int(rng.integers(4)) * math.pi / 2 + rng.uniform(-0.12, 0.12)
    return Pose(size * (0.5 + rng.uniform(-0.04, 0.04, 2)), turn, size * unit)


def board(rng: Generator, size: int) -> Scene:
    """A printed circuit board: parallel traces, pads, chips, small parts, now and then a label.

    The board is laid out on a grid of 3 x 3 cells, each with one thing in it.
    """
    pose = _upright_pose(rng, size, rng.uniform(0.40, 0.5))
    mask = shade_of(rng, *_MASKS)
    scene = new_scene(rng, size, pose, mask, "plain")
    outline = pose.points(rounded_rectangle(2.0, 2.0, 0.06))
    scene.layers.extend(scene.whole.polygon(outline))
    copper = mask * 1.35 + np.array([0.10, 0.10, 0.06])
    blocked = np.zeros((size, size), np.float32)
    cells = [(x, y) for x in (-0.62, 0.0, 0.62) for y in (-0.62, 0.0, 0.62)]
    kinds = ["traces", "traces", "chip", "passives", "passives", *rng.choice(["traces", "chip", "label", "empty"], 4)]
    things: list[Mounted] = []
    labelled = False
    for cell, kind in zip(rng.permutation(cells), kinds, strict=True):
        place = Pose(pose.at(float(cell[0]), float(cell[1])), pose.angle + int(rng.integers(2)) * math.pi / 2, 1.0)
        if kind == "traces":
            _draw_traces(rng, scene, place, mask, copper)
        elif kind == "chip":
            things.append(_place_chip(rng, scene, place))
        elif kind == "passives":
            things.extend(_place_passives(rng, scene, place))
        elif kind == "label" and not labelled:
            labelled = True
            things.append(_place_label(rng, scene, place))
        elif kind == "empty":
            _draw_vias(rng, scene, place)
        if kind != "empty":
            cell_box = pose.points(np.asarray(cell) + rectangle(-0.29, -0.29, 0.29, 0.29))
            np.maximum(blocked, scene.whole.polygon(cell_box), out=blocked)
    scene.mount(*things)
    finish_scene(rng, scene, outline)
    scene.set_free(blocked)
    return scene


def _draw_traces(rng: Generator, scene: Scene, place: Pose, mask: Points, copper: Points) -> None:
    """Four to five parallel conductors through a cell, bent at one end, each ending in a pad."""
    unit = scene.pose.unit
    count = int(rng.integers(4, 6))
    width, spacing = 0.042 * unit, 0.105 * unit
    view = scene.layers
    paths, pads = [], []
    for k in range(count):
        y = (k - (count - 1) / 2) * spacing
        start, stop = np.array([-0.25 * unit, y]), np.array([0.17 * unit, y])
        bend = np.array([0.25 * unit, y + 0.06 * unit])
        path = place.points(np.stack([start, stop, bend]))
        paths.append(path)
        pads.append(circle(path[0], 0.036 * unit, 20))
        scene.traces.append(Trace(path[0], path[1], width, spacing if k < count - 1 else 0.0, copper, mask))
    lines = view.window.lines(paths, width)
    view.paint(lines, copper)
    view.emboss(blurred(lines, 0.6 * scene.pixel), 0.5 * scene.pixel)
    view.paint(view.window.union(pads), np.array([0.66, 0.62, 0.48]))


def _draw_vias(rng: Generator, scene: Scene, place: Pose) -> None:
    unit = scene.pose.unit
    spots = place.points(rng.uniform(-0.22, 0.22, (4, 2)) * unit)
    window = scene.whole
    scene.layers.paint(window.union([circle(p, 0.03 * unit, 20) for p in spots]), np.array([0.6, 0.56, 0.42]))
    scene.layers.paint(window.union([circle(p, 0.014 * unit, 16) for p in spots]), np.full(3, 0.05))


def _pads(scene: Scene, at: Pose, boxes: list[Points]) -> None:
    pads = scene.whole.union([at.points(box) for box in boxes])
    # Bare pads are dull gold: where a part with its bright tinned ends is missing, that shows.
    scene.layers.paint(pads, np.array([0.46, 0.37, 0.16]))
    scene.layers.emboss(blurred(pads, 0.5 * scene.pixel), 0.5 * scene.pixel)


def _silk(scene: Scene, outline: Points) -> None:
    lines = scene.whole.lines([outline], 1.2 * scene.pixel, closed=True)
    scene.layers.paint(lines * 0.8, np.full(3, 0.75))


def _place_chip(rng: Generator, scene: Scene, place: Pose) -> Mounted:
    at = Pose(place.center, place.angle, scene.pose.unit * rng.uniform(0.17, 0.21))
    half = rng.uniform(0.5, 0.75)
    thing = fittings.chip(rng, at, half)
    _pads(scene, at, [rectangle(-0.95, s * half * 0.8 - 0.26, 0.95, s * half * 0.8 + 0.26) for s in (-1.0, 1.0)])
    _silk(scene, thing.footprint())
    return thing


def _place_passives(rng: Generator, scene: Scene, place: Pose) -> list[Mounted]:
    things = []
    for y in (-0.18, 0.0, 0.18):
        center = place.points(np.array([rng.uniform(-0.06, 0.06), y]) * scene.pose.unit)
        at = Pose(center, place.angle, scene.pose.unit * rng.uniform(0.10, 0.115))
        _pads(scene, at, [rectangle(s * 0.8 - 0.36, -0.6, s * 0.8 + 0.36, 0.6) for s in (-1.0, 1.0)])
        things.append(fittings.passive(rng, at))
        _silk(scene, things[-1].footprint())
    return things


def _place_label(rng: Generator, scene: Scene, place: Pose) -> Mounted:
    at = Pose(place.center, scene.pose.angle, scene.pose.unit * rng.uniform(0.2, 0.23))
    half = rng.uniform(0.5, 0.7)
    _silk(scene, at.points(rectangle(-1.15, -half - 0.15, 1.15, half + 0.15)))
    return fittings.label(rng, at, half)


def connector(rng: Generator, size: int) -> Scene:
    """A plug's face: one or two rows of contacts, each in its chamber, in a moulded housing."""
    pose = _upright_pose(rng, size, rng.uniform(0.42, 0.47))
    color = shade_of(rng, OXIDE, (0.16, 0.16, 0.17), (0.72, 0.71, 0.66), *PAINTS[:2])
    scene = new_scene(rng, size, pose, color, "plain")
    layers, whole = scene.layers, scene.whole
    rows, count = int(rng.integers(1, 3)), int(rng.integers(4, 8))
    half_h = rng.uniform(0.42, 0.5) if rows == 1 else rng.uniform(0.74, 0.82)
    outline = pose.points(rounded_rectangle(2.0, 2 * half_h, 0.1))
    layers.extend(whole.polygon(outline))
    face = whole.polygon(pose.points(rounded_rectangle(1.76, 2 * half_h - 0.24, 0.08)))
    layers.tint(blurred(face, scene.pixel), 0.8)
    layers.emboss(blurred(face, scene.pixel), -2.5 * scene.pixel)
    gold = np.array([0.72, 0.60, 0.30]) if rng.random() < 0.6 else np.array([0.66, 0.67, 0.68])
    step = 1.6 / count
    things, chambers = [], []
    for row in range(rows):
        y = 0.0 if rows == 1 else (row - 0.5) * 0.66
        for k in range(count):
            center = pose.at((k - (count - 1) / 2) * step, y)
            at = Pose(center, pose.angle, min(0.055, step * 0.2) * pose.unit)
            chambers.append(at.points(rectangle(-1.7, -3.3, 1.7, 3.3)))
            things.append(fittings.contact(rng, at, gold))
    dark = whole.union(chambers)
    layers.paint(dark, color * 0.2 if color.mean() > 0.3 else color * 0.3)
    layers.emboss(dark, -1.5 * scene.pixel)
    scene.mount(*things)
    blocked: FloatArray = dark.copy()
    finish_scene(rng, scene, outline)
    scene.set_free(blocked)
    return scene
