"""Charts: axes with round numbers, points where they belong, names that keep apart."""

import math
import re

import pytest
from comparison_scenes import history, model, run
from hypothesis import given
from hypothesis import strategies as st

from lightdet.comparison.axes import Axis, log_axis, straight_axis, x_place, y_place
from lightdet.comparison.curves import training_charts
from lightdet.comparison.detector_view import DetectorView
from lightdet.comparison.results import Model, Run, Spread
from lightdet.comparison.scatter import Point, cost_charts, scatter
from lightdet.evaluation.report.markup import Markup

NUMBERS = st.floats(1e-3, 1e6)


def charts_of(*models: Model) -> list[tuple[str, Markup]]:
    return cost_charts(models, DetectorView().accuracy, DetectorView.accuracy_title)


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_axes_hold_all_values_and_some_round_ones(values: list[float]) -> None:
    for axis in (straight_axis("x", values), log_axis("x", values), straight_axis("x", values, low=0.0)):
        assert all(-1e-9 <= axis.share(value) <= 1 + 1e-9 for value in values)
        ticks = axis.ticks()
        assert 2 <= len(ticks) <= 12
        assert ticks == sorted(ticks) and all(-1e-6 <= axis.share(tick) <= 1 + 1e-6 for tick in ticks)


def test_places_in_the_picture() -> None:
    straight, log = Axis("y", 0, 10), Axis("x", 1, 100, log=True)
    assert y_place(straight, 10) < y_place(straight, 0)  # SVG counts downwards
    assert x_place(log, 10) == pytest.approx((x_place(log, 1) + x_place(log, 100)) / 2, abs=0.1)
    assert math.isclose(log.share(10), 0.5)


def test_a_cost_chart_for_each_cost() -> None:
    ours = model("ours", run(0.6, "seed 0", 0), run(0.8, "seed 1", 1))
    other, theirs = model("other", run(0.7), params=7_000_000), model("theirs", run(0.7), params=None)
    charts = charts_of(ours, other, theirs, model("failed"))
    assert [heading for heading, _ in charts] == [
        "Accuracy against size",
        "Accuracy against operations",
        "Accuracy against time",
    ]
    for _, drawn in charts:
        assert drawn.count("<circle") == 2 and drawn.count('class="line c0"') == 1  # whiskers of the two runs
        assert "theirs" not in drawn and "failed" not in drawn
    assert "ours: 17.5 % (15.0–20.0), parameters 1.5" in charts[0][1]
    assert charts_of(theirs) == []


def name_boxes(drawn: str) -> list[tuple[float, float, float, float]]:
    """Where letters of half their height in width would lie."""
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="name">([^<]+)<', drawn)
    return [(float(x), float(y), float(x) + 6 * len(name), float(y) + 11) for x, y, name in found]


@pytest.mark.parametrize(("count", "prefix"), [(4, "model-"), (8, "a-longer-model-")])
def test_names_keep_apart(count: int, prefix: str) -> None:
    """Networks of like size and accuracy are the common case: their dots lie upon each other."""
    crowd = [Point(f"{prefix}{i}", 1.0 + i / 100, Spread((50.0 + i / 100,)), i) for i in range(count)]
    rest = [Point(f"far-{i}", 20.0 + 20 * i, Spread((10.0 * i,)), i) for i in range(4)]
    drawn = scatter([*crowd, *rest], "x", "y")
    boxes = name_boxes(drawn)
    assert len(boxes) == count + 4
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def test_a_name_far_from_its_dot_is_led_to_it() -> None:
    crowd = [Point(f"a-longer-model-{i}", 1.0, Spread((50.0,)), i) for i in range(8)]
    assert scatter(crowd, "x", "y").count('class="leader"') >= 2
    assert 'class="leader"' not in scatter(crowd[:1], "x", "y")


def test_training_curves_of_every_run() -> None:
    ours = model("ours", run(0.6, "seed 0", 0), run(0.8, "seed 1", 1))
    other = model("other", Run("", None, run(0.5).metrics, history(0.2, 0.3, 0.5)), kind="weights")
    charts = dict(training_charts([ours, other, model("theirs", run(0.4), params=None)]))
    headings = ["mAP@0.5 over epochs", "Loss over epochs", "Loss of the box", "Loss of the iou"]
    assert list(charts) == headings
    for drawn in charts.values():
        assert drawn.count('class="line c0"') == 3 and drawn.count('class="line c1"') == 2  # runs and legend
        assert "<title>ours, seed 1</title>" in drawn and "theirs" not in drawn
    assert training_charts([model("theirs", run(0.4), params=None)]) == []


def test_one_epoch_is_a_dot_and_nothing_learnt_is_no_fault() -> None:
    single = model("one", Run("seed 0", 0, run(0.0).metrics, history(0.0)))
    charts = training_charts([single])
    assert all("<circle" in drawn and "nan" not in drawn for _, drawn in charts)
    assert "nan" not in str(charts_of(single))
