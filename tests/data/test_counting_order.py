"""Paths are in the order in which people count."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lightdet.data.paths import counting_order

letters = st.characters(exclude_characters="/\0")
names = st.text(letters, min_size=1, max_size=8).filter(lambda text: text.strip(".") != "")


@given(st.lists(st.integers(0, 10**6), unique=True), st.sampled_from(["part {}.png", "{}/a.jpg", "cam 3/{}"]))
def test_numbers_count_as_numbers(numbers: list[int], form: str) -> None:
    paths = [Path(form.format(number)) for number in numbers]
    assert sorted(paths, key=counting_order) == [Path(form.format(number)) for number in sorted(numbers)]


@given(st.lists(names, unique=True))
def test_every_name_has_one_place(found: list[str]) -> None:
    """Also ``1``, ``01``, ``A`` and ``a``, and digits of other scripts: the order does not depend on the listing's."""
    paths = [Path(name) for name in found]
    turned = paths[::-1]
    assert sorted(paths, key=counting_order) == sorted(turned, key=counting_order)
