"""An export carries a promise only if it was proved with what the export itself finds in the calibration pictures."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lightdet
from lightdet.assembly.dataset import load_dataset
from lightdet.calibration import judge
from lightdet.card import ModelCard, peek_model_card
from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.models.weights import load_model, save_model
from lightdet.options.export import ExportOptions
from lightdet.runs.export_promise import deep_enough, exported_decision
from lightdet.tasks import task_of_model


class Silent:
    """Follows without a word."""

    def stage(self, text: str) -> None: ...

    def begin(self, pictures: int) -> None: ...

    def step(self, pictures: int) -> None: ...


@pytest.fixture(params=["made", "made_classifier"])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A calibrated model of each task, its data set beside it."""
    source = request.getfixturevalue(request.param)
    shutil.copytree(source / "set", tmp_path / "set")
    text = (source / "mine.yaml").read_text(encoding="utf-8").replace(str(source), str(tmp_path))
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    shutil.copy(source / "part.png", tmp_path)
    shutil.copy(source / "best.safetensors", tmp_path)
    monkeypatch.chdir(tmp_path)
    lightdet.calibrate("best.safetensors", "mine.yaml", false_reject_rate=0.9, progress=False)
    return Path("best.safetensors")


def card_of(path: Path) -> ModelCard:
    card = peek_model_card(path)
    assert card is not None and card.decision is not None
    return card


def exported(draft: Path, model: Path, data: str | None = "mine.yaml") -> dict[str, Any]:
    card, task = card_of(model), task_of_model(model)
    rule = task.stored_rule(card.decision, card.names, model)
    spec = None if data is None else load_dataset(Path(data))
    assert card.decision is not None
    return exported_decision(draft, rule, card.decision, spec, ExportOptions(weights=model, data=data), Silent())


def test_the_same_network_keeps_the_same_promise(model: Path) -> None:
    before = card_of(model).decision
    assert before is not None
    after = exported(model, model)
    assert {key: after[key] for key in ("rule", "promise", "evidence", "conditions")} == {
        key: before[key] for key in ("rule", "promise", "evidence", "conditions")
    }


def test_other_scores_have_a_threshold_of_their_own(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(task_of_model(model).stored_rule(card_of(model).decision, card_of(model).names, model))
    score = kind.score
    monkeypatch.setattr(kind, "score", lambda self, found, name=None: round(0.5 * score(self, found, name), 4))
    before, after = card_of(model).decision, exported(model, model)
    assert before is not None and after["promise"] == before["promise"]
    assert after["rule"]["threshold"] == pytest.approx(0.5 * before["rule"]["threshold"], abs=2e-4)


def test_without_its_pictures_it_promises_nothing(model: Path) -> None:
    card = card_of(model)
    told = exported(model, model, data=None)
    assert told["promise"] is None and "--data" in told["why_no_promise"]
    assert card.decision is not None and told["rule"] == card.decision["rule"]


@pytest.mark.parametrize("change", ["a picture less", "another label"])
def test_with_other_pictures_it_promises_nothing(model: Path, change: str) -> None:
    picture = sorted(path for path in Path("set").rglob("*.png") if "val" in path.parts)[0]
    if change == "a picture less":
        picture.unlink()
        Path(str(picture).replace("images", "labels")).with_suffix(".txt").unlink(missing_ok=True)
    elif Path("set/labels").is_dir():
        label = Path(str(picture).replace("images", "labels")).with_suffix(".txt")
        label.write_text("0 0.5 0.5 0.25 0.25\n")
    else:
        picture.rename(picture.parent.parent / "good" / "moved.png")
    told = exported(model, model)
    assert told["promise"] is None and "other pictures or labels" in told["why_no_promise"]


def test_a_promise_that_the_export_breaks_is_dropped(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.runs.choose_rule.threshold_for_false_rejects", lambda *_: None)
    told = exported(model, model)
    assert told["promise"] is None and "does not keep it" in told["why_no_promise"]


@pytest.mark.parametrize("model", ["made"], indirect=True)
def test_an_export_from_end_to_end(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = lightdet.export(model, data="mine.yaml", output="m.onnx", progress=False)
    assert outcome.promise is not None and outcome.promise.holds
    loaded = lightdet.load("m.onnx", threads=1)
    assert loaded.promise.holds and loaded.conditions.runtime == "onnx"
    with pytest.raises(UserError, match="--no-promise"):
        _ = lightdet.load("m.onnx", threads=1, iou=0.3).rule
    assert main(["detect", "part.png", "-w", "m.onnx", "--no-images", "--json", "d.json"]) == 0
    assert "promise: at most 90 % of good parts are rejected, with 95 % confidence" in capsys.readouterr().out
    assert json.loads(Path("d.json").read_text())["promise"]["holds"] is True
    report = lightdet.validate("m.onnx", "mine.yaml", output="val", progress=False)
    decision = report.to_dict()["decision"]
    assert decision["promise"]["holds"] is True
    confusion = judge([True], [True]).as_dict()["confusion"]
    assert decision["confusion"].keys() == confusion.keys()


@pytest.mark.parametrize("model", ["made"], indirect=True)
def test_where_openvino_does_not_tell_its_number_format_nothing_is_promised(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = lightdet.export(model, data="mine.yaml", output="m.xml", format="openvino", progress=False)
    assert outcome.promise is not None and outcome.promise.holds
    assert lightdet.load("m.xml", threads=1).promise.holds
    monkeypatch.setattr("lightdet.inference.openvino_runtime.computed_precision", lambda _: None)
    loaded = lightdet.load("m.xml", threads=1)
    with pytest.raises(UserError, match="the runtime does not tell in which number format"):
        _ = loaded.rule
    assert lightdet.load("m.xml", threads=1, no_promise=True).rule is not None


@pytest.mark.parametrize("model", ["made"], indirect=True)
def test_with_nms_in_the_network_it_reports_all_that_the_rule_counts(model: Path) -> None:
    """A calibrated threshold is often far below the usual lowest score, and such a file could judge nothing."""
    task = task_of_model(model)
    wanted = ExportOptions(weights=model, nms=True)
    for threshold, lowest in ((0.05, 0.045), (0.9, None)):
        tensors, card = load_model(model)
        assert card.decision is not None
        rule = {**card.decision["rule"], "threshold": threshold}
        save_model(model, tensors, replace(card, decision={**card.decision, "rule": rule}))
        assert deep_enough(wanted, task).confidence == lowest
        assert deep_enough(replace(wanted, confidence=threshold / 2), task).confidence == threshold / 2
        with pytest.raises(UserError, match="would hide boxes"):
            deep_enough(replace(wanted, confidence=threshold + 0.01), task)


@pytest.mark.parametrize("model", ["made"], indirect=True)
def test_with_nms_in_the_network_it_keeps_its_promise(model: Path) -> None:
    outcome = lightdet.export(model, data="mine.yaml", output="nms.onnx", nms=True, progress=False)
    assert outcome.promise is not None and outcome.promise.holds
    found = lightdet.detect(["part.png"], "nms.onnx", images=False, progress=False)
    assert found.promise is not None and found.promise.holds


def test_an_estimate_stays_with_its_checkpoint(model: Path) -> None:
    """Its pictures were trained on: what an export finds in them says nothing of new ones."""
    card, task = card_of(model), task_of_model(model)
    rule = task.stored_rule(card.decision, card.names, model)
    assert card.decision is not None
    estimated = {**card.decision, "promise": None, "estimate": card.decision["promise"]}
    spec = load_dataset(Path("mine.yaml"))
    made = exported_decision(model, rule, estimated, spec, ExportOptions(weights=model, data="mine.yaml"), Silent())
    assert made["promise"] is None and "estimate" not in made and "conditions" not in made
    assert "cross-calibration" in made["why_no_promise"] and made["rule"] == card.decision["rule"]
