"""Defects that stop a part from working: broken tooth, worn thread, contact missing or bent, trace."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import blurred
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Pose, circle, ribbon
from lightdet.data.synthetic.scene import Mounted, Scene, Trace


def broken_tooth(scene: Scene, rng: Generator) -> Layers | None:
    """A tooth snapped off near its root, the fracture bright and ragged."""
    if not scene.teeth:
        return None
    tooth = scene.teeth[int(rng.integers(len(scene.teeth)))]
    side = np.array([-tooth.axis[1], tooth.axis[0]]) * tooth.width
    across = np.linspace(-0.9, 0.9, 9)[:, None]
    level = tooth.height * np.clip(rng.uniform(0.05, 0.3) + 0.1 * rng.normal(0, 1, 9), 0.02, 0.55)[:, None]
    line = tooth.base + side * across + tooth.axis * level
    tip = tooth.base + side * across[::-1] + tooth.axis * tooth.height * 1.3
    gone = np.concatenate([line, tip])
    pixel = scene.defect_pixel
    face = ribbon(line - tooth.axis * 2.0 * pixel, np.full(9, 4.5 * pixel))
    patch = scene.patch(gone, face, margin=4)
    if patch is None:
        return None
    patch.tint(patch.window.polygon(face), rng.uniform(1.5, 1.8))
    patch.carve(patch.window.polygon(gone))
    return patch


def worn_thread(scene: Scene, rng: Generator) -> Layers | None:
    """Some turns of a thread stripped on one side: crests gone, smeared bare metal."""
    if not scene.threads:
        return None
    thread = scene.threads[int(rng.integers(len(scene.threads)))]
    axis = thread.stop - thread.start
    length = float(np.hypot(*axis))
    axis = axis / length
    side = np.array([-axis[1], axis[0]]) * rng.choice([-1, 1])
    reach = thread.pitch * rng.uniform(2.6, 4.0)
    begin = rng.uniform(0, max(1.0, length - reach))
    along = begin + np.linspace(0, reach, 20)
    bow = np.sin(np.linspace(0, math.pi, 20)) ** 0.5
    inner = thread.radius * (1 - rng.uniform(0.75, 1.1) * bow)
    base = thread.start + axis * along[:, None]
    worn = np.concatenate([base + side * inner[:, None], (base + side * thread.radius * 1.1)[::-1]])
    cut = base + side * (thread.radius - 0.5 * thread.pitch * bow)[:, None]
    off = np.concatenate([cut, (base + side * thread.radius * 1.3)[::-1]])
    patch = scene.patch(worn, off, margin=4)
    if patch is None:
        return None
    alpha = blurred(patch.window.polygon(worn), 0.7 * scene.defect_pixel)
    streaks = 1 + 0.12 * rng.standard_normal(patch.window.shape, dtype=np.float32)
    patch.paint(alpha * 0.9, np.clip((thread.color * rng.uniform(1.25, 1.5))[:, None, None] * streaks, 0, 0.95))
    patch.smooth(alpha)
    patch.carve(patch.window.polygon(off))
    return patch


def _contacts(scene: Scene) -> list[Mounted]:
    return [thing for thing in scene.mounted if thing.kind == "contact"]


def missing_contact(scene: Scene, rng: Generator) -> Layers | None:
    """A chamber without its contact."""
    contacts = _contacts(scene)
    if not contacts or scene.bare is None:
        return None
    thing = contacts[int(rng.integers(len(contacts)))]
    patch = scene.patch(thing.footprint(), margin=4)
    if patch is None:
        return None
    patch.restore(patch.window.polygon(thing.footprint()), scene.bare.view(patch.window))
    return patch


def bent_contact(scene: Scene, rng: Generator) -> Layers | None:
    """A contact that leans across its chamber."""
    contacts = _contacts(scene)
    if not contacts or scene.bare is None:
        return None
    thing = contacts[int(rng.integers(len(contacts)))]
    turn = rng.choice([-1, 1]) * rng.uniform(0.4, 0.75)
    bent = Pose(thing.pose.center + rng.normal(0, 0.25, 2) * thing.pose.unit, thing.pose.angle + turn, thing.pose.unit)
    patch = scene.patch(thing.footprint(), thing.footprint(bent), margin=4)
    if patch is None:
        return None
    patch.restore(patch.window.polygon(thing.footprint()), scene.bare.view(patch.window))
    thing.draw(patch, bent)
    return patch


def _trace(scene: Scene, rng: Generator, *, paired: bool) -> Trace | None:
    fitting = [trace for trace in scene.traces if trace.spacing > 0 or not paired]
    return fitting[int(rng.integers(len(fitting)))] if fitting else None


def open_trace(scene: Scene, rng: Generator) -> Layers | None:
    """One or two neighbouring conductors burnt through: scorched board where copper should be."""
    trace = _trace(scene, rng, paired=False)
    if trace is None:
        return None
    pixel = scene.defect_pixel
    axis = trace.stop - trace.start
    axis = axis / np.hypot(*axis)
    middle = trace.start + (trace.stop - trace.start) * rng.uniform(0.3, 0.8)
    half = rng.uniform(5, 8) * pixel
    across = np.array([-axis[1], axis[0]]) * trace.width * rng.uniform(0.75, 1.0)
    hole = np.stack([middle - axis * half - across, middle + axis * half - across])
    hole = np.concatenate([hole, (middle + axis * half * rng.uniform(0.7, 1.2) + across)[None]])
    hole = np.concatenate([hole, (middle - axis * half * rng.uniform(0.7, 1.2) + across)[None]])
    patch = scene.patch(hole, margin=5)
    if patch is None:
        return None
    alpha = patch.window.polygon(hole)
    patch.smooth(alpha)
    patch.paint(alpha, trace.mask)
    patch.paint(blurred(patch.window.disc(middle, half * 0.9), 1.5 * pixel) * 0.75, np.array([0.05, 0.04, 0.035]))
    return patch


def short_circuit(scene: Scene, rng: Generator) -> Layers | None:
    """A bridge of solder between two conductors."""
    trace = _trace(scene, rng, paired=True)
    if trace is None:
        return None
    axis = trace.stop - trace.start
    normal = np.array([-axis[1], axis[0]]) / np.hypot(*axis)
    start = trace.start + axis * rng.uniform(0.3, 0.8)
    path = start + normal * (np.linspace(-0.25, 1.25, 9) * trace.spacing)[:, None]
    waist = 1 + 0.5 * np.cos(np.linspace(0, 2 * math.pi, 9))
    bridge = ribbon(path, waist * rng.uniform(4.5, 7) * scene.defect_pixel)
    ends = [circle(path[k], rng.uniform(3.5, 5) * scene.defect_pixel, 20) for k in (0, -1)]
    patch = scene.patch(bridge, *ends, margin=5)
    if patch is None:
        return None
    alpha = patch.window.union([bridge, *ends])
    patch.paint(alpha, np.array([0.66, 0.66, 0.64]) * rng.uniform(0.9, 1.15))
    patch.emboss(blurred(alpha, scene.defect_pixel), 2.0 * scene.defect_pixel)
    return patch
