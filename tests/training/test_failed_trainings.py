"""What a training that fails, or has ended, says and leaves: advice that can be followed, and no empty folders."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest_training import SMALL, make_trainer
from hypothesis import given
from hypothesis import strategies as st

import lightdet
from lightdet.cli.app import main
from lightdet.data.picture_digest import picture_digest
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.errors import UserError
from lightdet.files import make_folder, remove_empty_folders
from lightdet.runs.trained_on import FILE_NAME, Seen, seen_by
from lightdet.training.reporting import diverged

DIVERGING = ["train.lr=1.0e+30", "train.clip_norm=0", "train.warmup_epochs=0"]


def train(data: Path, output: Path, *more: str) -> list[str]:
    return ["train", "--data", str(data), "--output", str(output), "--device", "cpu", *SMALL, *more]


@given(epoch=st.integers(1, 99), kept=st.integers(0, 98), precision=st.sampled_from(["fp32", "bf16", "fp16"]))
def test_advice_is_what_is_not_followed_yet(epoch: int, kept: int, precision: str) -> None:
    told = diverged(epoch, 0.5, precision, kept)
    assert f"in epoch {epoch} " in told and "lower train.lr (it is 0.5)" in told
    assert ("train.precision=fp32" in told) == (precision != "fp32")
    assert ("kept" in told) == (kept > 0)


def test_a_first_epoch_that_diverges_leaves_nothing(
    defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "runs" / "out"
    assert main(train(defect_set, output, *DIVERGING)) == 2
    told = capsys.readouterr().err
    assert "diverged in epoch 1" in told and "fp32" not in told and "kept" not in told
    assert not output.parent.exists()


def test_what_was_there_before_stays(defect_set: Path, tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "earlier").write_text("curves")
    with pytest.raises(UserError, match="diverged"):
        make_trainer(defect_set, tmp_path, DIVERGING, board=True).fit()
    assert [path.name for path in (tmp_path / "tensorboard").iterdir()] == ["earlier"]


@pytest.mark.parametrize("wrong", ["no picture", "no label", "no box"])
def test_data_that_cannot_be_trained_on_leave_no_folder(defect_set: Path, tmp_path: Path, wrong: str) -> None:
    data, output = tmp_path / "set", tmp_path / "a" / "b"
    for folder in ("images/train", "labels/train"):
        (data / folder).mkdir(parents=True)
    if wrong != "no picture":
        picture = next((defect_set.parent / "images" / "train").iterdir())
        (data / "images/train" / picture.name).write_bytes(picture.read_bytes())
    if wrong == "no box":
        (data / "labels/train" / picture.with_suffix(".txt").name).touch()
    (data / "set.yaml").write_text("format: yolo\nclasses: [a]\nsplits: {train: images/train}\n")
    assert main(train(data / "set.yaml", output)) == 2
    assert not output.parent.exists()


def pictures_of(data: Path) -> list[Path]:
    return sorted((data.parent / "images" / "train").iterdir())


class Killed(lightdet.Callback):
    """A crash after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, record: Mapping[str, Any]) -> None:
        if record["epoch"] == self.epoch:
            raise SystemError


def trained(data: Path, output: Path, *more: str, killed: int = 0, **options: Any) -> None:
    callbacks = [Killed(killed)] if killed else []
    lightdet.train(data, output=output, device="cpu", overrides=[*SMALL, *more], callbacks=callbacks, **options)


@pytest.mark.parametrize("validates", ["train.validate_every=1", "train.validate_every=9"])
def test_the_pictures_of_a_replaced_training_are_forgotten_with_its_models(
    defect_set: Path, tmp_path: Path, validates: str
) -> None:
    """A model never lies beside a list that lacks a picture it has learned, whenever the training is killed."""
    new, output = write_synthetic(tmp_path / "new", SyntheticPlan(images=18, imgsz=96, seed=8)).yaml, tmp_path / "out"
    best, last = output / "best.safetensors", output / "last.safetensors"
    theirs, ours = pictures_of(defect_set), pictures_of(new)
    trained(defect_set, output, "train.epochs=1")
    before, old = best.read_bytes(), (output / FILE_NAME).read_bytes()
    assert seen_by(best, [*theirs, *ours]) == Seen(len(theirs), 0, theirs[0])

    with pytest.raises(SystemError):
        trained(defect_set, tmp_path / "first", "train.epochs=2", killed=1)
    assert seen_by(tmp_path / "first" / "last.safetensors", [*theirs, *ours]) == Seen(len(theirs), 0, theirs[0])

    with pytest.raises(UserError, match="diverged in epoch 1"):
        trained(new, output, *DIVERGING, overwrite=True)
    assert best.read_bytes() == before and (output / FILE_NAME).read_bytes() == old

    with pytest.raises(SystemError):
        trained(new, output, "train.epochs=2", validates, killed=1, overwrite=True)
    assert last.read_bytes() != before and (best.read_bytes() == before) == (validates == "train.validate_every=9")
    assert seen_by(last, [*theirs, *ours]) == Seen(len(theirs) + len(ours), 0, theirs[0])

    lightdet.train(new, output=output, device="cpu", resume=True)
    assert seen_by(best, [*theirs, *ours]) == Seen(len(ours), 0, ours[0])
    assert set(json.loads((output / FILE_NAME).read_text())["train"]) == {picture_digest(each) for each in ours}


def test_what_an_unlisted_training_learned_stays_unknown(defect_set: Path, tmp_path: Path) -> None:
    """As long as one of its models is there."""
    output = tmp_path / "out"
    trained(defect_set, output, "train.epochs=1")
    (output / FILE_NAME).unlink()
    with pytest.raises(SystemError):
        trained(defect_set, output, "train.epochs=2", killed=1, overwrite=True)
    assert seen_by(output / "best.safetensors", pictures_of(defect_set)) is None
    lightdet.train(defect_set, output=output, device="cpu", resume=True)
    assert seen_by(output / "best.safetensors", pictures_of(defect_set)) is not None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("de"), st.booleans()), max_size=6))
def test_only_empty_folders_of_our_own_are_removed(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[str, str, bool]]
) -> None:
    root = tmp_path_factory.mktemp("folders")
    (root / "a").mkdir()  # somebody else's
    for above, below, filled in wanted:
        folder = make_folder(root / above / below)
        if filled:
            (folder / "file").touch()
    remove_empty_folders()
    kept = {root / above / below for above, below, filled in wanted if filled}
    assert {path for path in root.rglob("*") if path.is_dir()} == kept | {path.parent for path in kept} | {root / "a"}


def test_a_finished_training_names_the_way_on(
    defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert main(train(defect_set, output, "train.epochs=1")) == 0
    shown = capsys.readouterr().out
    assert "to expect: 4 steps per epoch, 4 steps in all" in shown
    assert "--epochs 500" in shown and "mAP 0.000 is normal this early (step 4 of 4)" in shown
    assert f"page: {output}/training.html; curves of several trainings: tensorboard --logdir {tmp_path}\n" in shown
    assert main(train(defect_set, output, "--resume", "train.epochs=2")) == 2
    told = capsys.readouterr().err
    assert "ended after 1 of 1 epochs, so there is nothing to resume" in told
    way = f"--weights {output / 'last.safetensors'} --output ANOTHER"
    assert way in told
    other = ["--weights", str(output / "last.safetensors"), "--epochs", "1"]  # the advice, followed
    flags = ["--data", str(defect_set), "--device", "cpu", "--output", str(tmp_path / "more"), *other]
    assert main(["train", *flags, "train.batch=4"]) == 0
