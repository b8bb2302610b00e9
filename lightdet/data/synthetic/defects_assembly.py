"""Defects of assembly: a screw, nut, component or label that is missing or sits wrong."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Pose
from lightdet.data.synthetic.scene import Mounted, Scene


def _pick(scene: Scene, rng: Generator) -> Mounted | None:
    fitted = [thing for thing in scene.mounted if thing.kind != "contact"]
    return fitted[int(rng.integers(len(fitted)))] if fitted else None


def missing(scene: Scene, rng: Generator) -> Layers | None:
    """What belongs at the place was never mounted: its bare seat shows."""
    thing = _pick(scene, rng)
    if thing is None or scene.bare is None:
        return None
    patch = scene.patch(thing.footprint(), margin=4)
    if patch is None:
        return None
    patch.restore(patch.window.polygon(thing.footprint()), scene.bare.view(patch.window))
    return patch


def misplaced(scene: Scene, rng: Generator) -> Layers | None:
    """What belongs at the place sits beside it or askew."""
    thing = _pick(scene, rng)
    if thing is None or scene.bare is None:
        return None
    pose = thing.pose
    angle = rng.uniform(0, 2 * math.pi)
    if thing.kind in ("screw", "nut"):
        shift, turn = rng.uniform(0.75, 1.0), rng.uniform(0.2, 0.8)
    elif thing.kind == "label":
        shift, turn = rng.uniform(0.2, 0.35), rng.choice([-1, 1]) * rng.uniform(0.45, 0.75)
    else:
        shift, turn = rng.uniform(0.2, 0.4), rng.choice([-1, 1]) * rng.uniform(0.55, 0.95)
    offset = shift * pose.unit * np.array([math.cos(angle), math.sin(angle)])
    wrong = Pose(pose.center + offset, pose.angle + turn, pose.unit)
    patch = scene.patch(thing.footprint(), thing.footprint(wrong), margin=4)
    if patch is None:
        return None
    patch.restore(patch.window.polygon(thing.footprint()), scene.bare.view(patch.window))
    thing.draw(patch, wrong)
    return patch
