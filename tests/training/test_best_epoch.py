"""Which epoch is the best: by what was measured alone; where nothing is, the last one."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest_training import SMALL, Recorder, assert_same_tensors, make_trainer
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightdet.cli.app import main
from lightdet.models.weights import read_safetensors
from lightdet.training.checkpoint import Progress

SCORES = st.lists(st.integers(0, 4).map(lambda tenths: tenths / 10), min_size=1, max_size=12)


def told(scores: list[float | None]) -> tuple[Progress, list[int]]:
    """A training that was scored so after each epoch, and the epochs that were the best in their turn."""
    progress, best = Progress(), []
    for score in scores:
        if progress.note_score(score, {"score": score}):
            best.append(progress.epoch + 1)
        progress.epoch += 1
    return progress, best


@given(scores=SCORES)
def test_the_best_epoch_is_the_last_of_the_highest_scores(scores: list[float]) -> None:
    progress, best = told(list(scores))
    wanted = len(scores) - scores[::-1].index(max(scores))
    assert (progress.best, progress.best_epoch, best[-1]) == (max(scores), wanted, wanted)
    assert progress.best_metrics == {"score": max(scores)}
    assert progress.since_best == len(scores) - 1 - scores.index(max(scores)), "equal is not better: patience counts it"


@given(count=st.integers(1, 12))
def test_of_epochs_that_were_not_measured_the_last_is_the_best_and_patience_waits_for_nothing(count: int) -> None:
    progress, best = told([None] * count)
    assert best == list(range(1, count + 1))
    assert (progress.best, progress.best_epoch, progress.since_best) == (None, count, 0)


@pytest.fixture(scope="module", params=["no split", "good pictures alone"])
def unmeasured_set(request: pytest.FixtureRequest, defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small set with nothing to measure on: without a split 'val', or with one that has no box."""
    values = yaml.safe_load(defect_set.read_text())
    folder = tmp_path_factory.mktemp("unmeasured")
    values["root"] = str(defect_set.parent)
    del values["splits"]["val"]
    if request.param != "no split":
        (folder / "good").mkdir()
        for number in range(2):
            noise = np.random.default_rng(number).integers(0, 255, (96, 96, 3), np.uint8)
            Image.fromarray(noise).save(folder / "good" / f"{number}.png")
            (folder / "good" / f"{number}.txt").touch()
        values["splits"]["val"] = str(folder / "good")
    path = folder / "set.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_training_that_is_not_measured_keeps_its_last_epoch(unmeasured_set: Path, tmp_path: Path) -> None:
    progress = make_trainer(unmeasured_set, tmp_path, ["train.patience=1"], reporter=Recorder()).fit()
    assert progress.epoch == 3, "patience ends nothing that is not measured"
    assert (progress.best, progress.best_epoch) == (None, 3)
    best, last = (read_safetensors(tmp_path / f"{name}.safetensors")[0] for name in ("best", "last"))
    assert_same_tensors(best, last)


def test_the_command_shows_no_score_where_there_is_none(
    unmeasured_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--data", str(unmeasured_set), "--output", str(tmp_path / "o"), "--device", "cpu", "--epochs", "2"]
    assert main(["train", *args, *SMALL]) == 0
    shown = capsys.readouterr().out
    assert "no epoch is scored, and best.safetensors will be the last epoch's" in shown
    assert "none was scored, so the last one counts as the best" in shown
    assert "mAP" not in shown and "nothing was learned" not in shown
