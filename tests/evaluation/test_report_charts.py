"""The axes of a chart: round steps that hold what is drawn."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lightdet.evaluation.report.charts import HEIGHT, TOP, WIDTH, Line, chart, ticks_for

finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(finite, st.floats(1e-6, 1e6))
def test_ticks_hold_the_values_in_even_round_steps(low: float, extent: float) -> None:
    ticks = ticks_for(low, low + extent)
    steps = np.diff(ticks)
    slack = 1e-6 * steps[0]
    assert ticks[0] <= low + slack and ticks[-1] >= low + extent - slack
    assert 2 <= len(ticks) <= 8
    assert np.allclose(steps, steps[0], rtol=1e-3)
    mantissa = float(f"{steps.mean():.2e}".split("e")[0])
    assert min(abs(mantissa - round_one) for round_one in (1, 2, 5, 10)) < 0.02


def test_one_value_still_has_an_axis() -> None:
    assert len(ticks_for(3.0, 3.0)) >= 2
    assert len({f"{tick:g}" for tick in ticks_for(1.0, 1.0)}) >= 2


def test_points_lie_where_the_ticks_say() -> None:
    picture = chart(
        [Line("a", np.array([0.0, 10.0, 20.0]), np.array([5.0, 0.0, 2.5]))],
        x_title="x",
        y_title="y",
        x_ticks=(0.0, 10.0, 20.0),
        y_ticks=(0.0, 2.5, 5.0),
    )
    found = re.search(r'points="([^"]+)"', picture)
    assert found
    (x0, y0), (x1, y1), (x2, y2) = (tuple(map(float, point.split(","))) for point in found[1].split())
    assert y0 == TOP and x2 == WIDTH - 12 and abs((x0 + x2) / 2 - x1) < 0.1
    assert abs((y0 + y1) / 2 - y2) < 0.1 and y1 == HEIGHT - 40
