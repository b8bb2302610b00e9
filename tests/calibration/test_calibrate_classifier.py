"""``lightdet calibrate`` with a classifier: which classes are bad, the promise, the record, OK and NG afterwards."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL.PngImagePlugin import PngInfo

from lightdet.calibration import upper_bound
from lightdet.cli.app import main
from lightdet.data.bad_classes import bad_classes
from lightdet.data.dataset import DatasetSpec
from lightdet.data.picture_digest import picture_digest
from lightdet.decisions import ClassRule
from lightdet.errors import UserError
from lightdet.runs.trained_on import FILE_NAME
from lightdet.structures import Classification

SIDE = 32


@pytest.fixture(autouse=True, scope="module")
def _quick_intervals(few_resamples: None) -> None:
    pass


def spec(*names: str, bad: Sequence[str] = ()) -> DatasetSpec:
    return DatasetSpec("set", Path(), "folders", names, {}, bad=tuple(bad))


@pytest.mark.parametrize(
    ("names", "bad"),
    [
        (("ok_front", "def_front"), ("def_front",)),
        (("good", "bad"), ("bad",)),
        (("OK", "NG"), ("NG",)),
        (("not ok", "ok"), ("not ok",)),
        (("no_defect", "crack", "pore"), ("crack", "pore")),
        (("defect-free", "defect"), ("defect",)),
        (("undamaged", "damaged"), ("damaged",)),
        (("Correct", "Incorrect"), ("Incorrect",)),
        (("notOk", "isOk"), ("notOk",)),
        (("good", "stain", "warp"), ("stain", "warp")),
        (("part", "defective part"), ("defective part",)),
        (("non-defective", "defective"), ("defective",)),
    ],
)
def test_names_tell_which_are_bad(names: tuple[str, ...], bad: tuple[str, ...]) -> None:
    assert bad_classes(spec(*names)) == (bad, "by their names")


@pytest.mark.parametrize("names", [("a", "b"), ("crack", "pore"), ("good", "ok"), ("crack", "pore", "stain")])
def test_names_that_tell_nothing(names: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"do not tell which are bad .*: say --bad NAME"):
        bad_classes(spec(*names))


def test_what_is_asked_goes_before_the_data_set_and_that_before_names() -> None:
    assert bad_classes(spec("good", "bad", bad=["good"])) == (("good",), "as the data set says")
    assert bad_classes(spec("good", "bad", bad=["good"]), ["bad"]) == (("bad",), "as asked")
    assert bad_classes(spec("a", "b", "c"), ["c, a"]) == (("a", "c"), "as asked")
    with pytest.raises(UserError, match="--bad d: there is no such class; the data set has a, b"):
        bad_classes(spec("a", "b"), ["d"])
    with pytest.raises(UserError, match="names every class"):
        bad_classes(spec("a", "b"), ["a", "b"])


def found(*shares: float) -> Classification:
    return Classification(np.array(shares, np.float32), ("good", "crack", "pore"))


def test_a_rule_goes_by_the_sum_or_by_each_class() -> None:
    rule = ClassRule(("crack", "pore"), 0.5)
    assert rule.decide(found(0.45, 0.3, 0.25)).verdict == "NG" and rule.score(found(0.45, 0.3, 0.25)) == 0.55
    assert rule.decide(found(0.51, 0.3, 0.19)).verdict == "OK"
    each = ClassRule(("crack", "pore"), 0.2, {"crack": 0.6, "pore": 0.2})
    assert each.decide(found(0.3, 0.59, 0.11)).verdict == "OK" and each.decide(found(0.7, 0.1, 0.2)).verdict == "NG"


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_rule_is_checked_by_hand_from_what_is_reported(share: float, threshold: float) -> None:
    rule = ClassRule(("bad",), round(threshold, 4))
    one = Classification(np.array([1 - np.float32(share), share], np.float32), ("good", "bad"))
    reported = one.as_dict()["probabilities"]["bad"]  # type: ignore[index]
    assert rule.ok(one) == (reported < rule.threshold)
    assert ClassRule.from_dict(json.loads(json.dumps(rule.as_dict()))) == rule


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "has the keys"),
        ({"bad": ["a"], "min_size": 3}, "has the keys"),
        ({"threshold": 0.5}, "'bad' of the decision rule must list"),
        ({"bad": []}, "needs the names"),
        ({"bad": ["a"], "threshold": 2}, "must lie in 0-1, got 2"),
        ({"bad": ["a"], "threshold": "0.5"}, "must lie in 0-1"),
        ({"bad": ["a"], "thresholds": {"b": 0.5}}, "thresholds for exactly its bad classes"),
        ({"bad": ["a"], "thresholds": [1]}, "must give a number by class name"),
    ],
)
def test_damaged_rules(values: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ClassRule.from_dict(values, "x.safetensors")
    with pytest.raises(UserError, match="every class of the model bad"):
        ClassRule(("a", "b")).check_names(("a", "b"))


Told = tuple[int, str, str]


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A set whose pictures' brightness is the probability of being bad, and a classifier that reads it off."""
    import torch

    from lightdet.assembly.classifier import build_classifier, classifier_card
    from lightdet.card import ModelCard
    from lightdet.config import YamlFile
    from lightdet.config.classification import load_classify_config
    from lightdet.models.weights import save_model
    from lightdet.structures import Preprocessing

    monkeypatch.chdir(tmp_path)
    config = load_classify_config(
        YamlFile({"task": "classify", "imgsz": SIDE, "model": {"name": "dnn", "hidden": [], "dropout": 0.0}})
    ).model
    network = build_classifier(config, 2, SIDE)
    state = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    for name, value in state.items():
        # the logit is 8 (brightness - 0.5)
        state[name] = torch.full_like(value, 8 / value.numel()) if name.endswith("weight") else value - 4.0
    card = ModelCard(classifier_card(config), ("good", "bad"), Preprocessing(SIDE), {"epoch": 3})
    save_model("best.safetensors", state, card)

    def write(good: Sequence[int], bad: Sequence[int], split: str = "val") -> Path:
        for kind, values in (("good", good), ("bad", bad)):
            (tmp_path / split / kind).mkdir(parents=True)
            for number, value in enumerate(values):
                own = PngInfo()
                own.add_text("part", f"{kind} {number}")  # pictures may look alike, and are no copies
                pixels = np.full((SIDE, SIDE), value, np.uint8)
                Pil.fromarray(pixels).save(tmp_path / split / kind / f"{number}.png", pnginfo=own)
        Path("set.yaml").write_text("format: folders\nclasses: [good, bad]\nsplits: {val: val}\n")
        return tmp_path

    return write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def run(command: str, *args: str) -> Told:
        code = main([command, "--weights", "best.safetensors", "--device", "cpu", *args])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def probability(value: int) -> float:
    return round(1 / (1 + float(np.exp(4 - 8 * value / 255))), 4)


def test_from_the_promise_to_ok_and_ng(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    bad = [100 + number for number in range(100)]
    line([40 + number for number in range(80)], bad)
    data = ("--data", "set.yaml")
    code, out, err = run("calibrate", *data, "--escape-rate", "0.05", "--json", "record.json")
    assert (code, err) == (0, "")
    assert "bad: bad (by their names)" in out and "area under the ROC curve 0.9" in out
    record = json.loads(Path("record.json").read_text())
    # The most escapes of 100 that still promise 5 % with 95 % confidence: found by trying all.
    allowed = max(k for k in range(100) if upper_bound(k, 100, 0.95) <= 0.05)
    assert record["rule"]["bad"] == ["bad"] and record["evidence"]["all"]["errors"] == allowed
    assert record["rule"]["threshold"] == pytest.approx(probability(100 + allowed), abs=1e-4)
    confusion = record["calibration_set"]["confusion"]
    rejected = sum(40 + number >= 100 + allowed for number in range(80))
    assert confusion == {"bad": {"NG": 100 - allowed, "OK": allowed}, "good": {"NG": rejected, "OK": 80 - rejected}}

    code, out, _ = run("val", *data, "--output", "v")
    assert code == 0 and f"bad pictures: {100 - allowed} NG, {allowed} OK: " in out
    numbers = json.loads(Path("v/metrics.json").read_text())["decision"]
    assert numbers["confusion"] == confusion and numbers["rule"] == record["rule"]
    low, high = numbers["escape_rate"]["interval"]
    assert low < allowed / 100 < high
    assert "Decision" in Path("v/report.html").read_text()

    code, out, _ = run("detect", "val", "--recursive", "--save", "json", "--output", "d")
    assert code == 0 and f"{80 - rejected + allowed} OK, {100 - allowed + rejected} NG" in out
    rows = list(csv.DictReader(Path("d/decisions.csv").read_text().splitlines()))
    results = json.loads(Path("d/detections.json").read_text())
    assert results["rule"] == record["rule"] and len(rows) == 180
    for row, result in zip(rows, results["results"], strict=True):
        assert row["decision"] == result["decision"] == ("NG" if result["bad"] >= record["rule"]["threshold"] else "OK")
        assert result["bad"] == float(row["bad"]) == result["probabilities"]["bad"]


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_a_picture_counts_once(line: Callable[..., Path], run: Callable[..., Told], kind: str) -> None:
    folder = line([40 + number for number in range(40)], [100 + number for number in range(40)]) / "val"
    asked = ("calibrate", "--data", "set.yaml", "--escape-rate", "0.1")
    (folder / kind / "copy.png").write_bytes((folder / "bad" / "3.png").read_bytes())
    code, _, err = run(*asked)
    assert code == 2 and err.count("\n") == 1
    assert str(Path("bad", "3.png")) in err and str(Path(kind, "copy.png")) in err
    assert ("labelled differently" in err) == (kind == "good")
    (folder / kind / "copy.png").unlink()
    assert run(*asked)[0] == 0


def test_a_later_test_is_on_other_pictures(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    folder = line([40 + number for number in range(40)], [100 + number for number in range(40)]) / "val"
    assert run("calibrate", "--data", "set.yaml", "--escape-rate", "0.1")[0] == 0
    (folder / "bad" / "0.png").unlink()
    (folder / "bad" / "1.png").rename(folder / "good" / "corrected.png")
    code, out, _ = run("val", "--data", "set.yaml", "--output", "fewer")
    assert code == 0 and "on these pictures: these are the pictures that it was calibrated on: they test nothing" in out
    for number in range(60):
        Pil.fromarray(np.full((SIDE, SIDE), 190 + number, np.uint8)).save(folder / "bad" / f"new{number}.png")
    code, out, _ = run("val", "--data", "set.yaml", "--output", "more")
    assert code == 0 and "kept here: 0 of 60 escape" in out and "; 79 pictures of its calibration left out" in out


def test_a_promise_on_training_pictures_is_doubted(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    line(list(range(40, 80)), [200, 201], "train")
    Path("set.yaml").write_text("format: folders\nclasses: [good, bad]\nsplits: {train: train, val: train}\n")
    for split, doubted in (("train", True), ("val", False)):
        code, out, _ = run("calibrate", "--data", "set.yaml", "--split", split, "--false-reject-rate", "0.5")
        assert code == 0 and ("the promise does not hold for new pictures" in out) == doubted


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_promise_on_learned_pictures_is_refused(
    line: Callable[..., Path], run: Callable[..., Told], split: str
) -> None:
    """Whatever the split is called; those that chose the best epoch are named."""
    folder = line([40 + number for number in range(40)], [100 + number for number in range(40)], split) / split
    Path("set.yaml").write_text(f"format: folders\nclasses: [good, bad]\nsplits: {{{split}: {split}}}\n")
    asked = ("calibrate", "--data", "set.yaml", "--split", split, "--escape-rate", "0.1")
    before, digest = Path("best.safetensors").read_bytes(), picture_digest(folder / "bad" / "3.png")
    for kept, said in (
        ({"train": [digest], "val": []}, "was trained on 1 of these 80 pictures"),
        ({"train": ["0" * 32], "val": [digest]}, "1 of these pictures chose the best epoch of best.safetensors"),
        ({"train": ["0" * 32]}, None),
    ):
        Path(FILE_NAME).write_text(json.dumps(kept))
        code, out, err = run(*asked, "--output", "copy.safetensors")
        learned = digest in kept["train"]
        assert (code, Path("copy.safetensors").exists()) == ((2, False) if learned else (0, True))
        assert said is None or said in (err if learned else out)
        assert ("chose the best epoch" in out) == (digest in kept.get("val", ()))
        assert "nothing says" not in out and "if the model was trained" not in out
        assert not learned or (err.count("\n") == 1 and str(Path("bad", "3.png")) in err)
    Path(FILE_NAME).unlink()
    code, out, _ = run(*asked)
    doubt = "if the model was trained on this split" if split == "train" else "nothing says which pictures"
    assert code == 0 and doubt in out
    assert Path("best.safetensors").read_bytes() != before


def test_a_test_leaves_out_what_was_learned(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    folder = line([40 + number for number in range(40)], [100 + number for number in range(40)]) / "val"
    assert run("calibrate", "--data", "set.yaml", "--escape-rate", "0.1")[0] == 0
    for number in range(60):
        Pil.fromarray(np.full((SIDE, SIDE), 190 + number, np.uint8)).save(folder / "bad" / f"new{number}.png")
    learned = [picture_digest(folder / "bad" / f"new{number}.png") for number in range(7)]
    Path(FILE_NAME).write_text(json.dumps({"train": learned}))
    code, out, _ = run("val", "--data", "set.yaml", "--output", "more")
    assert code == 0 and "kept here: 0 of 53 escape" in out
    assert "80 pictures of its calibration left out; 7 pictures that the model was trained on left out" in out


def test_a_promise_may_have_another_confidence(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    """--confidence belongs to detectors only where it is the lowest score of a box."""
    from lightdet.models.weights import load_model

    line(list(range(40, 140)), [200, 201])
    code, _, err = run("calibrate", "--data", "set.yaml", "--false-reject-rate", "0.05", "--confidence", "0.8")
    assert (code, err) == (0, ""), err
    card = load_model("best.safetensors")[1]
    assert card.decision is not None and card.decision["promise"]["confidence"] == 0.8


def test_false_rejects_and_a_copy(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    from lightdet.models.weights import load_model

    line(list(range(40, 140)), [200, 201])
    args = ("--data", "set.yaml", "--false-reject-rate", "0.05", "--output", "copy.safetensors")
    assert run("calibrate", *args)[0] == 0
    assert load_model("best.safetensors")[1].decision is None
    weights, card = load_model("copy.safetensors")
    assert card.decision is not None and card.facts == {"epoch": 3}
    assert card.decision["promise"] == {"rate": "false_reject_rate", "target": 0.05, "confidence": 0.95}
    allowed = max(k for k in range(100) if upper_bound(k, 100, 0.95) <= 0.05)
    kept = ClassRule.from_dict(card.decision["rule"])
    assert sum(probability(value) >= kept.threshold for value in range(40, 140)) == allowed
    assert all((weights[name] == value).all() for name, value in load_model("best.safetensors")[0].items())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "give either --escape-rate or --false-reject-rate"),
        (["--escape-rate", "0.01"], "has 40 bad pictures, too few to promise an escape rate of at most 0.01"),
        (["--escape-rate", "0.1", "--bad", "ugly"], "--bad ugly: there is no such class; the data set has good, bad"),
        (["--escape-rate", "0.1", "--bad", "good,bad"], "names every class"),
        (["--escape-rate", "0.1", "--min-size", "3"], "--min-size belongs to detectors"),
        (["--escape-rate", "0.1", "--split", "test"], "there is no split 'test'"),
        (["--escape-rate", "0.1", "--output", "val"], "is a folder"),
        (["--false-reject-rate", "0.5", "--per-class"], "--per-class needs --escape-rate"),
    ],
)
def test_mistakes_are_told_in_one_line(
    line: Callable[..., Path], run: Callable[..., Told], flags: list[str], words: str
) -> None:
    line([40, 41], list(range(180, 220)))
    before = Path("best.safetensors").read_bytes()
    code, _, err = run("calibrate", "--data", "set.yaml", *flags)
    assert code == 2 and err.count("\n") == 1 and words in err
    assert Path("best.safetensors").read_bytes() == before


def test_names_that_tell_nothing_ask_for_bad(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    line(list(range(100, 140)), [40])
    Path("set.yaml").write_text("format: folders\nclasses: [good, bad]\nbad: good\nsplits: {val: val}\n")
    code, out, _ = run("calibrate", "--data", "set.yaml", "--escape-rate", "0.1")
    assert code == 0 and "bad: good (as the data set says)" in out
    Path("set.yaml").write_text("format: folders\nclasses: [good, bad]\nbad: [ugly]\nsplits: {val: val}\n")
    code, _, err = run("calibrate", "--data", "set.yaml", "--escape-rate", "0.1")
    assert code == 2 and "set.yaml:3: 'bad': there is no class 'ugly'; the classes are good, bad" in err
    assert run("calibrate", "--data", "set.yaml", "--escape-rate", "0.1")[0] == 2


def test_a_damaged_rule_is_told(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    from dataclasses import replace

    from lightdet.models.weights import load_model, save_model

    line([40, 41], [180, 181])
    weights, card = load_model("best.safetensors")
    save_model("best.safetensors", weights, replace(card, decision={"rule": {"bad": ["ugly"], "threshold": 0.5}}))
    for command in (["val", "--data", "set.yaml"], ["detect", "val/good/0.png", "--output", "d"]):
        code, _, err = run(*command)
        assert (
            code == 2 and "rule belongs to another model: the model has no class 'ugly'" in err and err.count("\n") == 1
        )


def test_each_bad_class_may_have_its_own(line: Callable[..., Path], run: Callable[..., Told]) -> None:
    line([40, 41], list(range(100, 200)))
    data = ("--data", "set.yaml")
    code, out, _ = run("calibrate", *data, "--escape-rate", "0.05", "--per-class", "--json", "record.json")
    assert code == 0 and "threshold of 'bad' 0." in out
    record = json.loads(Path("record.json").read_text())
    allowed = max(k for k in range(100) if upper_bound(k, 100, 0.95) <= 0.05)
    assert record["rule"]["thresholds"] == {"bad": pytest.approx(probability(100 + allowed), abs=1e-4)}
    code, out, _ = run("val", *data, "--output", "v")
    assert code == 0 and "a picture is NG from: a probability of bad with 0." in out
    assert f"bad pictures: {100 - allowed} NG, {allowed} OK: " in out


def test_the_promise_holds_on_pictures_that_it_was_not_made_on() -> None:
    """Of classifiers that are sure of themselves, most scores lie near 0 and 1, and many are equal."""
    from lightdet.calibration import threshold_for_escapes

    rng, kept, draws = np.random.default_rng(0), 0, 300
    for _ in range(draws):
        scores = rng.beta(0.8, 0.1, 120).round(3).clip(0.001)
        choice = threshold_for_escapes(scores, 0.1, 0.9)
        assert choice is not None
        rule = ClassRule(("bad",), choice.threshold)
        others = rng.beta(0.8, 0.1, 20_000).round(3).clip(0.001)
        kept += float((others < rule.threshold).mean()) <= 0.1
    assert kept / draws >= 0.9 - 3 * (0.9 * 0.1 / draws) ** 0.5
