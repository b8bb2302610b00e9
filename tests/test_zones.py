"""Zones: what they mean, and how their file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.assembly.zones import read_zones, zones_of_values, zones_text
from lightdet.decisions.zones import MOST_IN_ALL, MOST_POINTS, MOST_ZONES, Zone, ZoneError, Zones
from lightdet.errors import UserError

NAMES = ("dent", "scratch")
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
RIGHT = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
CORNER = ((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2))

JAGGED = tuple((i / 300, i % 2) for i in range(MOST_POINTS))


def where(zones: Zones, *boxes: tuple[float, float, float, float], label: int = 0) -> list[tuple[str, ...] | None]:
    return zones.of(np.array(boxes, np.float32), [label] * len(boxes), NAMES, (100, 100))


def test_without_a_zone_to_look_at_everything_counts_that_is_not_ignored() -> None:
    zones = Zones((Zone("label", CORNER, ignore=True),))
    assert where(zones, (1, 1, 20, 20), (1, 1, 20.01, 20), (60, 60, 70, 70)) == [None, (), ()]


def test_a_box_that_touches_a_zone_to_look_at_counts() -> None:
    zones = Zones((Zone("left", LEFT),))
    assert where(zones, (50, 1, 60, 20), (50.01, 1, 60, 20)) == [("left",), None]


def test_what_is_ignored_wins_only_where_the_whole_box_is_in_it() -> None:
    zones = Zones((Zone("left", LEFT), Zone("label", CORNER, ignore=True)))
    assert where(zones, (5, 5, 15, 15), (5, 5, 25, 15), (70, 5, 80, 15)) == [None, ("left",), None]


def test_classes_count_only_in_their_zones() -> None:
    zones = Zones((Zone("left", LEFT, classes=("dent",)), Zone("right", RIGHT, threshold=0.4)))
    assert where(zones, (10, 10, 20, 20), (60, 10, 70, 20), (45, 10, 70, 20)) == [
        ("left",),
        ("right",),
        ("left", "right"),
    ]
    assert where(zones, (10, 10, 20, 20), (45, 10, 70, 20), label=1) == [None, ("right",)]
    assert zones.thresholds(NAMES) == {"right": {"dent": 0.4, "scratch": 0.4}}
    assert zones.by_class and zones.has_thresholds and zones.lowest_threshold == 0.4


def test_zones_in_pixels_fit_one_size() -> None:
    zones = Zones((Zone("left", ((0, 0), (50, 0), (50, 100), (0, 100))),), size=(100, 100))
    assert where(zones, (10, 10, 20, 20), (60, 10, 70, 20)) == [("left",), None]
    with pytest.raises(UserError, match="100 x 100, and this one has 100 x 200"):
        zones.of(np.zeros((0, 4)), [], NAMES, (100, 200))


@given(st.lists(st.tuples(*[st.floats(0, 100, width=32)] * 4), max_size=6), st.integers(1, 4))
def test_shares_mean_the_same_in_a_picture_of_any_size(corners: list[tuple[float, ...]], scale: int) -> None:
    boxes = np.array([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in corners]).reshape(-1, 4)
    boxes = np.round(boxes)  # whole pixels stay whole when they are scaled
    zones = Zones((Zone("left", LEFT), Zone("label", CORNER, ignore=True)))
    labels = [0] * len(boxes)
    large = zones.of(boxes * scale, labels, NAMES, (100 * scale, 100 * scale))
    assert large == zones.of(boxes, labels, NAMES, (100, 100))


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        (lambda: [Zone("a", LEFT), Zone("a", RIGHT)], "two zones have the name 'a'"),
        (lambda: [Zone("a", ((0, 0), (1, 1), (1, 0), (0, 1)))], "meets itself: the line between points 1 and 2"),
        (lambda: [Zone("a", ((0, 0), (0.5, 0.5), (1, 1)))], "meets itself"),
        (lambda: [Zone("a", ((0, 0), (1, 0), (1, 0), (1, 1)))], "points 2 and 3 of zone 'a' are the same"),
        (lambda: [Zone("a", ((0, 0), (1.1, 0), (1, 1)))], "not within 0 to 1"),
        (lambda: [Zone("a", ((0, 0), (float("nan"), 0), (1, 1)))], "not two numbers"),
        (lambda: [Zone("a", LEFT), Zone("b", CORNER, threshold=0.5)], "'a' and 'b' overlap"),
        (lambda: [Zone("a", LEFT), Zone("b", CORNER, classes=("dent",))], "'a' and 'b' overlap"),
        (lambda: [Zone("a", LEFT, ignore=True, threshold=0.5)], "is ignored"),
        (lambda: [Zone("a", LEFT, classes=("dent",), thresholds={"scratch": 0.1})], "not among its classes"),
        (lambda: [Zone("a", LEFT, threshold=1.5)], "must lie in 0-1"),
        (lambda: [Zone("", LEFT)], "needs a name"),
        (lambda: [Zone("a", LEFT[:2])], "needs 3 to 200 points"),
        (lambda: [Zone(str(number), CORNER) for number in range(MOST_ZONES + 1)], "1 to 64 zones"),
        (lambda: [Zone("a", tuple((i / 2000, i % 2) for i in range(MOST_POINTS + 1)))], "needs 3 to 200 points"),
        (lambda: [Zone(str(n), JAGGED, True) for n in range(MOST_IN_ALL // MOST_POINTS + 1)], "at most 1000"),
        (lambda: [], "1 to 64 zones"),
    ],
)
def test_what_has_no_single_meaning_is_refused(zones: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Zones(tuple(zones()))


def test_zones_that_say_the_same_or_only_touch_may_lie_side_by_side() -> None:
    Zones((Zone("a", LEFT), Zone("b", CORNER)))
    Zones((Zone("a", LEFT, threshold=0.3), Zone("b", RIGHT, threshold=0.4)))
    Zones((Zone("a", LEFT, threshold=0.3), Zone("b", CORNER, ignore=True)))


def test_a_closing_point_and_digits_beyond_the_grid_are_left_out() -> None:
    (zone,) = Zones((Zone("a", (*LEFT[:3], (0.0, 1.00000001 - 1e-8), LEFT[0])),)).zones
    assert zone.points == LEFT


simple = st.sampled_from([LEFT, RIGHT, CORNER])
texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)


@given(texts, texts, simple, st.none() | st.floats(0, 1), st.booleans(), st.booleans())
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    cls: str,
    points: Any,
    threshold: float | None,
    ignore: bool,
    pixels: bool,
) -> None:
    zone = Zone(name, points, True) if ignore else Zone(name, points, False, (cls,), threshold, {cls: 0.5})
    zones = Zones((zone,), size=(7, 5) if pixels else None)
    assert Zones.from_dict(zones.as_dict()) == zones == zones_of_values(zones.as_dict(), [cls])
    path = tmp_path_factory.mktemp("zones") / "zones.yaml"
    path.write_text(zones_text(zones), encoding="utf-8")
    assert read_zones(path, [cls]) == zones and read_zones(path).digest == zones.digest


GOOD = """\
units: share
zones:
  - name: thread
    look: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.5], [0.1, 0.5]]
    classes: [scratch]
  - name: label
    ignore: [[0, 0.6], [0.2, 0.6], [0.2, 1]]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("units: share", "unit: share", 1, "unknown key 'unit'; did you mean 'units'"),
        ("units: share", "units: metres", 1, "'units'"),
        ("units: share", "units: pixels", None, "add 'size"),
        ("units: share", "units: share\nsize: [10, 10]", None, "leave it out"),
        ("classes:", "clases:", 5, "did you mean 'zones.0.classes'"),
        ("classes: [scratch]", "classes: [scrach]", 3, "names the class 'scrach'; the model has dent, scratch"),
        ("classes: [scratch]", "threshold: 1.2", 5, "less than or equal to 1"),
        ("classes: [scratch]", "threshold: yes", 5, "number"),
        ("classes: [scratch]", "classes: []", 5, "at least 1"),
        ("ignore:", "look:", None, ""),
        ("    ignore: [[0, 0.6], [0.2, 0.6], [0.2, 1]]", "    classes: [dent]", 6, "needs a polygon"),
        ("[0.2, 1]]", "[0.2, .nan]]", 7, "finite"),
        ("[0.2, 1]]", "[0.2, true]]", 7, "number"),
        ("[0.2, 1]]", "[0.2]]", 7, ""),
        ("[0.2, 1]]", "[0.2, 1.5]]", 6, "[0.2, 1.5], which is not within 0 to 1"),
        (", [0.2, 1]]", "]", 7, "at least 3"),
        ("name: label", "name: thread", 6, "two zones have the name 'thread'"),
        ("name: label", "name: 7", 6, "put it in quotes"),
    ],
)
def test_a_fault_in_the_file_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int | None, words: str
) -> None:
    path = tmp_path / "zones.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    if old == "ignore:":
        with pytest.raises(UserError):
            read_zones(path.with_name("other.yaml"), NAMES)
        assert len(read_zones(path, NAMES).zones) == 2
        return
    with pytest.raises(UserError) as caught:
        read_zones(path, NAMES)
    assert caught.value.path == path and caught.value.line == line and words in caught.value.message


def test_damaged_values_are_no_zones() -> None:
    good = Zones((Zone("a", LEFT),)).as_dict()
    for bad in (
        {**good, "units": "inch"},
        {**good, "size": [1, 1]},
        {**good, "zones": [{"name": "a", "look": [1, 2, 3]}]},
    ):
        with pytest.raises((ValueError, TypeError, KeyError, UserError)):
            Zones.from_dict(bad)
    with pytest.raises(ZoneError):
        Zones.from_dict({**good, "zones": [{"name": "a"}]})
