"""``lightdet tune``: whole searches of trainings that last seconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from lightdet.assembly.detector_training import tiling
from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.runs.tune.objective import Objective
from lightdet.runs.tune.tuning import Tuning
from lightdet.tasks.classification.training import ClassificationTraining
from lightdet.tasks.detection.training import DetectionTraining
from lightdet.tuning.study import PICTURES

SMALL = ["imgsz=64", "model.widths=[8, 8, 16, 16, 16]", "train.batch=4", "train.precision=fp32", "train.workers=1"]
SPACE = "train.lr: {low: 1e-3, high: 1e-1, log: true}\naugment.mosaic: [0, 1]\n"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def command(data: Path, space: Path, output: Path, *more: object) -> list[str]:
    start = ["tune", "--data", str(data), "--space", str(space), "--output", str(output), "--device", "cpu"]
    return [*start, *map(str, more), *SMALL]


def error_of(capsys: pytest.CaptureFixture[str], args: list[str]) -> str:
    capsys.readouterr()
    assert main(args) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    return told


@pytest.mark.slow
def test_a_search_from_space_to_page(
    tmp_path: Path, defect_set: Path, space: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    assert main(command(defect_set, space, output, "--trials", 2, "--epochs", 2)) == 0
    told = capsys.readouterr().out
    first, second = (next(line for line in told.splitlines() if f"trial   {number}" in line) for number in (0, 1))
    assert first.endswith(" left") and not second.endswith(" left")
    assert f"lightdet train --config {output / 'best.yaml'}" in told
    numbers = json.loads((output / "tune.json").read_text())
    assert [trial["state"] for trial in numbers["trials"]] == ["complete", "complete"]
    assert len(numbers["trials"][0]["scores"]) == 2
    best = yaml.safe_load((output / "best.yaml").read_text())
    assert best["train"]["lr"] == pytest.approx(numbers["best"]["params"]["train.lr"])
    assert best["train"]["epochs"] == 2
    assert best["train"]["save_every"] == 1  # what the search needs for itself stays there
    page = (output / "tune.html").read_text(encoding="utf-8")
    assert "train.lr" in page
    assert "data:image/svg+xml" in page
    assert "<script" not in page
    kept = sorted(path.parent.name for path in output.glob("trials/*/best.safetensors"))
    assert kept == [f"{numbers['best']['number']:04d}"]
    assert not list(output.glob("trials/*/state.safetensors"))
    # the same again has nothing to do; more trials go on
    assert main(command(defect_set, space, output, "--trials", 2, "--epochs", 2)) == 0
    assert main(command(defect_set, space, output, "--trials", 3, "--epochs", 2)) == 0
    assert len(json.loads((output / "tune.json").read_text())["trials"]) == 3
    assert "another configuration" in error_of(capsys, command(defect_set, space, output, "--epochs", 3))
    # what it found can be trained with
    args = ["train", "--config", str(output / "best.yaml"), "--data", str(defect_set), "--output", str(tmp_path / "t")]
    assert main([*args, "train.epochs=1", "--device", "cpu"]) == 0


def test_a_diverging_trial_is_told_and_the_search_goes_on(
    tmp_path: Path, defect_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("train.lr: [1e30, 0.001]")
    output = tmp_path / "run"
    args = command(defect_set, space, output, "--sampler", "grid", "--epochs", 1)
    assert main([*args, "train.clip_norm=0", "train.optimizer=sgd", "train.warmup_epochs=0"]) == 0
    assert "cannot be trained" in capsys.readouterr().out
    trials = json.loads((output / "tune.json").read_text())["trials"]
    assert [trial["state"] for trial in trials] == ["unfit", "complete"]
    assert "Trials that failed" in (output / "tune.html").read_text(encoding="utf-8")


def test_a_classifier_goes_through_the_same_door(tmp_path: Path, class_set: Path) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("sampling: [none, balanced]\n")
    config = tmp_path / "cnn.yaml"
    config.write_text("task: classify\nimgsz: 32\nmodel: {name: cnn, widths: [4, 8], hidden: [8]}\n")
    output = tmp_path / "run"
    args = ["tune", "--data", str(class_set), "--space", str(space), "--config", str(config)]
    more = ["--sampler", "grid", "--epochs", "1", "--batch", "4", "--device", "cpu", "train.workers=1"]
    assert main([*args, "-o", str(output), *more]) == 0
    numbers = json.loads((output / "tune.json").read_text())
    assert numbers["score"] == "balanced accuracy"
    assert [trial["state"] for trial in numbers["trials"]] == ["complete", "complete"]
    best = yaml.safe_load((output / "best.yaml").read_text())
    assert best["task"] == "classify"


@pytest.mark.parametrize(
    ("key", "values", "settings"),
    [
        ("tiles.size", [64, 96], ["imgsz=64"]),
        ("tiles.overlap", [0.1, 0.3], ["imgsz=64", "tiles.size=64"]),
        ("imgsz", [32, 64], []),
        ("gray", [False, True], ["task=classify", "imgsz=32", "model.name=cnn"]),
        ("train.lr", [0.1, 0.01], ["imgsz=64", "tiles.size=64"]),
    ],
)
def test_every_trial_sees_the_pictures_that_its_values_ask_for(
    key: str,
    values: list[Any],
    settings: list[str],
    tmp_path: Path,
    defect_set: Path,
    class_set: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, stores = [], []

    def seeing(self: Any, config: Any, data: Any, context: Any, **more: Any) -> None:
        wanted = (config.imgsz, getattr(config, "gray", False), getattr(config, "tiles", None) and tiling(config))
        for pictures in (data.train, data.val):
            assert (pictures.imgsz, pictures.gray, getattr(pictures, "tiles", None)) == wanted
        seen.append(wanted)
        stores.append(data)
        raise UserError("enough")

    for training in (DetectionTraining, ClassificationTraining):
        monkeypatch.setattr(training, "trainer", seeing)
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({key: values}))
    data = class_set if "task=classify" in settings else defect_set
    args = ["tune", "--data", str(data), "--space", str(tmp_path / "space.yaml"), "--sampler", "grid"]
    assert main([*args, "--output", str(tmp_path / "run"), "--device", "cpu", "--epochs", "1", *settings]) == 2
    assert len(seen) == 2 and (len(set(seen)) == 2) == (key != "train.lr")
    assert (stores[0] is stores[1]) == (key == "train.lr"), "decoded again only where it must be"


def small_set(source: Path, folder: Path) -> Path:
    """A copy of the set whose labels and pictures may be changed."""
    return Path(shutil.copytree(source.parent, folder)) / source.name


def flip(picture: Path) -> None:
    with Image.open(picture) as old:
        old.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(picture)


def move_box(label: Path) -> None:
    rows = [row.split() for row in label.read_text().splitlines()]
    label.write_text("".join(f"{row[0]} 0.5 0.5 {row[3]} {row[4]}\n" for row in rows))


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("change", ["label", "picture"])
def test_scores_of_other_data_are_not_compared(
    split: str, change: str, tmp_path: Path, defect_set: Path, space: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(Objective, "__call__", lambda self, attempt: (0.5, {}))
    data = small_set(defect_set, tmp_path / "set")
    output = tmp_path / "run"
    assert main(command(data, space, output, "--trials", 1)) == 0
    moved = data.parent.rename(tmp_path / "moved") / data.name  # the same data elsewhere
    assert main(command(moved, space, output, "--trials", 2)) == 0
    label = next(path for path in sorted((moved.parent / "labels" / split).iterdir()) if path.read_text())
    if change == "label":
        move_box(label)
    else:
        flip(next((moved.parent / "images" / split).glob(f"{label.stem}.*")))
    told = error_of(capsys, command(moved, space, output, "--trials", 3))
    assert "the study 'lightdet' was begun with other pictures or labels" in told and "--overwrite" in told
    assert main(command(moved, space, output, "--trials", 3, "--overwrite")) == 0


def test_labels_corrected_during_a_search_end_it(
    tmp_path: Path, defect_set: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_set(defect_set, tmp_path / "set")

    def corrected(self: Any, config: Any, pictures: Any, context: Any, **more: Any) -> None:
        move_box(next(path for path in sorted((data.parent / "labels" / "val").iterdir()) if path.read_text()))
        raise UserError("enough")

    monkeypatch.setattr(DetectionTraining, "trainer", corrected)
    (tmp_path / "space.yaml").write_text("imgsz: [64, 96]\n")
    args = ["tune", "--data", str(data), "--space", str(tmp_path / "space.yaml"), "--sampler", "grid", "--epochs", "1"]
    told = error_of(capsys, [*args, "--output", str(tmp_path / "run"), "--device", "cpu"])
    assert "pictures or labels have changed since the search began" in told


def test_a_study_that_knows_no_digests_goes_on_and_learns_them(
    tmp_path: Path, defect_set: Path, space: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Objective, "__call__", lambda self, attempt: (0.5, {}))
    data, output = small_set(defect_set, tmp_path / "set"), tmp_path / "run"
    with monkeypatch.context() as patch:
        before = Tuning._identity
        patch.setattr(Tuning, "_identity", lambda self: {k: v for k, v in before(self).items() if k != PICTURES})
        assert main(command(data, space, output, "--trials", 1)) == 0
    assert main(command(data, space, output, "--trials", 2)) == 0
    move_box(next(path for path in sorted((data.parent / "labels" / "val").iterdir()) if path.read_text()))
    assert "other pictures or labels" in error_of(capsys, command(data, space, output, "--trials", 3))


def test_pictures_that_are_left_out_are_told(
    tmp_path: Path, class_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "space.yaml").write_text("sampling: [none, balanced]\n")
    (tmp_path / "c.yaml").write_text("task: classify\nimgsz: 32\nmodel: {name: cnn, widths: [4, 8], hidden: [8]}\n")
    root = shutil.copytree(class_set.parent, tmp_path / "set")
    (root / "train" / "dark" / "broken.png").write_bytes(b"no picture")
    args = ["tune", "--data", str(root / class_set.name), "--space", str(tmp_path / "space.yaml"), "--trials", "1"]
    args += ["--config", str(tmp_path / "c.yaml"), "-o", str(tmp_path / "run"), "--epochs", "1", "--device", "cpu"]
    assert "broken.png: " in error_of(capsys, [*args, "train.workers=1"])
    assert main([*args, "--on-error", "skip", "train.workers=1"]) == 0
    told = capsys.readouterr().out
    assert "bad pictures or labels left out: 1\n" in told and "broken.png: " in told
    assert len(json.loads((tmp_path / "run" / "tune.json").read_text())["skipped"]) == 1


def test_there_is_no_search_without_a_score(
    tmp_path: Path, defect_set: Path, space: Path, class_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good"
    shutil.copytree(class_set.parent / "val" / "dark", good)
    for picture in list(good.iterdir()):
        picture.with_suffix(".txt").touch()
    values = yaml.safe_load(defect_set.read_text()) | {"root": str(defect_set.parent)}
    values["splits"]["val"] = str(good)
    data = tmp_path / "set.yaml"
    data.write_text(yaml.safe_dump(values))
    told = error_of(capsys, command(data, space, tmp_path / "run", "--trials", 2, "--epochs", 1))
    assert "set.yaml: no picture of the split 'val' has a box: there is no score to search by" in told
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_mistakes_are_told_before_anything_is_trained(
    tmp_path: Path, defect_set: Path, space: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    assert "infinitely many values" in error_of(capsys, command(defect_set, space, output, "--sampler", "grid"))
    assert "set on the command line" in error_of(capsys, command(defect_set, space, output, "train.lr=0.1"))
    told = error_of(capsys, command(defect_set, tmp_path / "none.yaml", output))
    assert "none.yaml: no such file" in told
    (tmp_path / "bad.yaml").write_text("train.lrr: [0.1]")
    assert "bad.yaml:1: unknown key 'train.lrr'; did you mean 'train.lr'?" in error_of(
        capsys, command(defect_set, tmp_path / "bad.yaml", output)
    )
    assert "is not a URL" in error_of(capsys, command(defect_set, space, output, "--storage", "study.db"))
    classify = tmp_path / "classify.yaml"
    classify.write_text("task: classify\nmodel: {name: cnn}\n")
    (tmp_path / "ok.yaml").write_text("train.lr: [0.1]")
    told = error_of(capsys, ["tune", "-d", str(defect_set), "--space", str(tmp_path / "ok.yaml"), "-c", str(classify)])
    assert "marks boxes" in told
    assert not list(output.glob("trials/*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_broken_off_search_goes_on(tmp_path: Path, defect_set: Path, space: Path, number: signal.Signals) -> None:
    output = tmp_path / "run"
    args = command(defect_set, space, output, "--trials", 2, "--epochs", 8, "--pruner", "none")
    process = subprocess.Popen([sys.executable, "-m", "lightdet", *args], stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 200
    while not _scores(output / "study.db"):
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < end
        time.sleep(0.1)
    os.kill(process.pid, number)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert ("the same command continues" in told) == (number == signal.SIGINT)
    assert main(args) == 0
    trials = json.loads((output / "tune.json").read_text())["trials"]
    assert [trial["state"] for trial in trials] == ["failed", "complete", "complete"]
    assert trials[1]["params"] == trials[0]["params"]
    assert trials[1]["retry_of"] == 0


def _scores(database: Path) -> int:
    """How many epochs were scored so far."""
    if not database.is_file():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM trial_intermediate_values").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
