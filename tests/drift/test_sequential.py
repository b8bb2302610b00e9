"""The sequential test: what it promises about false alarms, whatever the values' distribution, and what it finds."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, kstest, spearmanr

from lightdet.drift.monitor import NG_SHARE, Look, Monitor, Suspension
from lightdet.drift.reference import FEWEST, MOST_EDGES, Reference
from lightdet.drift.sequential import BETS, RankUrns, VerdictUrn, bets_on, largest_share

DRAWS = {
    "normal": lambda random, shape: random.normal(size=shape),
    "heavy tails": lambda random, shape: random.standard_cauchy(size=shape),
    "few different values": lambda random, shape: random.poisson(0.7, size=shape).astype(float),
    "always the same": lambda _, shape: np.full(shape, 33.3),
}
NAMES = ("light", "focus", "noise")


def rows_of(values: Any) -> list[dict[str, float]]:
    return [dict(zip(NAMES, map(float, row), strict=True)) for row in values]


def reference_of(values: Any, seed: int = 0) -> Reference:
    reference = Reference.of(rows_of(values), "all", seed)
    assert reference is not None
    return reference


@pytest.mark.parametrize("bet", range(BETS))
def test_a_bet_is_fair(bet: int) -> None:
    # Its mean under uniform p-values, by numerical integration in the normal score.
    low, high = (quad(lambda p: bets_on(np.array([p]))[0, bet], *part, limit=400)[0] for part in ((0, 0.5), (0.5, 1)))
    assert low + high == pytest.approx(1.0, abs=1e-3)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(kind=st.sampled_from(sorted(DRAWS)), size=st.integers(FEWEST, 300), seed=st.integers(0, 2**32 - 1))
def test_p_values_of_exchangeable_pictures_are_uniform_and_independent(kind: str, size: int, seed: int) -> None:
    # Over many references, as the guarantee says: each stream is short, so that what is alike within one would show.
    random, streams, length = np.random.default_rng(seed), 40, 12
    found = np.empty((streams, length))
    for stream in range(streams):
        values = DRAWS[kind](random, (size + length, 1))
        reference = Reference.of([{"x": float(v)} for v in values[:size, 0]], "all", int(random.integers(1 << 30)))
        assert reference is not None
        urns = RankUrns(list(reference.edges.values()), reference.ranks, reference.pictures)
        later = (np.round(values[size:] / 1e-3) + random.random((length, 1)) - 0.5) * 1e-3
        found[stream] = [urns.see(np.array([0]), value, random.random(1))[0] for value in later]
    assert kstest(found.ravel(), "uniform").pvalue > 1e-4
    assert spearmanr(found[:, :-1].ravel(), found[:, 1:].ravel()).pvalue > 1e-4
    assert kstest(found.mean(axis=1), "norm", (0.5, (1 / 12 / length) ** 0.5)).pvalue > 1e-4  # none adds up


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
def test_p_values_of_verdicts_are_uniform(share: float) -> None:
    random, urn = np.random.default_rng(5), VerdictUrn()
    found = [urn.see(bool(random.random() < share), float(random.random())) for _ in range(2000)]
    assert kstest(found, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("kind", ["heavy tails", "few different values"])
def test_false_alarms_are_as_rare_as_stated(kind: str) -> None:
    # At most a share of m / A of all lines may have had one after m pictures; statistics that move together included.
    random, runs, length, threshold = np.random.default_rng(11), 60, 40, 200.0
    alarms = 0
    for run in range(runs):
        values = DRAWS[kind](random, (30 + length, 1)) * np.ones(3)
        monitor = Monitor(reference_of(values[:30], run), threshold)
        alarms += any(monitor.see(Look(bool(random.random() < 0.9), row)) for row in rows_of(values[30:]))
    bound = length / threshold
    assert alarms / runs <= bound + 2.5 * (bound * (1 - bound) / runs) ** 0.5


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (lambda v: v + np.array([0, -1.5, 0]), "focus"),
        (lambda v: v * [1, 1, 4], "noise"),
        (lambda v: v + np.array([2, 0, 0]), "light"),
    ],
)
@pytest.mark.parametrize("calm", [0, 400])
def test_a_change_is_noticed_and_named(change: Any, moved: str, calm: int) -> None:
    random = np.random.default_rng(3)
    monitor = Monitor(reference_of(random.normal(size=(150, 3))))
    for row in rows_of(random.normal(size=(calm, 3))):
        assert monitor.see(Look(True, row)) is None
    found = None
    for row in rows_of(change(random.normal(size=(100, 3)))):
        found = found or monitor.see(Look(True, row))
    assert found is not None and found.moved == moved
    assert calm - 40 <= found.since <= found.noticed <= calm + 100
    assert monitor.suspension == found and moved in found.describe()
    assert max(monitor.evidence(), key=lambda name: monitor.evidence()[name]) == moved


def test_a_line_that_begins_to_reject_is_noticed() -> None:
    random = np.random.default_rng(4)
    values = random.normal(size=(200, 3))
    reference = Reference.of(rows_of(values), "passed")
    assert reference is not None
    monitor = Monitor(reference)
    verdicts = [*(random.random(300) < 0.98), *(random.random(60) < 0.5)]
    found = [
        monitor.see(Look(bool(ok), row))
        for ok, row in zip(verdicts, rows_of(random.normal(size=(360, 3))), strict=True)
    ]
    (suspension,) = [each for each in found if each]
    assert suspension.moved == NG_SHARE and suspension.noticed > 300
    assert suspension.before < 10 and suspension.now > 25
    assert monitor.compared < monitor.seen  # rejected parts are not compared


def calibrated(rejected: int, judged: int = 200) -> Reference:
    rows = rows_of(np.random.default_rng(20).normal(size=(60, 3)))
    reference = Reference.of(rows, "passed", rejected=rejected, judged=judged)
    assert reference is not None
    return reference


def line(reference: Reference, share: float, seed: int, length: int, threshold: float = 1e5) -> Suspension | None:
    """What is found on a line that rejects this share from its first picture on; its pictures are as they were."""
    random, monitor = np.random.default_rng(seed), Monitor(reference, threshold)
    for row in rows_of(random.normal(size=(length, 3))):
        monitor.see(Look(bool(random.random() >= share), row))
    return monitor.suspension


@pytest.mark.parametrize("rejected", [0, 60, 100])
@pytest.mark.parametrize("share", [0.9, 1.0])
def test_a_line_that_rejects_nearly_all_from_its_first_picture_on_is_noticed(rejected: int, share: float) -> None:
    found = [line(calibrated(rejected), share, seed, 200) for seed in range(20)]
    named = [each for each in found if each is not None]
    assert len(named) >= 19 and {each.moved for each in named} == {NG_SHARE}
    assert max(each.since for each in named) <= 30
    assert all(each.before == rejected / 2 and each.now >= 75 for each in named)


@pytest.mark.parametrize(("rejected", "share"), [(0, 0.3), (0, 0.5), (120, 0.6), (190, 1.0)])
def test_a_line_that_rejects_no_more_than_the_calibration_did_is_left_alone(rejected: int, share: float) -> None:
    # With few bad parts among the calibration's, up to a half: how many bad parts a line has is not known.
    runs, length, threshold = 60, 40, 200.0
    alarms = sum(line(calibrated(rejected), share, seed, length, threshold) is not None for seed in range(runs))
    bound = (length + 1) / threshold
    assert alarms / runs <= bound + 2.5 * (bound * (1 - bound) / runs) ** 0.5


@given(total=st.integers(1, 500), data=st.data())
def test_the_most_that_may_be_rejected_is_an_upper_bound(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    most = largest_share(count, total, 1e-3)
    assert count / total <= most <= 1
    assert most == 1 or binom.cdf(count, total, min(1.0, most + 1e-6)) <= 1e-3


def test_a_reference_that_does_not_know_its_verdicts_compares_none_with_them() -> None:
    assert line(reference_of(np.random.default_rng(21).normal(size=(60, 3))), 1.0, 0, 200) is None


@pytest.mark.parametrize("pictures", [60, 300])
def test_a_change_before_the_first_picture_is_noticed(pictures: int) -> None:
    noticed = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        monitor = Monitor(reference_of(random.normal(size=(pictures, 3)), seed))
        for row in rows_of(random.normal(size=(200, 3)) + np.array([0, -1.5, 0])):
            monitor.see(Look(True, row))
        noticed.append(monitor.suspension)
    named = [each for each in noticed if each is not None]
    assert len(named) >= 19 and {each.moved for each in named} == {"focus"}
    assert all(each.now < each.before and each.since < 60 for each in named)


def test_the_state_goes_on_through_json() -> None:
    random = np.random.default_rng(6)
    reference = replace(reference_of(random.normal(size=(40, 3))), rejected=10, judged=50)
    one, before = Monitor(reference, 1e9), rows_of(random.normal(size=(50, 3)))
    for row in before:
        one.see(Look(True, row))
    other = Monitor.restore(reference, json.loads(json.dumps(one.as_dict())), 1e9)
    for row in rows_of(random.normal(size=(30, 3)) + 1):
        assert one.see(Look(False, row)) == other.see(Look(False, row))
    assert one.as_dict() == other.as_dict()


def test_a_suspension_stays_and_survives() -> None:
    reference = reference_of(np.random.default_rng(7).normal(size=(100, 3)))
    monitor = Monitor(reference)
    far = Look(True, dict.fromkeys(NAMES, 50.0))
    assert any(monitor.see(far) for _ in range(60))
    restored = Monitor.restore(reference, json.loads(json.dumps(monitor.as_dict())))
    assert restored.suspension == monitor.suspension and restored.see(far) is None


def leaves(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [path, *(each for key, value in items for each in leaves(value, (*path, key)))]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data(), bad=st.sampled_from([None, "x", float("nan"), float("inf"), [], {}, True, -1, 1e300]))
def test_a_damaged_reference_is_refused_or_valid(data: st.DataObject, bad: Any) -> None:
    reference = replace(reference_of(np.random.default_rng(8).normal(size=(25, 3))), rejected=5, judged=30)
    values = json.loads(json.dumps(reference.as_dict()))
    path = data.draw(st.sampled_from(leaves(values)))
    if not path:
        values = bad
    else:
        parent = values
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = bad
    try:
        reference = Reference.from_dict(values)
    except ValueError:
        return
    assert all(np.isfinite(edges).all() and (np.diff(edges) >= 0).all() for edges in reference.edges.values())
    Monitor(reference).see(Look(True, dict.fromkeys(NAMES, 0.0)))


def test_a_damaged_state_is_refused() -> None:
    reference = reference_of(np.random.default_rng(9).normal(size=(25, 3)))
    good = Monitor(reference).as_dict()
    for key in good:
        if key != "suspension":
            with pytest.raises(ValueError, match="state of the watch"):
                Monitor.restore(reference, {**good, key: None})
    with pytest.raises(ValueError, match="another reference"):
        Monitor.restore(reference_of(np.zeros((60, 3))), good)


def test_a_reference_is_bounded_and_needs_pictures() -> None:
    assert Reference.of(rows_of(np.zeros((FEWEST - 1, 3))), "all") is None
    reference = reference_of(np.random.default_rng(10).normal(size=(5000, 3)))
    assert len(reference.ranks) == MOST_EDGES and reference.pictures == 5000
    assert reference.median("light") == pytest.approx(0, abs=0.1)


def test_threads_may_share_a_monitor() -> None:
    random = np.random.default_rng(12)
    monitor, rows = Monitor(reference_of(random.normal(size=(50, 3)))), rows_of(random.normal(size=(50, 3)))
    threads = [threading.Thread(target=lambda: [monitor.see(Look(True, row)) for row in rows]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monitor.seen == 200 and sum(monitor.as_dict()["joined"][0]) == 200


def test_what_a_picture_lacks_is_left_out() -> None:
    monitor = Monitor(reference_of(np.random.default_rng(13).normal(size=(50, 3))))
    monitor.see(Look(True, {"light": 0.1, "focus": float("nan"), "unknown": 3.0}))
    assert [sum(row) for row in monitor.as_dict()["joined"]] == [1, 0, 0]
