"""Fittings on parts: screws, nuts with washers, chips, labels, contacts.

Each function draws once what is random about the thing (so it looks the same wherever it is drawn) and
returns a `Mounted`, whose `draw` puts it on layers at any pose.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import blurred
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Points, Pose, rectangle, regular_polygon, rounded_rectangle
from lightdet.data.synthetic.scene import Mounted


def _shadow(layers: Layers, outline: Points, softness: float, depth: float = 0.45) -> None:
    layers.tint(blurred(layers.window.polygon(outline), softness), 1 - depth)


def _grow(outline: Points, center: Points, factor: float) -> Points:
    return center + (outline - center) * factor


def screw(rng: Generator, pose: Pose, color: Points) -> Mounted:
    """A cheese-head screw of radius one unit, with a hexagon socket, a cross or a slot."""
    drive, turn = rng.integers(3), rng.uniform(0, math.pi)

    def draw(layers: Layers, at: Pose) -> None:
        window, r = layers.window, at.unit
        layers.tint(window.disc(at.center, r * 1.12, r * 0.3), 0.55)
        head = window.disc(at.center, r)
        layers.paint(head, color)
        layers.smooth(head)
        layers.emboss(window.disc(at.center, r * 0.86, r * 0.28), 0.16 * r)
        layers.tint(window.ring(at.center, r * 0.84, r * 0.95), 0.8)
        if drive == 0:
            recess = window.polygon(regular_polygon(at.center, r * 0.5, 6, at.angle + turn))
        else:
            bars = [rectangle(-0.62, -0.11, 0.62, 0.11)]
            if drive == 1:
                bars.append(rectangle(-0.11, -0.62, 0.11, 0.62))
            turned = Pose(at.center, at.angle + turn, r)
            recess = window.union([turned.points(bar) for bar in bars])
        layers.paint(recess, color * 0.22)
        layers.emboss(recess, -0.08 * r)

    return Mounted("screw", pose, (1.25, 1.25), draw)


def nut(rng: Generator, pose: Pose, color: Points) -> Mounted:
    """A hexagon nut on a bolt's end with a washer below; the washer's radius is one unit."""
    turn = rng.uniform(0, math.pi / 3)
    washer = color * rng.uniform(1.05, 1.2)

    def draw(layers: Layers, at: Pose) -> None:
        window, r = layers.window, at.unit
        layers.tint(window.disc(at.center, r * 1.1, r * 0.25), 0.5)
        disc = window.disc(at.center, r)
        layers.paint(disc, washer)
        layers.smooth(disc)
        layers.emboss(disc, 0.04 * r)
        hexagon = window.polygon(regular_polygon(at.center, r * 0.78, 6, at.angle + turn))
        layers.tint(blurred(hexagon, 0.08 * r), 0.6)
        layers.paint(hexagon, color)
        layers.emboss(blurred(hexagon, 0.09 * r), 0.22 * r)
        layers.tint(window.ring(at.center, r * 0.36, r * 0.46), 0.45)
        layers.paint(window.disc(at.center, r * 0.36), color * 0.7)
        layers.emboss(window.disc(at.center, r * 0.3, r * 0.2), 0.1 * r)

    return Mounted("nut", pose, (1.22, 1.22), draw)


def chip(rng: Generator, pose: Pose, half_height: float) -> Mounted:
    """A black body one unit half wide with tinned legs on both long sides, a dot at pin one."""
    legs = int(rng.integers(4, 7))
    body = np.full(3, rng.uniform(0.07, 0.13))
    tin = np.array([0.62, 0.63, 0.62]) * rng.uniform(0.85, 1.1)

    def draw(layers: Layers, at: Pose) -> None:
        window = layers.window
        x = np.linspace(-0.82, 0.82, legs)
        h = half_height
        bars = [rectangle(v - 0.07, s * h * 0.8 - 0.24, v + 0.07, s * h * 0.8 + 0.24) for v in x for s in (-1.0, 1.0)]
        _shadow(layers, at.points(rounded_rectangle(2.1, 2 * h * 0.9, 0.1)), 0.08 * at.unit, 0.35)
        pins = window.union([at.points(bar) for bar in bars])
        layers.paint(pins, tin)
        layers.emboss(pins, 0.05 * at.unit)
        outline = window.polygon(at.points(rounded_rectangle(2.0, 1.6 * h, 0.05)))
        layers.paint(outline, body)
        layers.smooth(outline)
        layers.emboss(blurred(outline, 0.04 * at.unit), 0.08 * at.unit)
        layers.paint(window.disc(at.at(-0.8, h * 0.52), 0.1 * at.unit), body * 2.2)
        layers.paint(window.union([at.points(rectangle(-0.45, -0.09, 0.5, 0.02))]) * 0.55, body * 4.0)

    return Mounted("component", pose, (1.14, half_height * 0.8 + 0.34), draw)


def passive(rng: Generator, pose: Pose) -> Mounted:
    """A two-terminal part, one unit half long: a resistor (black) or a capacitor (tan)."""
    body = np.array([0.10, 0.10, 0.11]) if rng.random() < 0.5 else np.array([0.55, 0.42, 0.28])
    tin = np.array([0.78, 0.79, 0.78])

    def draw(layers: Layers, at: Pose) -> None:
        window = layers.window
        _shadow(layers, at.points(rectangle(-1.08, -0.62, 1.08, 0.62)), 0.12 * at.unit, 0.35)
        whole = window.polygon(at.points(rectangle(-1.0, -0.52, 1.0, 0.52)))
        layers.paint(whole, tin)
        layers.emboss(blurred(whole, 0.1 * at.unit), 0.16 * at.unit)
        layers.paint(window.polygon(at.points(rectangle(-0.66, -0.52, 0.66, 0.52))), body)

    return Mounted("component", pose, (1.22, 0.8), draw)


def label(rng: Generator, pose: Pose, half_height: float) -> Mounted:
    """A light sticker one unit half wide: a bar code and two lines of print."""
    paper = np.array([0.82, 0.82, 0.79]) * rng.uniform(0.85, 1.05)
    if rng.random() < 0.25:
        paper = np.array([0.80, 0.70, 0.30])
    edges = np.sort(rng.uniform(-0.85, 0.85, 26))
    words = np.sort(rng.uniform(-0.85, 0.7, 6))

    def draw(layers: Layers, at: Pose) -> None:
        window, h = layers.window, half_height
        outline = at.points(rounded_rectangle(2.0, 2 * h, 0.06))
        _shadow(layers, _grow(outline, at.center, 1.05), 0.03 * at.unit, 0.3)
        sheet = window.polygon(outline)
        layers.paint(sheet, paper)
        layers.smooth(sheet)
        bars = [at.points(rectangle(a, -0.72 * h, b, 0.05 * h)) for a, b in edges.reshape(-1, 2)]
        print_ = [
            at.points(rectangle(a, y * h, b, (y + 0.16) * h)) for y in (0.3, 0.6) for a, b in words.reshape(-1, 2)
        ]
        layers.paint(window.union(bars + print_) * 0.88, np.full(3, 0.08))

    return Mounted("label", pose, (1.1, half_height * 1.1), draw)


def contact(rng: Generator, pose: Pose, color: Points) -> Mounted:
    """A flat contact blade, one unit half wide and 2.6 units half long, standing in its dark chamber."""
    shine = rng.uniform(1.1, 1.3)

    def draw(layers: Layers, at: Pose) -> None:
        window = layers.window
        blade = window.polygon(at.points(rounded_rectangle(1.5, 4.6, 0.4)))
        layers.paint(blade, color)
        layers.smooth(blade)
        layers.emboss(blurred(blade, 0.2 * at.unit), 0.35 * at.unit)
        layers.paint(window.polygon(at.points(rectangle(-0.2, -1.9, 0.1, 1.9))) * 0.7, np.clip(color * shine, 0, 0.97))

    return Mounted("contact", pose, (1.0, 2.6), draw)


def counterbore(layers: Layers, center: Points, radius: float, metal: Points) -> None:
    """The seat of a screw, `radius` of the head in pixels: a bright rim, a recess, a dark threaded hole."""
    window = layers.window
    layers.tint(window.disc(center, radius * 1.3, radius * 0.25), 0.72)
    layers.emboss(window.disc(center, radius * 1.22, radius * 0.2), -0.14 * radius)
    layers.tint(window.ring(center, radius * 0.56, radius * 0.74), 1.35)
    hole = window.disc(center, radius * 0.56)
    layers.paint(hole, metal * 0.13)
    layers.tint(window.ring(center, radius * 0.3, radius * 0.42), 2.0)


def stud_hole(layers: Layers, center: Points, radius: float, metal: Points) -> None:
    """Where a nut with its washer belongs: a machined spot face with a bare dark hole."""
    window = layers.window
    layers.tint(window.disc(center, radius * 1.12), 1.16)
    layers.tint(window.ring(center, radius * 1.06, radius * 1.16), 0.7)
    layers.paint(window.disc(center, radius * 0.44), metal * 0.12)
    layers.tint(window.ring(center, radius * 0.44, radius * 0.56), 1.3)


def through_hole(layers: Layers, center: Points, radius: float, pixel: float) -> None:
    """A drilled hole with a small bright chamfer; the background shows."""
    window = layers.window
    layers.tint(window.ring(center, radius, radius + 2.2 * pixel), 1.28)
    layers.emboss(window.disc(center, radius + 1.5 * pixel, 2 * pixel), -0.9 * pixel)
    layers.carve(window.disc(center, radius))
