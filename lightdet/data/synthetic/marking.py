"""Part numbers engraved or printed on a part: text that is not a defect."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.outlines import Pose, rectangle

_LETTERS = "ABCDEFGHKLMNPRSTUX"


def engrave(rng: Generator, layers: Layers, pose: Pose, height: float) -> None:
    """Draw a random part number, `height` in the pose's units, centred at the pose and turned with it."""
    text = _LETTERS[int(rng.integers(len(_LETTERS)))] + f"{rng.integers(10, 99)}-{rng.integers(100, 999)}"
    canvas = np.zeros((40, 24 * len(text)), np.uint8)
    cv2.putText(canvas, text, (4, 31), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255,), 2, cv2.LINE_AA)
    scale = height * pose.unit / 28
    half = np.array([canvas.shape[1], canvas.shape[0]]) / 2
    corners = Pose(pose.center, pose.angle, scale).points(rectangle(-half[0], -half[1], half[0], half[1]))
    window = Window.around(corners, 2, layers.window.width)
    if window is None:
        return
    c, s = math.cos(pose.angle) * scale, math.sin(pose.angle) * scale
    offset = pose.center - np.array([[c, -s], [s, c]]) @ half - np.array([window.x0, window.y0])
    matrix = np.array([[c, -s, offset[0]], [s, c, offset[1]]])
    placed = cv2.warpAffine(canvas, matrix, (window.width, window.height), flags=cv2.INTER_AREA)
    alpha = np.asarray(placed, np.float32) / np.float32(255)
    view = layers.view(window)
    view.tint(alpha, rng.uniform(0.6, 0.75))
    view.emboss(alpha, -0.6)
