"""What a loaded model says of a picture: the decision, the drawing, plain values, supervision's classes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightdet.decisions import ClassRule, DecisionRule
from lightdet.errors import UserError
from lightdet.inference.classifier import ClassifierPredictor
from lightdet.inference.predictor import Predictor
from lightdet.inference.tiled import TiledPredictor
from lightdet.structures import Preprocessing

RECORD = {"rule": DecisionRule(0.75).as_dict()}


class Even:
    """A classifier's network that says the same of every picture."""

    names, preprocessing, precision, device = ("good", "bent", "torn"), Preprocessing(32), "fp32", "cpu"

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return np.tile(np.array([[0.5, 0.3, 0.2]], np.float32), (len(batch), 1))


@pytest.fixture
def picture(painted: Callable[..., np.ndarray]) -> np.ndarray:
    return painted(96, 96, ("red", 10, 10, 40, 40), ("blue", 50, 50, 70, 80))


def test_a_detector_decides_by_its_rule(picture: np.ndarray, runtime: Any) -> None:
    found = Predictor(runtime, decision=RECORD)(picture)
    decision = found.decision
    assert decision is not None and not decision.ok
    assert (decision.verdict, decision.score, decision.threshold, decision.name) == ("NG", 0.9, 0.75, "red")
    assert found.to_dict()["decision"] == "NG"
    assert Predictor(runtime)(picture).decision is None
    assert "decision" not in Predictor(runtime)(picture).to_dict()


def test_tiles_decide_by_it_as_well(picture: np.ndarray, runtime: Any) -> None:
    for tile in (48, 96):
        found = TiledPredictor(Predictor(runtime, decision=RECORD), tile=tile)(picture)
        assert found.decision is not None and found.decision.verdict == "NG"
        assert found.plot().size == Predictor(runtime, decision=RECORD)(picture).plot().size


@given(threshold=st.integers(0, 100), floor=st.integers(0, 100), kept=st.integers(0, 100))
def test_what_was_left_out_is_never_taken_for_ok(threshold: int, floor: int, kept: int) -> None:
    """Whatever is not reported could have been a defect: then there is no decision, least of all OK."""
    from color_network import ColorRuntime, paint

    rule = {"rule": DecisionRule(threshold / 100).as_dict()}
    predictor = Predictor(ColorRuntime(), confidence=floor / 100, decision=rule)
    found = predictor(paint(96, 96, ("red", 10, 10, 40, 40))).above(kept / 100)
    if threshold < max(floor, kept):
        for ask in (lambda: found.decision, found.to_dict, found.plot):
            with pytest.raises(UserError, match="were not reported"):
                ask()
    else:
        assert found.decision is not None and found.decision.ok == (threshold > 90)


def test_a_damaged_rule_is_told_where_it_is_asked_for(picture: np.ndarray, runtime: Any) -> None:
    found = Predictor(runtime, decision={"rule": {"treshold": 1}})(picture)
    assert len(found) == 2
    with pytest.raises(UserError, match="a decision rule has the keys"):
        _ = found.decision


def test_the_picture_is_drawn_from_where_it_is(picture: np.ndarray, runtime: Any, tmp_path: Path) -> None:
    path = tmp_path / "part.png"
    Image.fromarray(picture).save(path)
    predictor = Predictor(runtime)
    drawn = np.asarray(predictor(picture).plot())
    assert drawn.shape[1] == 96 and not np.array_equal(drawn[:96], picture)
    (of_path,), (of_array,) = predictor.batch([path]), predictor.batch([picture])
    assert np.array_equal(np.asarray(of_path.plot()), drawn)
    assert np.array_equal(np.asarray(of_array.plot(picture)), drawn)
    with pytest.raises(UserError, match="results of a batch do not keep the picture"):
        of_array.plot()
    path.unlink()
    with pytest.raises(UserError, match="no such picture"):
        of_path.plot()


def test_a_classifier_decides_draws_and_tells(picture: np.ndarray) -> None:
    found = ClassifierPredictor(Even(), decision={"rule": ClassRule(("bent", "torn"), 0.4).as_dict()})(picture)
    decision = found.decision
    assert decision is not None
    assert (decision.verdict, decision.score, decision.threshold, decision.name) == ("NG", 0.5, 0.4, "bent")
    told = found.to_dict()
    assert (told["name"], told["decision"], told["bad"]) == ("good", "NG", 0.5)
    assert found.plot().size == (96, 96)
    plain = ClassifierPredictor(Even())(picture)
    assert plain.decision is None and "decision" not in plain.to_dict() and plain.plot().size == (96, 96)


def test_supervision_gets_its_own_classes(picture: np.ndarray, runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the constructors that its documentation has; the real package would bring another OpenCV."""
    try:
        import supervision
    except ImportError:
        supervision = ModuleType("supervision")
        supervision.Detections = supervision.Classifications = SimpleNamespace  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "supervision", supervision)
    found = Predictor(runtime)(picture)
    boxes = found.to_supervision()
    assert np.array_equal(boxes.xyxy, found.boxes) and np.array_equal(boxes.confidence, found.scores)
    assert boxes.class_id.tolist() == [0, 2] and list(boxes.data["class_name"]) == ["red", "blue"]
    shares = ClassifierPredictor(Even())(picture).to_supervision()
    assert shares.class_id.tolist() == [0, 1, 2] and shares.confidence.tolist() == pytest.approx([0.5, 0.3, 0.2])


def test_without_supervision_one_line_says_so(
    picture: np.ndarray, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UserError, match="pip install supervision"):
        Predictor(runtime)(picture).to_supervision()
