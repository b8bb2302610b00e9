"""Classifiers in the detectors' trainer: what they learn, leave and draw, and that they go on to the last bit."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_training import Recorder, StopAt, make_trainer
from torch.nn import functional

import lightdet
from lightdet.assembly.classifier import load_classifier
from lightdet.assembly.classifier_training import IMAGENET
from lightdet.classification.sampling import ClassOrder
from lightdet.classification.task import ClassifyLoss, probabilities
from lightdet.cli.app import main
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.inference.classifier import to_input
from lightdet.models.weights import load_model, read_safetensors
from lightdet.training.checkpoint import STATE_FILE, load_state

REPOSITORY = Path(__file__).parents[2]


def weights_after(folder: Path) -> dict[str, torch.Tensor]:
    return read_safetensors(folder / "last.safetensors")[0]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_and_leaves_model_results_and_state(part_set: Path, tmp_path: Path) -> None:
    reporter = Recorder()
    progress = make_trainer(part_set, tmp_path, ["train.epochs=12"], reporter=reporter).fit()
    assert progress.done and progress.best_metrics is not None
    assert progress.best_metrics["balanced_accuracy"] == 1.0
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert len(rows) == len(reporter.records) == 12
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy", "val_auc"} <= rows[0].keys()
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    best = max(rows, key=lambda row: (float(row["val_balanced_accuracy"]), -float(row["val_loss"])))
    assert progress.best_epoch == int(best["epoch"])
    _, config, card = load_classifier(tmp_path / "best.safetensors")
    assert card.names == ("good", "bad") and card.model["task"] == "classify" and config.name == "cnn"
    assert card.preprocessing.imgsz == 32 and not card.preprocessing.gray


def test_what_is_logged_as_loss_is_the_loss(part_set: Path, tmp_path: Path) -> None:
    """A rate too small to change anything: the epoch's mean must be the criterion over the (repeated) pictures."""
    changes = [
        "train.epochs=1",
        "train.lr=1.0e-12",
        "augment.flip_lr=0",
        "model.dropout=0",
        "train.batch=12",
        "normalize=none",
    ]
    trainer = make_trainer(part_set, tmp_path, changes)
    batches = list(trainer.loader.epoch(0))
    trainer.task.network.eval()
    with torch.no_grad():
        logits = trainer.task.network(torch.cat([batch.images for batch in batches]).float() / 255)
    expected = functional.cross_entropy(logits, torch.cat([batch.labels for batch in batches]))
    row = trainer.fit().history[0]
    assert row["loss"] == pytest.approx(float(expected), rel=1e-4)
    assert row["val_loss"] > 0


@pytest.mark.parametrize("stop_after", [2, 6, 9])
@pytest.mark.parametrize("changes", [[], ["sampling=balanced", "normalize=dataset", "augment.degrees=20"]])
def test_resumed_training_ends_with_the_very_weights(
    part_set: Path, tmp_path: Path, stop_after: int, changes: list[str]
) -> None:
    make_trainer(part_set, tmp_path / "whole", changes).fit()
    stopper = StopAt(stop_after)
    first = make_trainer(part_set, tmp_path / "parts", changes, reporter=stopper)
    stopper.trainer = first
    assert not first.fit().done
    state = load_state(tmp_path / "parts")
    assert state.progress.epoch * 6 + state.progress.batch == stop_after
    assert make_trainer(part_set, tmp_path / "parts", changes, resume=state).fit().done
    assert same(weights_after(tmp_path / "whole"), weights_after(tmp_path / "parts"))
    whole, parts = (read_safetensors(tmp_path / name / STATE_FILE)[0] for name in ("whole", "parts"))
    assert same(whole, parts)


@pytest.mark.parametrize(
    "changes",
    [
        ["model.output=sigmoid"],
        ["model.output=sigmoid", "loss.class_weights=inverse_frequency", "loss.label_smoothing=0.1"],
        ["loss.class_weights=[1, 3]"],
        ["loss.class_weights=inverse_frequency"],
        ["sampling=oversample"],
        ["sampling=undersample"],
        ["train.precision=bf16"],
        ["train.accumulate=2"],
        ["gray=true", "normalize=imagenet"],
        ["augment={flip_ud: 0.5, rotate_90: 0.5, degrees: 10, translate: 0.1, scale: 0.1, shear: 3, hsv_v: 0.2}"],
        ["augment.albumentations={GaussianBlur: 0.5}"],
        ["train.cache=false"],
    ],
    ids=lambda changes: " ".join(changes)[:40],
)
def test_every_switch_trains(part_set: Path, tmp_path: Path, changes: list[str]) -> None:
    progress = make_trainer(part_set, tmp_path, ["train.epochs=1", *changes]).fit()
    assert progress.done
    assert all(math.isfinite(value) for value in progress.history[0].values())


def test_rendered_parts_train(rendered_set: Path, tmp_path: Path) -> None:
    progress = make_trainer(rendered_set, tmp_path, ["train.epochs=1"]).fit()
    assert progress.done and load_model(tmp_path / "best.safetensors")[1].names == ("clean", "defective")


def test_input_is_normalized_as_configured_and_the_card_tells(part_set: Path, tmp_path: Path) -> None:
    for name, wanted in (("none", ((0, 0, 0), (1, 1, 1))), ("imagenet", IMAGENET)):
        make_trainer(part_set, tmp_path / name, ["train.epochs=1", f"normalize={name}"]).fit()
        card = load_model(tmp_path / name / "best.safetensors")[1]
        assert (card.preprocessing.mean, card.preprocessing.std) == wanted
    trainer = make_trainer(part_set, tmp_path / "set", ["normalize=dataset", "gray=true"])
    every = np.stack([trainer.loader.samples.pictures.image(index) for index in range(48)]) / 255
    assert trainer.task.preprocessing.mean == pytest.approx(every.mean(axis=(0, 1, 2)), abs=1e-6)
    assert trainer.task.preprocessing.std == pytest.approx(every.std(axis=(0, 1, 2)), abs=1e-6)
    seen = trainer.task._input(torch.from_numpy((every * 255).astype(np.uint8)).permute(0, 3, 1, 2))
    assert float(seen.mean()) == pytest.approx(0, abs=0.01) and float(seen.std()) == pytest.approx(1, abs=0.01)


LABELS = np.array([0] * 30 + [1] * 7 + [3] * 3, np.int64)


def counts(order: ClassOrder, epoch: int) -> Counter[int]:
    drawn = order.draw(epoch)
    assert len(drawn) == len(order)
    return Counter(LABELS[drawn].tolist())


def test_orders_of_unequal_classes() -> None:
    plain = ClassOrder(LABELS, "none", seed=1)
    assert sorted(plain.draw(0)) == list(range(40)) and not np.array_equal(plain.draw(0), plain.draw(1))
    over = ClassOrder(LABELS, "oversample", seed=1)
    assert counts(over, 4) == {0: 30, 1: 30, 3: 30}
    times = Counter(over.draw(2).tolist())
    assert {times[i] for i in range(30)} == {1} and {times[i] for i in range(30, 37)} <= {4, 5}
    under = ClassOrder(LABELS, "undersample", seed=1)
    assert counts(under, 0) == {0: 3, 1: 3, 3: 3}
    assert len({index for epoch in range(60) for index in under.draw(epoch).tolist()}) == 40
    balanced = ClassOrder(LABELS, "balanced", seed=1)
    together = sum((counts(balanced, epoch) for epoch in range(300)), Counter())
    assert all(together[label] / (300 * 40) == pytest.approx(1 / 3, abs=0.02) for label in (0, 1, 3))
    again = ClassOrder(LABELS, "balanced", seed=1)
    assert np.array_equal(balanced.draw(7), again.draw(7))
    assert not np.array_equal(balanced.draw(7), ClassOrder(LABELS, "balanced", seed=2).draw(7))


def test_one_logit_and_two_are_the_same_network_in_other_words() -> None:
    torch.manual_seed(0)
    one = torch.randn(9, 1)
    two = torch.cat([torch.zeros(9, 1), one], dim=1)
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1])
    assert torch.allclose(probabilities(one), probabilities(two), atol=1e-6)
    for weights in (None, torch.tensor([1.0, 4.0])):
        for smoothing in (0.0, 0.1):
            loss = ClassifyLoss(label_smoothing=smoothing, class_weights=weights)
            if weights is None or smoothing == 0:  # torch smooths the weights with the labels, too
                assert torch.allclose(loss(one, labels), loss(two, labels), atol=1e-6)
    assert probabilities(torch.tensor([[200.0], [-200.0]])).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_patience_ends_a_training_that_does_not_improve(part_set: Path, tmp_path: Path) -> None:
    changes = ["train.patience=2", "train.epochs=30", "train.lr=1.0e-12"]
    progress = make_trainer(part_set, tmp_path, changes).fit()
    assert progress.done and progress.epoch < 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["loss.class_weights=[1, 2, 3]"], "3 numbers and the data set 2 classes"),
        (["train.lr=1.0e+30", "train.clip_norm=0"], "diverged|no longer a number"),
        (["augment.albumentations={Blurr: 1}"], "did you mean 'Blur'"),
    ],
)
def test_mistakes_are_told(part_set: Path, tmp_path: Path, changes: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_trainer(part_set, tmp_path, changes).fit()


def test_an_empty_folder_is_no_class(part_set: Path, tmp_path: Path) -> None:
    shutil.copytree(part_set.parent / "train" / "good", tmp_path / "train" / "good")
    (tmp_path / "train" / "bad").mkdir()
    (tmp_path / "set.yaml").write_text("format: folders\nsplits: {train: train}\n")
    told = (
        r"set\.yaml: a classifier needs at least two classes.* has only 'good', and folders without pictures are none"
    )
    with pytest.raises(UserError, match=told):
        make_trainer(tmp_path / "set.yaml", tmp_path / "out")


def test_a_single_class_cannot_be_learnt(part_set: Path, tmp_path: Path) -> None:
    root = part_set.parent
    (tmp_path / "set.yaml").write_text(
        f"root: {root}\nformat: folders\nclasses: [good, bad]\nsplits: {{train: train/good, val: val}}\n"
    )
    with pytest.raises(UserError, match=r"every picture of the split 'train' is 'good'"):
        make_trainer(tmp_path / "set.yaml", tmp_path / "out")


def command(data: Path, output: Path, *more: str) -> list[str]:
    flags = ["--data", str(data), "--output", str(output), "--device", "cpu"]
    return ["train", *flags, *more]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """SMALL as a YAML file."""
    lines = ["task: classify", "imgsz: 32", "model: {name: cnn, widths: [8, 16], hidden: [16], dropout: 0.1}"]
    lines += ["train: {batch: 8, epochs: 5, lr: 0.003, warmup_epochs: 0.5, precision: fp32, workers: 2}"]
    path = tmp_path / "recipe.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow  # a detector is killed in tests/training, and the trainer is the same
def test_killed_it_goes_on_to_the_very_weights(
    part_set: Path, tmp_path: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(command(part_set, whole, "--config", str(recipe))) == 0
    told = capsys.readouterr().out
    assert "48 pictures (36 good, 12 bad) to train, 14 to validate" in told
    assert "balanced accuracy" in told and "model: " in told
    process = subprocess.Popen(
        [sys.executable, REPOSITORY / "tools" / "train.py", *command(part_set, parts, "--config", str(recipe))[1:]],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None:
        if (parts / STATE_FILE).exists() and load_state(parts).progress.epoch >= 2:
            process.kill()
        time.sleep(0.05)
    assert process.stderr is not None
    assert process.returncode == -signal.SIGKILL, process.stderr.read().decode()
    process.stderr.close()
    assert main(command(part_set, parts, "--resume", "--json", str(tmp_path / "train.json"))) == 0
    assert same(weights_after(whole), weights_after(parts))
    result = json.loads((tmp_path / "train.json").read_text())
    assert {"accuracy", "balanced_accuracy", "f1", "auc", "loss"} <= result["best"].keys()


def test_the_command_tells_boxes_and_classes_apart(
    part_set: Path, tmp_path: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(part_set, tmp_path / "out")) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "--config configs/classify/mobilenet_v2.yaml" in told
    boxes = tmp_path / "boxes.yaml"
    boxes.write_text(f"root: {part_set.parent}\nformat: yolo\nclasses: [a]\nsplits: {{train: train}}\n")
    assert main(command(boxes, tmp_path / "out", "--config", str(recipe))) == 2
    assert "one class per picture" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_learnt_or_measured_is_said(
    part_set: Path, tmp_path: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set.yaml").write_text(
        f"root: {part_set.parent}\nformat: folders\nclasses: [good, bad, odd]\n"
        "splits: {train: train, val: {images: val/good}}\n"
    )
    flags = command(tmp_path / "set.yaml", tmp_path / "out", "--config", str(recipe), "--epochs", "1")[1:]
    assert main(["train", *flags]) == 0
    told = capsys.readouterr().out
    assert "no picture of 'odd' to train on: it cannot be learned\n" in told
    assert "all pictures of the split 'val' are of one class" in told
    assert main(["train", *flags[2:], "--data", str(part_set), "--overwrite"]) == 0
    told = capsys.readouterr().out
    assert "cannot be learned" not in told and "of one class" not in told


def test_with_one_class_to_validate_on_the_last_epoch_is_the_best(part_set: Path, tmp_path: Path) -> None:
    (tmp_path / "set.yaml").write_text(
        f"root: {part_set.parent}\nformat: folders\nclasses: [good, bad]\n"
        "splits: {train: train, val: {images: val/good}}\n"
    )
    progress = make_trainer(tmp_path / "set.yaml", tmp_path / "out", ["train.patience=1"]).fit()
    assert (progress.epoch, progress.best, progress.best_epoch) == (3, None, 3)
    best, last = (load_model(tmp_path / "out" / f"{name}.safetensors")[0] for name in ("best", "last"))
    assert all(torch.equal(best[name], last[name]) for name in best)


def test_the_page_shows_curves_batches_and_the_surest_pictures(part_set: Path, tmp_path: Path) -> None:
    make_trainer(part_set, tmp_path / "first", board=True).fit()
    text = (tmp_path / "first" / "training.html").read_text(encoding="utf-8")
    for heading in ("Accuracy", "AUC of the validation", "Best: most confident, and right", "First training batches"):
        assert f">{heading}</h" in text
    assert "Over- and underfitting cannot be judged" in text
    assert "36 good, 12 bad" in text
    assert text.count("<img") == text.count('src="data:image/jpeg;base64,') >= 3 + 6


def test_minutes_choose_the_epochs(part_set: Path, tmp_path: Path, recipe: Path) -> None:
    assert main(command(part_set, tmp_path / "out", "--config", str(recipe), "--minutes", "0.01")) == 0
    assert load_state(tmp_path / "out").progress.done


@pytest.mark.parametrize("changes", [[], ["gray=true", "normalize=dataset"], ["normalize=imagenet"]])
def test_a_predictor_sees_what_validation_sees(tmp_path: Path, changes: list[str]) -> None:
    """Coloured pictures of several shapes, larger and smaller than the input: the same probabilities, to rounding."""
    rng = np.random.default_rng(2)
    for split in ("train", "val"):
        for kind in ("a", "b"):
            (tmp_path / split / kind).mkdir(parents=True)
            for number, size in enumerate(((40, 30, 3), (20, 61, 3), (33, 33, 3), (90, 70, 3))):
                blobs = cv2.resize(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), size[1::-1])
                cv2.imwrite(str(tmp_path / split / kind / f"{number}.png"), blobs)
    (tmp_path / "set.yaml").write_text("format: folders\nsplits: {train: train, val: val}\n")
    trainer = make_trainer(tmp_path / "set.yaml", tmp_path / "out", ["train.epochs=1", *changes])
    trainer.fit()
    pictures = trainer.validation.pictures  # type: ignore[union-attr]
    inputs = np.stack([to_input(pictures.image(index), trainer.task.preprocessing) for index in range(8)])
    logits = trainer.task.logits(trainer.average.network, torch.from_numpy(inputs).permute(0, 3, 1, 2))
    predictor = lightdet.load(tmp_path / "out" / "last.safetensors")
    found = predictor.batch([str(each.image) for each in pictures.annotations])
    assert np.allclose(np.stack([each.probabilities for each in found]), probabilities(logits).numpy(), atol=1e-5)
    exact = [to_input(read_image(each.image), predictor.preprocessing) for each in pictures.annotations]
    assert np.array_equal(np.stack(exact), inputs)
