"""``lightdet crossval``: two folds of a small set for either task, stopped and continued, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_this_process import trained_here
from PIL import Image
from safetensors.numpy import save_file

import lightdet
from lightdet.card import ModelCard, peek_model_card
from lightdet.classification import intervals
from lightdet.cli.app import main
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.drift import reference as drift_reference
from lightdet.drift.statistics import PICTURE_STATISTICS
from lightdet.errors import UserError
from lightdet.inference.watching import stored_reference
from lightdet.models.weights import load_model, save_model
from lightdet.options.crossval import CrossvalOptions
from lightdet.runs import training_process, trainings
from lightdet.runs.crossval import checks
from lightdet.runs.crossval.run import CrossValidation
from lightdet.runs.judging import SEEN
from lightdet.structures import Preprocessing

BOXES = """\
imgsz: 64
model: {widths: [8, 8, 16, 16, 16], attention_at: [], gate_at: []}
train: {epochs: 1, batch: 8, precision: fp32, warmup_epochs: 0, workers: 1}
eval: {confidence: 1.0e-05}
"""
CLASSES = """\
task: classify
imgsz: 32
model: {name: cnn, widths: [4, 8], hidden: [8]}
train: {epochs: 1, batch: 8, precision: fp32, warmup_epochs: 0, workers: 1}
"""


@pytest.fixture(autouse=True, scope="module")
def _few_resamples_and_folds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 5)
        patch.setattr(checks, "FEWEST_FOLDS", 2)
        patch.setattr(drift_reference, "FEWEST", 10)
        yield


def make_boxes(folder: Path) -> None:
    written = write_synthetic(folder / "set", SyntheticPlan(images=24, imgsz=96, seed=1, val=0.3, clean=0.4))
    shutil.copy(written.yaml, folder / "set" / "mine.yaml")
    (folder / "config.yaml").write_text(BOXES)


def make_classes(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for split, count in {"train": 8, "val": 4, "test": 3}.items():
        for label, light in {"good": 150, "bad": 100}.items():
            (folder / "set" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.normal(light, 40, (32, 32, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / "set" / split / label / f"{number}.png")
    (folder / "set" / "mine.yaml").write_text(
        "format: folders\nclasses: [good, bad]\nsplits: {train: train, val: val, test: test}\n"
    )
    (folder / "config.yaml").write_text(CLASSES)


RATE = ["--escape-rate", "0.4", "--confidence", "0.8"]


@pytest.fixture(scope="module", params=[make_boxes, make_classes], ids=["boxes", "classes"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cross-validation that was stopped after its first training, and then continued."""
    folder = tmp_path_factory.mktemp("crossval")
    request.param(folder)

    class Once:
        """A stop is asked for as soon as the first fold is trained."""

        @property
        def requested(self) -> bool:
            reached = trainings.read_progress(folder / "cv" / "fold1")
            return reached is not None and reached.done

    with pytest.MonkeyPatch.context() as patch, trained_here():
        patch.chdir(folder)
        with pytest.MonkeyPatch.context() as stop:
            stop.setattr(trainings, "stop_on_signal", lambda: nullcontext(Once()))
            assert main(command(*RATE)) == 130
        assert not (folder / "cv" / "fold2" / "last.safetensors").exists()
        (folder / "first").write_bytes((folder / "cv" / "fold1" / "last.safetensors").read_bytes())
        assert main(command(*RATE)) in (0, 1)
    return folder


def command(*args: str) -> list[str]:
    """The command, with options in place of its own."""
    flags = {"--data": "set/mine.yaml", "--config": "config.yaml", "--folds": "2", "--output": "cv"}
    own = {flag: value for flag, value in flags.items() if flag not in args}
    return ["crossval", *[text for pair in own.items() for text in pair], *args]


def numbers(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "cv" / "crossval.json").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_from_python_it_is_the_same(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole)
    rate = {"escape_rate": 0.4, "confidence": 0.8}
    done = lightdet.cross_validate("set/mine.yaml", config="config.yaml", folds=2, output="cv", progress=False, **rate)
    assert json.loads(json.dumps(done.to_dict())) == numbers(whole)
    assert done.json == Path("cv/crossval.json") and done.model == Path("cv/model.safetensors")


def test_what_was_trained_before_the_stop_is_kept(whole: Path) -> None:
    assert (whole / "cv" / "fold1" / "last.safetensors").read_bytes() == (whole / "first").read_bytes()


def test_every_picture_is_judged_once_by_a_model_that_has_not_seen_it(whole: Path) -> None:
    told, folds = numbers(whole), json.loads((whole / "cv" / "folds.json").read_text(encoding="utf-8"))
    names = [name for fold in folds["pictures"] for name in fold]
    assert len(names) == len(set(names)) == told["together"]["pictures"] == 24
    assert [fold["pictures"] for fold in told["folds"]] == [len(fold) for fold in folds["pictures"]]
    assert told["splits"] == ["train", "val"] and "test" not in json.dumps(names)
    for number, left_out in enumerate(folds["pictures"], 1):
        log = (whole / "cv" / f"fold{number}" / "log.txt").read_text(encoding="utf-8")
        assert f"{24 - len(left_out)} picture" in log, log


def test_the_spread_is_that_of_the_folds(whole: Path) -> None:
    for each in numbers(whole)["figures"].values():
        known = [value for value in each["values"] if value is not None]
        assert each["mean"] == pytest.approx(np.mean(known)) and each["deviation"] == pytest.approx(
            np.std(known, ddof=1)
        )
        assert each["min"] == min(known) and each["max"] == max(known)


def test_the_model_of_all_pictures_has_an_estimate_and_no_promise(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = numbers(whole)
    card = peek_model_card(whole / "cv" / "model.safetensors")
    assert card is not None and told["calibration"] is not None, told["why_no_calibration"]
    record = card.decision
    assert record is not None and record["promise"] is None and record["rule"] == told["calibration"]["rule"]
    assert sorted(record["calibration_set"]["splits"]) == ["train", "val"]
    monkeypatch.chdir(whole)
    model = lightdet.load("cv/model.safetensors")
    assert model.rule is not None and not model.promise.holds and model.promise.estimated
    assert model.promise.describe().startswith("none guaranteed; estimated by cross-calibration: at most 40 % of bad")
    reference = record["reference"]
    assert set(reference["edges"]) == set(PICTURE_STATISTICS)  # those of other models' detections are no reference
    assert (reference["judged"], told["calibration"]["reference"]) == (24, reference)
    assert stored_reference(record, model.promise) is not None
    page = (whole / "cv" / "crossval.html").read_text(encoding="utf-8")
    assert "to notice such changes" in page
    assert "estimated, not guaranteed" in page and "all together" in page


def test_the_estimate_is_not_tested_on_what_was_trained_on(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole)
    seen = lightdet.validate("cv/model.safetensors", "set/mine.yaml", split="val", output="seen", progress=False)
    here = seen.to_dict()["decision"]["promise"]["here"]
    assert here == {"text": "these are pictures that the model was trained on: they test nothing"}


@pytest.mark.parametrize("known_by", ["card", "folder"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_promise_is_refused_on_what_was_trained_on(
    whole: Path, tmp_path: Path, split: str, known_by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The estimate's record lists them, and the folder does for a model that has none."""
    weights, card = load_model(whole / "cv" / "model.safetensors")
    save_model(tmp_path / "model.safetensors", weights, card if known_by == "card" else replace(card, decision=None))
    if known_by == "folder":
        shutil.copy(whole / "cv" / "trained_on.json", tmp_path)
    command = ["calibrate", "--weights", str(tmp_path / "model.safetensors"), "--data", str(whole / "set/mine.yaml")]
    before = (tmp_path / "model.safetensors").read_bytes()
    assert main([*command, "--split", split, "--false-reject-rate", "0.9"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "was trained on" in error and "take others" in error, error
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_a_promise_of_the_model_of_all_pictures_is_tested_on_others(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "classify" not in (whole / "config.yaml").read_text():
        pytest.skip("this set has no pictures apart")
    monkeypatch.chdir(whole)
    shutil.copy("cv/model.safetensors", tmp_path)
    shutil.copy("cv/trained_on.json", tmp_path)
    model, data = tmp_path / "model.safetensors", "set/mine.yaml"
    lightdet.calibrate(model, data, split="test", false_reject_rate=0.9, progress=False)
    for split in ("train", "val"):
        seen = lightdet.validate(model, data, split=split, output=tmp_path / split, progress=False)
        assert seen.to_dict()["decision"]["promise"]["here"] == {"text": SEEN}


def test_the_same_command_trains_nothing_again(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(whole)
    monkeypatch.setattr(training_process, "subprocess", None)
    before = numbers(whole)
    assert main(command(*RATE)) == 0
    assert numbers(whole)["figures"] == before["figures"]
    assert numbers(whole)["calibration"]["reference"] == before["calibration"]["reference"]
    assert "training" not in capsys.readouterr().out.replace("trained", "").replace("no training has seen", "")


def test_a_promise_made_later_is_kept(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As long as the model is the one that it was made for."""
    monkeypatch.chdir(shutil.copytree(whole, tmp_path / "again"))
    model = Path("cv/model.safetensors")
    weights, card = load_model(model)
    promise = {"rate": "escape_rate", "target": 0.3, "confidence": 0.9}
    assert card.decision is not None
    own = replace(card, decision={"rule": card.decision["rule"], "promise": promise, "calibration_set": {}})
    save_model(model, weights, own)
    before = model.read_bytes()
    for rate in (RATE, []):
        assert main(command(*rate)) == 0
        assert model.read_bytes() == before
        shown = capsys.readouterr().out
        assert "cv/model.safetensors has a promise from 'lightdet calibrate' and is left as it is" in shown
        assert "is left as it is" in Path("cv/crossval.html").read_text(encoding="utf-8")
    for others in ({name: value + 1 for name, value in weights.items()}, dict(list(weights.items())[1:])):
        save_model(model, others, own)
        assert main(command(*RATE)) == 0
        shown = capsys.readouterr().out
        assert load_model(model)[1].decision["promise"] is None and "is left as it is" not in shown


def test_pictures_that_changed_places_are_noticed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their number, their labels and their bytes are what they were."""
    moved = Path(shutil.copytree(whole, tmp_path / "moved"))
    monkeypatch.chdir(moved)
    first, second, *_ = sorted(path for path in Path("set").rglob("*.png") if "train" in path.parts)
    one, other = first.read_bytes(), second.read_bytes()
    assert one != other
    first.write_bytes(other)
    second.write_bytes(one)
    assert main(command(*RATE)) == 2
    assert "started with other pictures or labels; use another --output" in capsys.readouterr().err


def test_a_picture_counts_once_for_a_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_classes(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copy("set/train/bad/0.png", "set/val/bad/copy.png")
    options = CrossvalOptions(data="set/mine.yaml", config="config.yaml", folds=2, escape_rate=0.4, confidence=0.8)
    with pytest.raises(UserError, match="byte for byte") as error:
        CrossValidation(options, "run")
    assert "copy.png" in str(error.value) and "0.png" in str(error.value)
    CrossValidation(replace(options, escape_rate=None), "run")  # scores promise nothing


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--folds", "3"], "started with other data (folds: 2 then, 3 now)"),
        (["--seed", "4"], "started with other settings (train.seed: 0 then, 4 now)"),
        (["--split", "train"], "started with other data (splits"),
        (["--split", "nothing"], "there is no split 'nothing'"),
        (["--escape-rate", "0.01"], "too few to promise an escape rate of at most 0.01"),
        (["--escape-rate", "1.5"], "must lie between 0 and 1"),
        (["--per-class"], "give --escape-rate as well"),
        (["--escape-rate", "0.4", "--false-reject-rate", "0.4"], "give either --escape-rate or --false-reject-rate"),
        (["--folds", "1"], "1 is not in the range 2 to 100"),
        (["train.distill=teacher.safetensors"], "may have seen the pictures that are left out"),
        (["--output", "set"], "holds something other than a cross-validation"),
    ],
)
def test_a_mistake_is_one_line(
    whole: Path, args: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(whole)
    if "distill" in args[0] and "classify" in (whole / "config.yaml").read_text():
        pytest.skip("classifiers have no teacher")
    assert main(command(*args)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and told in error, error


MODEL = {"mobilenet_v2": "pretrained", "faster-rcnn": "backbone_weights", "ssd": "backbone_weights"}


@pytest.mark.parametrize("name", MODEL)
@pytest.mark.parametrize(
    "card", [None, ModelCard({}, ("bad",), Preprocessing(32)).as_metadata(), {"lightdet": "newer"}]
)
def test_a_backbone_from_a_model_of_lightdets_is_a_start_too(
    tmp_path: Path, name: str, card: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from elsewhere is not."""
    (make_classes if name == "mobilenet_v2" else make_boxes)(tmp_path)
    monkeypatch.chdir(tmp_path)
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    save_file({"conv1.weight": np.zeros(2, np.float32)}, tmp_path / "best.safetensors", card)
    task = "task: classify\n" if name == "mobilenet_v2" else ""
    Path("config.yaml").write_text(f"{task}model: {{name: {name}, {MODEL[name]}: ~/best.safetensors}}\n")
    options = CrossvalOptions(data="set/mine.yaml", config="config.yaml", folds=2)
    if card is None:
        CrossValidation(options, "run")
        return
    words = f"model.{MODEL[name]}=~/best.safetensors names a model that may have seen the pictures that are left out"
    with pytest.raises(UserError, match=re.escape(words)):
        CrossValidation(options, "run")


def test_few_folds_choose_no_threshold(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(whole)
    monkeypatch.setattr(checks, "FEWEST_FOLDS", 5)
    assert main(command(*RATE)) == 2
    assert "a threshold needs at least 5 folds, got --folds 2" in capsys.readouterr().err
