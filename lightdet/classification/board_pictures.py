"""Sheets of pictures for TensorBoard: what a classifier is shown, and the classes it reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.classification.dataset import ImageBatch, LabelledPictures
from lightdet.drawing import draw_picture_class
from lightdet.geometry.letterbox import letterbox
from lightdet.training.board_pictures import SHOWN, sheet, tile


def labelled_sheet(batch: ImageBatch, names: Sequence[str]) -> Image:
    """The first pictures of a training batch with their classes, side by side."""
    tiles = []
    for image, label in zip(batch.images[:SHOWN], batch.labels[:SHOWN].tolist(), strict=True):
        tiles.append(draw_picture_class(tile(image.permute(1, 2, 0).numpy()), label, names[label]))
    return sheet(tiles)


def judged_sheet(pictures: LabelledPictures, shares: FloatArray, names: Sequence[str]) -> Image:
    """The first pictures of a split with their reported class, and their true class if that is wrong.

    `shares` are probabilities ``[N, C]``.
    """
    side = pictures.imgsz
    tiles = []
    for index in range(min(SHOWN, len(pictures))):
        image, _ = letterbox(np.ascontiguousarray(pictures.image(index)), (side, side))
        label, truth = int(shares[index].argmax()), pictures.annotations[index].label
        wrong = "" if label == truth else f" (is {names[truth]})"
        tiles.append(draw_picture_class(tile(image), label, f"{names[label]} {shares[index, label]:.2f}{wrong}"))
    return sheet(tiles)
