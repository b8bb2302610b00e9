"""A cross-validation's folder, splits and kept predictions: continued at any step, refused where something changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.config import YamlFile
from lightdet.data.fold_file import Folds
from lightdet.data.spec import DatasetSpec, SplitSpec
from lightdet.errors import UserError
from lightdet.runs.crossval.plan import CONFIG_NAME, FOLDS_NAME, open_plan
from lightdet.runs.crossval.pool import splits_taken
from lightdet.runs.kept_plan import PLAN_NAME
from lightdet.structures import Classification, Detections
from lightdet.tasks import CLASSIFICATION, DETECTION

FOLDS = Folds(("train",), (("a.png",), ("b.png",)))
DATA: dict[str, Any] = {"classes": ["x"], "splits": ["train"], "folds": 2, "pictures": {"pictures": 2, "bytes": 9}}


def config(*changes: str) -> Any:
    return DETECTION.configuration(YamlFile({}), list(changes))


def no_draw() -> Folds:
    raise AssertionError("drawn again")


def opened(folder: Path, data: dict[str, Any] = DATA, changes: tuple[str, ...] = (), draw: Any = no_draw) -> Folds:
    folder.mkdir(exist_ok=True)
    return open_plan(folder, data, config(*changes), draw)


@pytest.mark.parametrize("lost", [(), (FOLDS_NAME,), (CONFIG_NAME,), (CONFIG_NAME, FOLDS_NAME)])
def test_it_continues_whichever_file_was_not_written_yet(tmp_path: Path, lost: tuple[str, ...]) -> None:
    assert opened(tmp_path, draw=lambda: FOLDS) == FOLDS
    for name in lost:
        (tmp_path / name).unlink()
    assert opened(tmp_path, draw=(lambda: FOLDS) if FOLDS_NAME in lost else no_draw) == FOLDS
    assert (tmp_path / CONFIG_NAME).is_file()


def test_pictures_that_cannot_be_divided_leave_the_folder_free(tmp_path: Path) -> None:
    def too_few() -> Folds:
        raise UserError("too few")

    with pytest.raises(UserError, match="too few"):
        opened(tmp_path, draw=too_few)
    assert opened(tmp_path, {**DATA, "folds": 3}, draw=lambda: FOLDS) == FOLDS


def test_what_changes_no_result_may_change(tmp_path: Path) -> None:
    opened(tmp_path, draw=lambda: FOLDS)
    opened(tmp_path, changes=("train.workers=3", "train.cache=false"))
    assert "workers: 3" in (tmp_path / CONFIG_NAME).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "changes", "told"),
    [
        ({**DATA, "folds": 3}, (), "folds: 2 then, 3 now"),
        ({**DATA, "pictures": {"pictures": 2, "bytes": 8}}, (), "pictures.bytes: 9 then, 8 now"),
        ({**DATA, "classes": ["x", "y"]}, (), "other data"),
        (DATA, ("train.epochs=7",), "other settings (train.epochs"),
        (DATA, ("eval.confidence=0.5",), "other settings (eval.confidence"),
    ],
)
def test_what_changes_results_is_refused(
    tmp_path: Path, data: dict[str, Any], changes: tuple[str, ...], told: str
) -> None:
    opened(tmp_path, draw=lambda: FOLDS)
    with pytest.raises(UserError) as raised:
        opened(tmp_path, data, changes)
    assert told in raised.value.message and "use another --output" in raised.value.message


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"comparison": 1, "data": {}, "models": {}})])
def test_another_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / PLAN_NAME).write_text(text)
    with pytest.raises(UserError, match="is not the plan of a cross-validation"):
        opened(tmp_path)


def test_one_from_before_the_digest_goes_on(tmp_path: Path) -> None:
    then, now = ({**DATA, "pictures": {**DATA["pictures"], "sha256": digest}} for digest in ("ab", "cd"))
    opened(tmp_path / "old", draw=lambda: FOLDS)
    opened(tmp_path / "old", now)
    opened(tmp_path / "new", then, draw=lambda: FOLDS)
    with pytest.raises(UserError, match="started with other pictures or labels; use another --output"):
        opened(tmp_path / "new", now)


def spec(*names: str) -> DatasetSpec:
    return DatasetSpec("set", Path(), "yolo", ("x",), {name: SplitSpec((Path(name),)) for name in names})


def test_test_is_taken_only_if_it_is_named() -> None:
    assert splits_taken(spec("train", "val", "test"), ()) == ("train", "val")
    assert splits_taken(spec("train", "test"), ()) == ("train",)
    assert splits_taken(spec("train", "test"), ("test", "test")) == ("test",)
    with pytest.raises(UserError, match="name the splits to take with --split: a, test"):
        splits_taken(spec("a", "test"), ())


scores = st.lists(st.lists(st.floats(0, 1, width=32), max_size=4), max_size=5)


@settings(max_examples=30)
@given(scores)
def test_boxes_are_kept_as_they_were_found(rows: list[list[float]]) -> None:
    found = []
    for row in rows:
        ordered = np.array(sorted(row, reverse=True), np.float32)
        boxes = np.tile(np.array([0.25, 1, 5.125, 7], np.float32), (len(row), 1))
        found.append(Detections(boxes, ordered, np.arange(len(row)) % 2, ("a", "b"), (len(row) + 1, 9)))
    kept = DETECTION.folding.unpacked(DETECTION.folding.packed(found), ("a", "b")) if found else []
    assert len(kept) == len(found)
    for before, after in zip(found, kept, strict=True):
        assert before.as_dicts() == after.as_dicts() and before.size == after.size
        assert before.scores.tolist() == after.scores.tolist()


def test_probabilities_are_kept_as_they_were_found() -> None:
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 5).astype(np.float32)
    found = [Classification(row, ("a", "b", "c"), (3, 4)) for row in shares]
    kept = CLASSIFICATION.folding.unpacked(CLASSIFICATION.folding.packed(found), ("a", "b", "c"))
    assert [each.probabilities.tolist() for each in kept] == shares.tolist() and kept[0].size == (3, 4)
