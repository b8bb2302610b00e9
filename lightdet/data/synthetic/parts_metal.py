"""Flat and round metal parts: machined plate, casting, brushed sheet, flange."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic import fittings
from lightdet.data.synthetic.camera import cast_shadow
from lightdet.data.synthetic.canvas import Window, blurred
from lightdet.data.synthetic.marking import engrave
from lightdet.data.synthetic.materials import ALUMINIUM, BRASS, IRON, OXIDE, PAINTS, STEEL, new_scene, shade_of
from lightdet.data.synthetic.outlines import Points, Pose, circle, rectangle, resampled, ribbon, rounded_rectangle
from lightdet.data.synthetic.scene import Hole, Scene


def draw_pose(rng: Generator, size: int, unit: tuple[float, float], drift: float = 0.05) -> Pose:
    """A pose near the middle, turned anyhow; `unit` and `drift` are shares of the side."""
    center = size * (0.5 + rng.uniform(-drift, drift, 2))
    return Pose(center, rng.uniform(0, 2 * math.pi), size * rng.uniform(*unit))


def finish_scene(rng: Generator, scene: Scene, outline: Points) -> None:
    """Keep the outline and let the part throw its shadow."""
    scene.outline = resampled(outline, 1.5 * scene.pixel)
    throw_shadow(rng, scene)


def throw_shadow(rng: Generator, scene: Scene) -> None:
    """Darken the ground around what the part covers by now."""
    offset = rng.uniform(-5, 5, 2) * scene.pixel
    cast_shadow(scene.layers, (float(offset[0]), float(offset[1])), 3 * scene.pixel, rng.uniform(0.2, 0.45))


def _around(scene: Scene, center: Points, radius: float) -> Window | None:
    return Window.around(circle(center, radius, 8), 2, scene.size)


def machined_plate(rng: Generator, size: int) -> Scene:
    """A milled plate with drilled holes and screws sunk at its corners."""
    pose = draw_pose(rng, size, (0.34, 0.40))
    color = shade_of(rng, STEEL, ALUMINIUM, IRON, BRASS)
    scene = new_scene(rng, size, pose, color, "turned" if rng.random() < 0.4 else "brushed")
    half_w, half_h = rng.uniform(1.05, 1.25), rng.uniform(0.78, 1.0)
    outline = pose.points(rounded_rectangle(2 * half_w, 2 * half_h, rng.uniform(0.06, 0.2)))
    scene.layers.extend(scene.whole.polygon(outline))
    blocked = np.zeros((size, size), np.float32)
    seats = [pose.at(x * (half_w - 0.27), y * (half_h - 0.27)) for x in (-1, 1) for y in (-1, 1)]
    radius = rng.uniform(0.125, 0.16) * pose.unit
    holes = [(x, y) for x in (-0.45, 0.0, 0.45) for y in (-0.35, 0.35)]
    for index in rng.permutation(len(holes))[: int(rng.integers(1, 4))]:
        place = pose.at(*(np.array(holes[index]) + rng.uniform(-0.08, 0.08, 2)))
        hole = Hole(place, rng.uniform(0.07, 0.13) * pose.unit)
        window = _around(scene, place, hole.radius * 1.6)
        if window is not None:
            fittings.through_hole(scene.layers.view(window), place, hole.radius, scene.pixel)
            scene.holes.append(hole)
            np.maximum(blocked, scene.whole.disc(place, hole.radius * 1.35), out=blocked)
    _mount_screws(rng, scene, seats, radius, color, blocked)
    if rng.random() < 0.5:
        mark = Pose(pose.at(0.0, rng.choice([-1, 1]) * (half_h - 0.2)), pose.angle, pose.unit)
        engrave(rng, scene.layers, mark, 0.13)
    finish_scene(rng, scene, outline)
    scene.set_free(blocked)
    return scene


def _mount_screws(
    rng: Generator, scene: Scene, seats: list[Points], radius: float, metal: Points, blocked: FloatArray
) -> None:
    steel = shade_of(rng, STEEL, OXIDE) if metal.mean() > 0.4 else shade_of(rng, STEEL, ALUMINIUM)
    screws = []
    for place in seats:
        window = _around(scene, place, radius * 1.6)
        if window is None:
            continue
        fittings.counterbore(scene.layers.view(window), place, radius, metal)
        screws.append(fittings.screw(rng, Pose(place, scene.pose.angle, radius), steel))
        np.maximum(blocked, scene.whole.disc(place, radius * 1.45), out=blocked)
    scene.mount(*screws)


def casting(rng: Generator, size: int) -> Scene:
    """A round sand-cast cover: rim, groove, hub with a bore, ribs between."""
    pose = draw_pose(rng, size, (0.36, 0.44))
    color = shade_of(rng, IRON, ALUMINIUM, IRON, PAINTS[4])
    scene = new_scene(rng, size, pose, color, "cast")
    layers, whole, unit = scene.layers, scene.whole, pose.unit
    outline = circle(pose.center, unit, 96)
    layers.extend(whole.polygon(outline))
    rim, hub, bore = rng.uniform(0.74, 0.82), rng.uniform(0.32, 0.42), rng.uniform(0.13, 0.2)
    distance = whole.distance(pose.center) / np.float32(unit)
    dish = np.clip((rim - distance) * 14, 0, 1) * np.clip((distance - hub) * 14, 0, 1)
    layers.emboss(dish, -0.055 * unit)
    layers.tint(dish, rng.uniform(0.78, 0.92))
    ribs = int(rng.integers(3, 8))
    bend = rng.uniform(-0.5, 0.5)
    paths = []
    for angle in pose.angle + np.arange(ribs) * (2 * math.pi / ribs):
        along = np.linspace(hub, rim, 12)
        turns = angle + bend * (along - hub) / (rim - hub)
        path = pose.center + (unit * along)[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        paths.append(ribbon(path, np.full(12, 0.07 * unit)))
    rib = blurred(whole.union(paths), 0.01 * unit) * dish
    layers.emboss(rib, 0.055 * unit)
    layers.tint(rib, 1.15)
    layers.tint(whole.ring(pose.center, unit * 0.965, unit), 0.85)
    fittings.through_hole(layers, pose.center, bore * unit, scene.pixel)
    scene.holes.append(Hole(pose.center, bore * unit))
    finish_scene(rng, scene, outline)
    scene.set_free(np.maximum(rib * (rng.random() < 0.5), whole.disc(pose.center, bore * unit * 1.3)))
    return scene


def brushed_sheet(rng: Generator, size: int) -> Scene:
    """A sheet that fills the picture or ends in it, often with a label in its printed frame."""
    angle = rng.uniform(0, math.pi)
    pose = Pose(np.full(2, size / 2), angle, size * 0.5)
    color = shade_of(rng, STEEL, ALUMINIUM, BRASS, IRON, *PAINTS)
    scene = new_scene(rng, size, pose, color, "brushed" if rng.random() < 0.75 else "plain")
    edge = rng.uniform(0.45, 0.8)
    ends = rng.random() < 0.7
    outline = pose.points(rectangle(-3, -3, 3, edge if ends else 3))
    scene.layers.extend(scene.whole.polygon(outline))
    blocked = np.zeros((size, size), np.float32)
    if rng.random() < 0.65:
        mark = Pose(pose.at(*rng.uniform(-0.35, 0.3, 2)), angle + rng.choice([0, math.pi / 2]), size * 0.12)
        height = rng.uniform(0.45, 0.65)
        frame = mark.points(rounded_rectangle(2.3, 2 * height + 0.3, 0.08))
        scene.layers.paint(scene.whole.lines([frame], 1.6 * scene.pixel, closed=True) * 0.8, _contrast(color))
        scene.mount(fittings.label(rng, mark, height))
        np.maximum(blocked, scene.whole.polygon(frame), out=blocked)
    finish_scene(rng, scene, outline)
    if not ends:
        scene.outline = None
    scene.set_free(blocked)
    return scene


def _contrast(color: Points) -> Points:
    return np.full(3, 0.12 if color.mean() > 0.4 else 0.8)


def flange(rng: Generator, size: int) -> Scene:
    """A turned flange with nuts and washers on its bolt circle."""
    pose = draw_pose(rng, size, (0.37, 0.44))
    color = shade_of(rng, STEEL, IRON, *PAINTS)
    scene = new_scene(rng, size, pose, color, "turned" if rng.random() < 0.6 else "cast")
    layers, whole, unit = scene.layers, scene.whole, pose.unit
    outline = circle(pose.center, unit, 96)
    layers.extend(whole.polygon(outline))
    face = rng.uniform(0.42, 0.48)
    layers.emboss(whole.disc(pose.center, face * unit, 0.05 * unit), 0.05 * unit)
    layers.tint(whole.disc(pose.center, face * unit), rng.uniform(1.05, 1.2))
    bore = rng.uniform(0.2, 0.3) * unit
    fittings.through_hole(layers, pose.center, bore, scene.pixel)
    blocked = whole.disc(pose.center, bore * 1.2)
    count, radius = int(rng.integers(4, 8)), rng.uniform(0.14, 0.17) * unit
    zinc = shade_of(rng, STEEL, ALUMINIUM) if color.mean() < 0.5 else shade_of(rng, OXIDE, STEEL)
    nuts = []
    for angle in pose.angle + np.arange(count) * (2 * math.pi / count):
        place = pose.center + 0.74 * unit * np.array([math.cos(angle), math.sin(angle)])
        window = _around(scene, place, radius * 1.6)
        if window is not None:
            fittings.stud_hole(layers.view(window), place, radius, color)
            nuts.append(fittings.nut(rng, Pose(place, angle, radius), zinc))
            np.maximum(blocked, whole.disc(place, radius * 1.3), out=blocked)
    scene.mount(*nuts)
    finish_scene(rng, scene, outline)
    scene.set_free(blocked)
    return scene
