"""The best and the worst pictures of a classifier's validation, for the training's page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lightdet.arrays import FloatArray
from lightdet.classification.dataset import LabelledPictures
from lightdet.classification.fit import judge_fit
from lightdet.classification.report.sections import CURVES, right_pictures, wrong_pictures
from lightdet.data.images import read_image
from lightdet.evaluation.report.history import Curve
from lightdet.evaluation.report.markup import Markup, join, tag
from lightdet.training.page import PageWords

SHOWN = 6
"""How many pictures of each kind."""

WORDS = PageWords(
    curves=(
        *CURVES,
        Curve("AUC of the validation", {"mean of the classes": "val_auc"}, "AUC", is_share=True),
        Curve("Learning rate", {"last step of the epoch": "lr"}, "rate"),
    ),
    scores={"Accuracy": "accuracy", "Balanced accuracy": "balanced_accuracy", "F1": "f1", "AUC": "auc"},
    judge=judge_fit,
)


def validation_pictures(pictures: LabelledPictures, shares: FloatArray, names: Sequence[str]) -> Markup:
    """Draw the most confident right and wrong pictures; `shares` are probabilities ``[N, C]``."""
    load = partial(read_image, bit_depth=pictures.bit_depth)
    labels = pictures.annotations
    return join(
        [
            tag("h3", "Best: most confident, and right"),
            right_pictures(labels, shares, names, load, SHOWN),
            tag("h3", "Worst: most confident, but wrong"),
            wrong_pictures(labels, shares, names, load, SHOWN),
        ]
    )
