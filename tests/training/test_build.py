"""How a trainer is assembled from configuration and data."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest_training import Recorder, make_trainer

from lightdet.assembly.class_balance import class_frequencies, inverse_class_weights, picture_weights
from lightdet.data.pictures import Pictures
from lightdet.structures import Annotation
from lightdet.training.plan import EpochPlan


def test_badly_fitting_anchors_are_fitted_and_said_so(defect_set: Path, tmp_path: Path) -> None:
    reporter = Recorder()
    trainer = make_trainer(defect_set, tmp_path, ["train.anchor_similarity=0.99"], reporter=reporter)
    assert any("fit badly" in note for note in reporter.notes)
    assert any("fitted new ones" in note for note in reporter.notes)
    default = make_trainer(defect_set, tmp_path, ["train.fit_anchors=false"])
    assert not torch.equal(trainer.task.network.anchors, default.task.network.anchors)


def test_given_anchors_are_kept(defect_set: Path, tmp_path: Path) -> None:
    given = [[[4, 5], [6, 6]], [[10, 9], [8, 12]], [[30, 20], [25, 40]]]
    trainer = make_trainer(defect_set, tmp_path, [f"model.anchors={given}", "train.anchor_similarity=1"])
    assert trainer.task.network.anchors.tolist() == given


@pytest.mark.parametrize(("epochs", "expected"), [(1, 1), (3, 4), (100, 12)])
def test_warmup_leaves_time_to_come_down(defect_set: Path, tmp_path: Path, epochs: int, expected: int) -> None:
    trainer = make_trainer(defect_set, tmp_path, [f"train.epochs={epochs}", "train.warmup_epochs=3"])
    plan = trainer.plan
    assert isinstance(plan, EpochPlan)
    assert plan.schedule.warmup == expected
    assert plan.schedule.at(plan.schedule.steps - 1) == pytest.approx(0.002 * 0.01, rel=1e-6)


def annotated(labels: list[int], crowd: list[bool] | None = None) -> Annotation:
    boxes = np.tile(np.array([[1, 1, 9, 9]], np.float32), (len(labels), 1))
    flags = None if crowd is None else np.array(crowd)
    return Annotation(Path("x.png"), (16, 16), boxes, np.array(labels, np.int64), flags)


def pictures_of(*annotations: Annotation) -> Pictures:
    pictures = Pictures.__new__(Pictures)
    pictures.annotations = list(annotations)
    return pictures


def test_rare_classes_weigh_more_and_crowds_nothing() -> None:
    pictures = pictures_of(annotated([0, 0, 0]), annotated([0, 1]), annotated([2], [True]), annotated([]))
    frequencies = class_frequencies(pictures, 3)
    assert frequencies.tolist() == [4, 1, 0]
    weights = inverse_class_weights(frequencies)
    assert weights[1] == pytest.approx(4 * weights[0].item())
    shares = picture_weights(pictures, frequencies)
    assert shares[1] == max(shares)
    assert shares[0] == shares[2] == shares[3] == min(shares)
