"""Properties of the queue: shares, bounds, and that nothing gets lost in it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lightdet.line.fair_queue import FairQueue

SHARES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.2, 5.0), min_size=2)


@given(SHARES, st.integers(1, 8))
def test_sources_that_always_wait_get_their_shares(shares: dict[str, float], most: int) -> None:
    queue: FairQueue[str] = FairQueue({name: (share, 50, "none") for name, share in shares.items()})
    served: Counter[str] = Counter()
    for name in shares:
        for _ in range(50):
            queue.add(name, name)
    while served.total() < 2000:
        for name in queue.take(most):
            served[name] += 1
            queue.add(name, name)
    for name, share in shares.items():
        assert abs(served[name] - 2000 * share / sum(shares.values())) <= 12 + 0.03 * served[name]


def test_a_source_that_was_idle_does_not_catch_up() -> None:
    queue: FairQueue[str] = FairQueue(dict.fromkeys("ab", (1.0, 500, "none")))
    for _ in range(300):
        queue.add("a", "a")
    queue.take(200)
    for _ in range(50):
        queue.add("b", "b")
    assert abs(queue.take(40).count("b") - 20) <= 1


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=60), st.sampled_from(["oldest", "newest"]))
def test_each_item_comes_out_once_and_no_row_is_longer_than_it_may_be(steps: list[tuple[str, bool]], drop: str) -> None:
    queue: FairQueue[int] = FairQueue(dict.fromkeys("ab", (1.0, 3, drop)))
    out: list[int] = []
    for number, (name, take) in enumerate(steps):
        dropped = queue.add(name, number)
        out += [] if dropped is None else [dropped]
        assert queue.waiting(name) <= 3
        out += queue.take(2) if take else []
    out += queue.take(1000)
    assert sorted(out) == list(range(len(steps)))
