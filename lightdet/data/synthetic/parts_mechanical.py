"""Parts that move or join: welded joint, gear, threaded rod."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.arrays import FloatArray
from lightdet.data.synthetic import fittings, textures
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.materials import ALUMINIUM, BRASS, BRONZE, IRON, OXIDE, STEEL, new_scene, shade_of
from lightdet.data.synthetic.outlines import Points, Pose, rectangle, ribbon, rounded_rectangle
from lightdet.data.synthetic.parts_metal import draw_pose, finish_scene, throw_shadow
from lightdet.data.synthetic.scene import Scene, Thread, Tooth, Weld


def welded_joint(rng: Generator, size: int) -> Scene:
    """Two plates butted and joined by a rippled bead with heat tint on both sides."""
    pose = draw_pose(rng, size, (0.5, 0.5), 0.12)
    color = shade_of(rng, STEEL, ALUMINIUM, IRON)
    scene = new_scene(rng, size, pose, color, "brushed" if rng.random() < 0.6 else "plain")
    layers, whole, pixel = scene.layers, scene.whole, scene.pixel
    half = rng.uniform(0.72, 1.3)
    outline = pose.points(rectangle(-3, -half, 3, half))
    layers.extend(whole.polygon(outline))
    finish_scene(rng, scene, outline)
    if half > 1.1:
        scene.outline = None
    # The second plate has its own tone; the seam between the two is a dark gap, hidden by the bead where it is sound.
    side = whole.polygon(pose.points(rectangle(-3, 0, 3, 3)))
    layers.tint(side, rng.uniform(0.86, 1.14))
    layers.emboss(side, rng.uniform(-0.8, 0.8) * pixel)
    gap = whole.polygon(pose.points(rectangle(-3, -0.012, 3, 0.012)))
    layers.paint(gap, np.full(3, 0.05))
    width = rng.uniform(15, 25) * pixel
    across = _across(whole, pose)
    heat = np.exp(-((np.abs(across) - 0.75 * width) ** 2) / (2 * (0.3 * width) ** 2)).astype(np.float32)
    layers.tint(heat * rng.uniform(0.3, 0.8), np.array([0.78, 0.68, 0.62]))
    scene.bare = layers.copy()
    path = pose.points(np.stack([np.linspace(-1.6, 1.6, 160), np.zeros(160)], axis=1))
    draw_bead(layers, pose, path, width, color * rng.uniform(0.85, 1.05), float(rng.uniform(0, 2 * math.pi)))
    scene.welds.append(Weld(path, width))
    scene.set_free((np.abs(across) < 0.62 * width).astype(np.float32))
    return scene


def _across(window: Window, pose: Pose) -> FloatArray:
    """Signed distance of each pixel from the part's x axis."""
    x, y = window.coordinates()
    c, s = math.cos(pose.angle), math.sin(pose.angle)
    return ((y - np.float32(pose.center[1])) * c - (x - np.float32(pose.center[0])) * s).astype(np.float32)


def draw_bead(layers: Layers, pose: Pose, path: Points, width: float, color: Points, phase: float) -> None:
    """A bead along the part's x axis: its edge wavers, its ripples are arcs, its back is round."""
    window = layers.window
    steps = np.linspace(0, 60, len(path))
    widths = width * (1 + 0.04 * np.sin(steps + phase) + 0.03 * np.sin(2.3 * steps + 2 * phase))
    inside = window.polygon(ribbon(path, widths))
    across = np.clip(_across(window, pose) / (0.5 * width), -1, 1)
    x, y = window.coordinates()
    c, s = math.cos(pose.angle), math.sin(pose.angle)
    along = (x - np.float32(pose.center[0])) * c + (y - np.float32(pose.center[1])) * s
    pitch = 0.34 * width
    ripple = np.sin((along - 0.35 * width * across**2) * (2 * math.pi / pitch) + phase).astype(np.float32)
    layers.paint(inside, textures.colored((1 + 0.10 * ripple).astype(np.float32), color))
    layers.smooth(inside)
    back = np.sqrt(np.clip(1 - across**2, 0, 1)).astype(np.float32)
    layers.relief[...] += inside * (np.float32(0.2 * width) * back + np.float32(0.022 * width) * ripple)


def gear(rng: Generator, size: int) -> Scene:
    """A spur gear with a keyed bore, seen from its side."""
    pose = draw_pose(rng, size, (0.36, 0.43))
    color = shade_of(rng, STEEL, BRASS, BRONZE, IRON)
    scene = new_scene(rng, size, pose, color, "turned" if rng.random() < 0.7 else "plain")
    layers, whole, unit = scene.layers, scene.whole, pose.unit
    count = int(rng.integers(11, 17))
    root = 1 - 3.0 / count
    step = 2 * math.pi / count
    teeth = [_tooth(pose, pose.angle + k * step, step, root) for k in range(count)]
    outline = np.concatenate([tooth.outline for tooth in teeth])
    # The shadow is the wheel's alone: a tooth that broke off must not leave its shadow behind.
    layers.extend(whole.disc(pose.center, root * unit))
    throw_shadow(rng, scene)
    layers.extend(whole.polygon(outline))
    bore = rng.uniform(0.2, 0.27)
    web = rng.uniform(0.45, 0.52), root - 0.12
    dish = whole.ring(pose.center, web[0] * unit, web[1] * unit, 3 * scene.pixel)
    layers.emboss(dish, -0.03 * unit)
    layers.tint(dish, rng.uniform(0.82, 0.95))
    blocked = whole.disc(pose.center, (bore + 0.1) * unit)
    fittings.through_hole(layers, pose.center, bore * unit, scene.pixel)
    layers.carve(whole.polygon(pose.points(rectangle(0, -0.07, bore + 0.09, 0.07))))
    if rng.random() < 0.6:
        holes = int(rng.integers(3, 7))
        radius = 0.42 * (web[1] - web[0]) * unit
        for k in range(holes):
            angle = pose.angle + k * 2 * math.pi / holes
            place = pose.center + 0.5 * (web[0] + web[1]) * unit * np.array([math.cos(angle), math.sin(angle)])
            layers.carve(whole.disc(place, radius))
            np.maximum(blocked, whole.disc(place, radius * 1.2), out=blocked)
    # No outline is kept: burrs and dents would pass for worn teeth here.
    scene.teeth = teeth
    np.maximum(blocked, 1 - whole.disc(pose.center, (root - 0.02) * unit), out=blocked)
    scene.set_free(blocked)
    return scene


def _tooth(pose: Pose, angle: float, step: float, root: float) -> Tooth:
    angles = angle + step * np.array([-0.5, -0.29, -0.2, -0.12, 0.12, 0.2, 0.29, 0.5])
    radii = pose.unit * np.array([root, root + 0.01, 0.5 * (root + 1), 1, 1, 0.5 * (root + 1), root + 0.01, root])
    outline = pose.center + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    axis = np.array([math.cos(angle), math.sin(angle)])
    return Tooth(outline, pose.center + root * pose.unit * axis, axis, (1 - root) * pose.unit, 0.58 * step * pose.unit)


def threaded_rod(rng: Generator, size: int) -> Scene:
    """A hexagon-head bolt from the side: shank and thread."""
    pose = draw_pose(rng, size, (0.44, 0.50), 0.04)
    color = shade_of(rng, STEEL, OXIDE, BRASS, ALUMINIUM)
    scene = new_scene(rng, size, pose, color, "plain")
    layers, whole, unit = scene.layers, scene.whole, pose.unit
    radius, head = rng.uniform(0.22, 0.30), rng.uniform(0.42, 0.5)
    pitch = rng.uniform(0.10, 0.14)
    begin, end = rng.uniform(-0.4, -0.15), 0.98
    depth = 0.42 * pitch
    crests = np.arange(begin, end, pitch / 2)
    heights = radius - depth * (np.arange(len(crests)) % 2)
    top = np.stack([crests, heights], axis=1)
    bottom = np.stack([crests, -(radius - depth * ((np.arange(len(crests)) + 1) % 2))], axis=1)[::-1]
    shank = np.array([[-0.7, -radius], [-0.7, radius]])
    outline = np.concatenate([shank, top, bottom])
    head_outline = rounded_rectangle(0.34, 2 * head, 0.06) + np.array([-0.82, 0.0])
    layers.extend(whole.union([pose.points(outline), pose.points(head_outline)]))
    across = _across(whole, pose) / np.float32(unit)
    x, y = whole.coordinates()
    c, s = math.cos(pose.angle), math.sin(pose.angle)
    along = ((x - np.float32(pose.center[0])) * c + (y - np.float32(pose.center[1])) * s) / np.float32(unit)
    body = (along > -0.68).astype(np.float32)
    # Crests run from one side's crest to the other side's root: half a pitch over the width.
    turns = (along - begin) / pitch - 0.25 * (across / radius) - 0.25
    groove = np.abs((turns % 1) * 2 - 1).astype(np.float32) * (along > begin - 0.02) * body
    layers.tint(groove.astype(np.float32), 0.5)
    layers.relief[...] -= groove.astype(np.float32) * np.float32(depth * unit * 0.55)
    roundness = np.sqrt(np.clip(1 - (across / (radius * 1.04)) ** 2, 0, 1)).astype(np.float32)
    layers.tint(body, 0.5 + np.float32(0.62) * roundness)
    facets = whole.polygon(pose.points(rectangle(-1.0, -head / 2, -0.65, head / 2)))
    layers.tint(facets, 1.18)
    layers.tint(whole.polygon(pose.points(rectangle(-0.67, -head, -0.64, head))), 0.6)
    finish_scene(rng, scene, pose.points(head_outline))
    metal = color * 0.95
    scene.threads.append(Thread(pose.at(begin + pitch, 0), pose.at(end - pitch, 0), radius * unit, pitch * unit, metal))
    scene.set_free((along > begin - 0.05).astype(np.float32))
    return scene
