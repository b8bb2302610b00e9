"""What calibration says: which bound is meant, and what the promise costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightdet.calibration import judge
from lightdet.cli.calibrate import price


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_a_dear_promise_is_warned_of(caught: int, escaped: int, rejected: int, passed: int) -> None:
    bad = [True] * (caught + escaped) + [False] * (rejected + passed)
    judged = judge(bad, [True] * caught + [False] * escaped + [True] * rejected + [False] * passed)
    rates = {
        "escape_rate": rejected / (rejected + passed) if rejected + passed else 0.0,
        "false_reject_rate": escaped / (caught + escaped) if caught + escaped else 0.0,
    }
    for kind, rate in rates.items():
        told = price(kind, judged)  # type: ignore[arg-type]
        assert bool(told) == (rate >= 0.2)
        assert not told or (told[0].startswith(f"warning: {rate:.0%} of the ") and kind.split("_")[0] in told[0])
    for each in (judged.escapes, judged.false_rejects):
        assert each.rate is None or "two-sided 95% interval" in str(each)
