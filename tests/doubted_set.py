"""A data set with a wrong label, and a finished cross-validation that contradicts it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from lightdet.data.fold_file import Folds, write_folds
from lightdet.structures import Detections
from lightdet.tasks import DETECTION


def doubted_set(folder: Path) -> Path:
    """Four pictures, a box in each: ``data.yaml``; a cross-validation finds them all, one of another class: ``cv``."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    names = [f"p {number}.png" for number in range(4)]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (100, 100, 3), np.uint8)).save(folder / "images" / name)
        (folder / "labels" / name).with_suffix(".txt").write_text("0 0.25 0.25 0.3 0.3\n")
    (folder / "data.yaml").write_text("format: yolo\nclasses: [dent, hole]\nsplits: {train: images}\n")
    called = [f"images/{name}" for name in names]
    cv = folder / "cv"
    write_folds(cv / "folds.json", Folds(("train",), (tuple(called[:2]), tuple(called[2:]))))
    (cv / "plan.json").write_text(json.dumps({"crossval": 1, "data": {"classes": ["dent", "hole"]}, "config": {}}))
    box = np.array([[10, 10, 40, 40]], np.float32)
    for fold in range(2):
        labels = [int(fold == 1 and index == 1) for index in range(2)]
        found = [Detections(box, np.array([0.9], np.float32), np.array([k], np.int64), size=(100, 100)) for k in labels]
        kept = {"pictures": called[2 * fold : 2 * fold + 2]}
        (cv / f"fold{fold + 1}").mkdir()
        save_file(
            DETECTION.folding.packed(found), cv / f"fold{fold + 1}/held_out.safetensors", {"kept": json.dumps(kept)}
        )
    return folder
