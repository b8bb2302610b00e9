"""Whole small trainings: what they leave, how they stop, and that a resumed one ends with the very same weights."""

import csv
import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from conftest_training import SMALL, Recorder, StopAt, assert_same_tensors, make_trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.models.weights import load_model, read_safetensors
from lightdet.training.callbacks.tensorboard import TensorBoard
from lightdet.training.checkpoint import STATE_FILE, load_state
from lightdet.training.page import PAGE_FILE
from lightdet.training.trainer import BEST_FILE, LAST_FILE, RESULTS_FILE

REPOSITORY = Path(__file__).parents[2]


def weights_after(folder: Path) -> dict[str, torch.Tensor]:
    return read_safetensors(folder / "last.safetensors")[0]


@pytest.mark.skipif(os.name != "posix", reason="file locks as in POSIX")
def test_going_on_removes_what_a_kill_left(defect_set: Path, tmp_path: Path) -> None:
    left = tmp_path / ".best.safetensors.lightdet.tmp"
    left.write_text("a part")
    other = tmp_path / ".notes.tmp"
    other.write_text("somebody else's")
    make_trainer(defect_set, tmp_path, ["train.epochs=1"]).fit()
    assert not left.exists() and other.exists()


def test_a_training_leaves_models_results_and_state(defect_set: Path, tmp_path: Path) -> None:
    reporter = Recorder()
    progress = make_trainer(defect_set, tmp_path, reporter=reporter, board=True).fit()
    assert progress.done
    assert progress.epoch == 3
    weights, card = load_model(tmp_path / "best.safetensors")
    assert card.names[0] == "surface"
    assert card.preprocessing.imgsz == 64
    assert {"epoch", "metrics"} <= card.facts.keys()
    assert all(torch.isfinite(value).all() for value in weights.values())
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["map50_95"]) == pytest.approx(progress.last_metrics["map50_95"])  # type: ignore[index]
    board = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    assert {"training batch", "validation"} <= set(board.Tags()["images"])
    assert {"loss", "map50_95", "lr"} <= set(board.Tags()["scalars"])
    assert not list(tmp_path.glob(".*tmp")), "temporary files stay behind"
    assert len(reporter.records) == 3


def changes_for(optimizer: str) -> list[str]:
    return [f"train.optimizer={optimizer}", "augment.mixup=0.3", "train.channels_last=true"]


@pytest.fixture(scope="module")
def uninterrupted(defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By optimizer, the folder of a training that nothing stopped."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("sgd", "adamw", "muon")}
    for name, folder in folders.items():
        make_trainer(defect_set, folder, changes_for(name)).fit()
    return folders


@pytest.mark.parametrize(
    ("stop_after", "optimizer"),
    [
        (2, "adamw"),
        (7, "sgd"),
        (3, "muon"),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [(2, "sgd"), (4, "adamw"), (4, "sgd"), (7, "adamw")]),
    ],
)
def test_resumed_training_ends_with_the_very_weights(
    defect_set: Path, tmp_path: Path, uninterrupted: dict[str, Path], optimizer: str, stop_after: int
) -> None:
    whole_folder, changes = uninterrupted[optimizer], changes_for(optimizer)
    stopper = StopAt(stop_after)
    first = make_trainer(defect_set, tmp_path / "parts", changes, reporter=stopper)
    stopper.trainer = first
    assert not first.fit().done
    state = load_state(tmp_path / "parts")
    assert state.progress.epoch * 4 + state.progress.batch == stop_after
    assert make_trainer(defect_set, tmp_path / "parts", changes, resume=state).fit().done
    assert_same_tensors(weights_after(whole_folder), weights_after(tmp_path / "parts"))
    whole, parts = (read_safetensors(folder / STATE_FILE)[0] for folder in (whole_folder, tmp_path / "parts"))
    assert_same_tensors(whole, parts)


def test_accumulation_steps_less_often(defect_set: Path, tmp_path: Path) -> None:
    progress = make_trainer(defect_set, tmp_path, ["train.accumulate=3", "train.epochs=1"]).fit()
    assert progress.step == 2  # batches 1-3 together, then the one left over


def test_workers_do_not_change_the_result(defect_set: Path, tmp_path: Path) -> None:
    for workers in (1, 5):
        make_trainer(defect_set, tmp_path / str(workers), ["train.epochs=1", f"train.workers={workers}"]).fit()
    assert_same_tensors(weights_after(tmp_path / "1"), weights_after(tmp_path / "5"))


def test_uncached_pictures_give_the_same_result(defect_set: Path, tmp_path: Path) -> None:
    for cache in ("true", "false"):
        make_trainer(defect_set, tmp_path / cache, ["train.epochs=1", f"train.cache={cache}"]).fit()
    assert_same_tensors(weights_after(tmp_path / "true"), weights_after(tmp_path / "false"))


def test_patience_ends_a_training_that_does_not_improve(defect_set: Path, tmp_path: Path) -> None:
    changes = ["train.patience=1", "train.epochs=30", "train.lr=1.0e-9"]
    progress = make_trainer(defect_set, tmp_path, changes).fit()
    assert progress.done
    assert progress.epoch < 30


def test_divergence_is_an_error_that_says_what_to_do(defect_set: Path, tmp_path: Path) -> None:
    changes = ["train.lr=1.0e+30", "train.clip_norm=0", "train.warmup_epochs=0"]
    with pytest.raises(UserError, match=r"diverged.*lower train\.lr"):
        make_trainer(defect_set, tmp_path, changes).fit()


@pytest.mark.parametrize(
    "changes",
    [
        ["loss.class_weights=inverse_frequency"],
        ["train.image_weights=true"],
        ["loss.box_iou=ciou", "loss.label_smoothing=0.1"],
        ["train.freeze_batchnorm=true"],
        ["train.precision=bf16"],
        ["augment.copy_paste=1", "augment.rotate_90=0.5", "augment.mosaic=0"],
        ["augment.albumentations={GaussianBlur: 0.5, CLAHE: 0.5}"],
        ["model.backbone_block=csp", "model.gate=scalar", "model.attention_at=[8,16,32]"],
    ],
    ids=lambda changes: changes[0].split("=")[0],
)
def test_every_switch_trains(defect_set: Path, tmp_path: Path, changes: list[str]) -> None:
    progress = make_trainer(defect_set, tmp_path, ["train.epochs=1", *changes]).fit()
    assert progress.done
    assert all(math.isfinite(value) for value in progress.history[0].values())


def test_frozen_batchnorm_keeps_its_statistics(defect_set: Path, tmp_path: Path) -> None:
    trainer = make_trainer(defect_set, tmp_path, ["train.epochs=1", "train.freeze_batchnorm=true"])
    before = {k: v.clone() for k, v in trainer.task.network.state_dict().items() if "running" in k}
    trainer.fit()
    after = {k: v for k, v in trainer.task.network.state_dict().items() if "running" in k}
    assert_same_tensors(before, after)


def command(defect_set: Path, output: Path, *more: str) -> list[str]:
    flags = ["--data", str(defect_set), "--output", str(output), "--device", "cpu"]
    return ["train", *flags, *SMALL, "train.epochs=6", *more]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    """The command as a process of its own, for what only a process can meet: signals."""
    door = [sys.executable, str(REPOSITORY / "tools" / "train.py")]
    pipe = subprocess.PIPE
    return subprocess.Popen([*door, *arguments[1:]], env=ONE_THREAD, stdout=pipe, stderr=pipe, text=True)


ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
LONG = "train.epochs=5"


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line with which the command ends."""
    capsys.readouterr()
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


@pytest.mark.parametrize("kills", [(1,), pytest.param((1, 2), marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_goes_on_to_the_very_weights(
    defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kills: tuple[int, ...]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(command(defect_set, whole, LONG)) == 0
    for kill_after_epoch in kills:
        resume = ["--resume"] if (parts / STATE_FILE).exists() else []
        process = start(command(defect_set, parts, LONG, *resume))
        while process.poll() is None:
            if (parts / STATE_FILE).exists() and load_state(parts).progress.epoch >= kill_after_epoch:
                process.kill()  # in time, however seldom a busy machine lets us look
            time.sleep(0.05)
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, errors
    assert main(command(defect_set, parts, LONG, "--resume", "--json", str(tmp_path / "train.json"))) == 0
    assert_same_tensors(weights_after(whole), weights_after(parts))
    assert (whole / "results.csv").read_text().count("\n") == (parts / "results.csv").read_text().count("\n")
    result = json.loads((tmp_path / "train.json").read_text())
    assert {"last", "best", "images_per_second"} <= result.keys()
    assert {"map50", "map75", "map50_95", "per_class"} <= result["best"].keys()
    assert "nothing to resume" in refusal(capsys, command(defect_set, parts, LONG, "--resume"))


def test_ctrl_c_saves_and_says_how_to_go_on(defect_set: Path, tmp_path: Path) -> None:
    process = start(command(defect_set, tmp_path, "train.epochs=1000"))
    while not (tmp_path / STATE_FILE).exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume" in output
    assert "Traceback" not in output + errors
    assert not load_state(tmp_path).progress.done


def test_an_output_that_holds_a_training_is_not_overwritten(
    defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trainer(defect_set, tmp_path, ["train.epochs=1"]).fit()
    assert "--resume" in refusal(capsys, command(defect_set, tmp_path))


def test_resuming_with_another_configuration_is_refused(
    defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopper = StopAt(2)
    trainer = make_trainer(defect_set, tmp_path, ["train.epochs=6"], reporter=stopper, with_run=True)
    stopper.trainer = trainer
    trainer.fit()
    assert "train.lr" in refusal(capsys, command(defect_set, tmp_path, "--resume", "train.lr=0.5"))
    other = REPOSITORY / "configs" / "yolov5n.yaml"  # its section has other keys
    flags = ["--data", str(defect_set), "--output", str(tmp_path), "--device", "cpu", "--imgsz", "64"]
    told = refusal(capsys, ["train", *flags, "--resume", "--config", str(other)])
    assert "model.name was lightdet, now yolov5n" in told


def test_a_training_that_learned_nothing_says_so(defect_set: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    trainer = make_trainer(defect_set, tmp_path, ["train.epochs=1", "train.lr=1e-9"], reporter=recorder)
    assert trainer.fit().best_metrics["map50"] == 0
    told = [note for note in recorder.notes if "nothing was learned" in note]
    assert len(told) == 1 and "only 4 steps" in told[0] and "train.lr" not in told[0]
    recorder.notes.clear()
    for metrics in ({"map50": 0.01}, {"map50": None}, {}, None):  # learned a little; no box to measure; no validation
        trainer.progress.best_metrics = metrics
        trainer.fit()  # it is over: only what is said in the end is left
    assert not [note for note in recorder.notes if "nothing was learned" in note]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such names")
def test_an_output_folder_whose_name_is_not_utf8(defect_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"out-\xff")
    recorder = Recorder()
    make_trainer(defect_set, folder, ["train.epochs=1"], reporter=recorder, board=True).fit()
    assert any("TensorBoard cannot use a folder whose name is not UTF-8" in note for note in recorder.notes)
    assert {path.name for path in folder.iterdir()} == {BEST_FILE, LAST_FILE, RESULTS_FILE, STATE_FILE, PAGE_FILE}
    assert len(load_model(folder / BEST_FILE)[0]) > 100


def test_a_full_disk_under_tensorboard_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is met in a thread of TensorBoard's own, whose traceback would come before the message."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = threading.excepthook
    monkeypatch.setattr(threading, "excepthook", before)  # put back after the test, which leaves it changed
    sound, board = TensorBoard(), TensorBoard()
    sound.open(tmp_path / "sound")
    sound.close()
    assert threading.excepthook is before
    board.open(tmp_path / "board")
    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.raises(UserError, match=rf"board: cannot be written: {os.strerror(errno.ENOSPC)}"):
        for epoch in range(100):
            board.on_epoch_end({"loss": 1.0, "epoch": epoch})
            time.sleep(0.05)
    with pytest.raises(UserError):
        board.close()
    assert capsys.readouterr().err == ""
