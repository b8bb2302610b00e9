"""The rule from detections to OK or NG."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.decisions import ClassRule, Decision, DecisionRule
from lightdet.errors import UserError
from lightdet.inference.save import Record
from lightdet.inference.save_classes import ClassCsvWriter, ClassJsonWriter
from lightdet.inference.save_decisions import ClassDecisionWriter
from lightdet.structures import Classification, Detections

NAMES = ("dent", "scratch", "stain")


def found(*rows: tuple[float, int, float, float]) -> Detections:
    """Detections from ``(score, label, width, height)``."""
    rows = tuple(sorted(rows, reverse=True))
    boxes = np.array([[10, 10, 10 + w, 10 + h] for _, _, w, h in rows], np.float32).reshape(-1, 4)
    scores = np.array([row[0] for row in rows], np.float32)
    return Detections(boxes, scores, np.array([row[1] for row in rows], np.int64), NAMES, (500, 500))


def test_one_defect_makes_a_part_ng() -> None:
    decision = DecisionRule(0.5).decide(found((0.9, 0, 5, 5), (0.5, 1, 5, 5), (0.4999, 2, 5, 5)))
    assert decision == Decision(False, 0.9, 0.5, NAMES[0], (0, 1))
    assert (decision.verdict, str(decision)) == ("NG", "NG (score 0.9, threshold 0.5)")


def test_without_defects_a_part_is_ok() -> None:
    decision = DecisionRule(0.5).decide(found((0.49, 0, 5, 5)))
    assert (decision.ok, decision.verdict, decision.defects) == (True, "OK", ())
    assert DecisionRule().decide(Detections.empty(NAMES, (10, 10))).ok


def test_a_class_may_have_its_own_threshold_and_size() -> None:
    rule = DecisionRule(0.5, {"dent": 0.8, "stain": 0.1}, 10, {"scratch": 40})
    detections = found((0.79, 0, 20, 20), (0.9, 1, 39, 3), (0.6, 1, 3, 40), (0.1, 2, 10, 1), (0.09, 2, 50, 50))
    assert [detections.labels[index] for index in rule.decide(detections).defects] == [1, 2]
    assert rule.lowest_threshold == 0.1
    assert len(rule.at(0.05).decide(detections).defects) == 4  # all but the short scratch: sizes stay


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.9, 0.2345])
def test_a_score_at_its_threshold_counts_as_it_is_printed(threshold: float) -> None:
    """float32 0.7 is less than the number 0.7; a file of results shows 0.7 for both."""
    assert not DecisionRule(threshold).decide(found((threshold, 0, 1, 1))).ok


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 2), st.integers(0, 4000), st.integers(0, 4000))),
    st.integers(0, 10_000), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10_000)),
    st.integers(0, 4000), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 4000)),
)  # fmt: skip
def test_it_agrees_with_whole_numbers(
    rows: list[tuple[int, int, int, int]], general: int, own: dict[str, int], size: int, sizes: dict[str, int]
) -> None:
    """Scores in ten-thousandths and sides in hundredths of a pixel are exact as integers."""
    detections = found(*((s / 1e4, label, w / 100, h / 100) for s, label, w, h in rows))
    rule = DecisionRule(
        general / 1e4, {n: t / 1e4 for n, t in own.items()}, size / 100, {n: s / 100 for n, s in sizes.items()}
    )
    wanted = sum(
        score >= own.get(NAMES[label], general) and max(w, h) >= sizes.get(NAMES[label], size)
        for score, label, w, h in rows
    )
    decision = rule.decide(detections)
    assert len(decision.defects) == wanted
    assert decision.ok == (wanted == 0)
    if decision.name:  # what it goes by tells the same as the detections that count
        assert decision.ok == (decision.score < decision.threshold)
    assert DecisionRule.from_dict(json.loads(json.dumps(rule.as_dict()))) == rule


WRONG = [
    ({"threshold": 1.5}, "threshold must lie in 0-1, got 1.5"),
    ({"threshold": True}, "threshold must lie in 0-1"),
    ({"threshold": "0.5"}, "threshold must lie in 0-1"),
    ({"thresholds": {"dent": -0.1}}, "threshold of 'dent' must lie in 0-1"),
    ({"thresholds": [0.5]}, "'thresholds' of the decision rule must give a number by class name"),
    ({"min_size": -1}, "smallest size must be 0 or more"),
    ({"min_sizes": {"dent": float("nan")}}, "smallest size of 'dent'"),
    ({"treshold": 0.5}, "a decision rule has the keys"),
    ([], "a decision rule has the keys"),
]


@pytest.mark.parametrize(("values", "told"), WRONG)
def test_a_wrong_rule_is_refused(values: object, told: str) -> None:
    with pytest.raises(UserError, match=r"model\.json: ") as caught:
        DecisionRule.from_dict(values, "model.json")
    assert told in str(caught.value)


def test_a_rule_for_a_class_that_is_not_there() -> None:
    DecisionRule(0.5, {"dent": 0.1}).check_names(NAMES)
    with pytest.raises(UserError, match="no class 'dnet'; it has dent, scratch, stain"):
        DecisionRule(0.5, {"dnet": 0.1}).check_names(NAMES)


@st.composite
def judged_pictures(draw: st.DrawFn) -> tuple[ClassRule, Classification]:
    names = ("ok_front", "def_front", "bent", "stained")[: draw(st.integers(2, 4))]
    weights = np.array([draw(st.integers(1, 1000)) for _ in names], np.float32)
    bad = draw(st.lists(st.sampled_from(names[1:]), min_size=1, unique=True))
    levels = st.integers(0, 10_000).map(lambda value: value / 10_000)
    by_class = {name: draw(levels) for name in bad} if draw(st.booleans()) else {}
    rule = ClassRule(tuple(bad), draw(levels), by_class)
    return rule, Classification(weights / weights.sum(), names, (8, 6))


@given(judged_pictures())
def test_caption_and_tables_of_a_classifier_say_what_decided(
    tmp_path_factory: pytest.TempPathFactory, judged: tuple[ClassRule, Classification]
) -> None:
    rule, found = judged
    shares = {name: round(float(found.probabilities[found.names.index(name)]), 4) for name in found.names}
    if rule.thresholds:
        reached = any(shares[name] >= least for name, least in rule.thresholds.items())
    else:
        reached = rule.score(found) >= rule.threshold
    why = rule.decide(found)
    assert (why.verdict == "NG") == reached == (not rule.ok(found))
    assert why.name in rule.bad and found.names[why.label] == why.name
    assert (why.score >= why.threshold) == reached
    score = why.caption().removeprefix(f"{why.verdict}: {why.name}").split(" (threshold ")[0].rpartition(" ")[2]
    assert (float(score) >= why.threshold) == reached
    folder = tmp_path_factory.getbasetemp() / "tables"
    writers = (
        ClassDecisionWriter(rule, folder / "decisions.csv"),
        ClassCsvWriter(folder / "detections.csv", found.names, rule),
        ClassJsonWriter(folder / "detections.json", rule),
    )
    for writer in writers:
        writer.add(Record("a.png", Path("a"), found))
        writer.close({})
    tables = [(folder / f"{name}.csv").read_text().splitlines() for name in ("decisions", "detections")]
    (result,) = json.loads((folder / "detections.json").read_text())["results"]
    rows: list[Any] = [*(next(csv.DictReader(table)) for table in tables), result]
    for row in rows:
        told = [row["decision"], row["bad_class"], float(row["bad"]), float(row["threshold"])]
        assert told == [why.verdict, why.name, why.score, why.threshold]
    assert rows[1]["name"] == rows[2]["name"] == found.name


def test_the_heat_of_a_judged_picture_is_that_of_the_bad_class() -> None:
    from lightdet.explaining.answers import ClassifierAnswers
    from lightdet.explaining.heat import Heat
    from lightdet.options.explain import ExplainOptions

    class Look:
        probabilities, size = np.array([0.68, 0.32], np.float32), (8, 6)

        def category(self, label: int) -> Heat:
            return Heat(np.full((6, 8), label + 1, np.float32))

    network: Any = SimpleNamespace(names=("ok_front", "def_front"), preprocessing=None, look=lambda _: Look())
    request = ExplainOptions(["a.png"], Path("m"))
    picture = np.zeros((6, 8, 3), np.uint8)
    ruled, plain = ClassifierAnswers(network, ClassRule(("def_front",), 0.1)), ClassifierAnswers(network, None)
    (why,) = ruled.explain(picture, request)
    assert (why.name, round(why.score, 2)) == ("def_front", 0.32)
    assert "NG: def_front 0.32 (threshold 0.1)" in why.caption()
    assert "NG: def_front" in ruled.together(picture, None, ()).caption
    assert plain.explain(picture, request)[0].name == "ok_front"
    assert [each.name for each in ruled.explain(picture, replace(request, top=2))] == ["ok_front", "def_front"]
