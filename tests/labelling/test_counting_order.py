"""Pictures are shown in the order in which people count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightdet.labelling.folder import counting_order


@given(st.lists(st.integers(0, 10**6), unique=True), st.sampled_from(["part {}.png", "{}/a.jpg", "cam 3/{}"]))
def test_numbers_count_as_numbers(numbers: list[int], form: str) -> None:
    names = [form.format(number) for number in numbers]
    assert sorted(names, key=counting_order) == [form.format(number) for number in sorted(numbers)]


@given(st.lists(st.text(max_size=8), unique=True))
def test_every_name_has_one_place(names: list[str]) -> None:
    """Also ``1``, ``01`` and digits of other scripts: the order does not depend on how they were listed."""
    turned = names[::-1]
    assert sorted(names, key=counting_order) == sorted(turned, key=counting_order)
