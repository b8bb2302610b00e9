"""Domains and what they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.tuning.space import Choices, Range, SearchSpace, as_choice, combined, nested

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(VALUES, min_size=1, max_size=6, unique_by=as_choice), st.data())
def test_choices_of_any_kind_come_back_from_the_study(options: list, data: st.DataObject) -> None:
    space = SearchSpace({"key": Choices(tuple(options))})
    chosen = data.draw(st.sampled_from(options))
    back = space.restored(space.stored({"key": chosen}))["key"]
    assert back == chosen
    assert type(back) is type(chosen)


def test_numbers_that_python_takes_for_equal_stay_apart() -> None:
    assert len({as_choice(value) for value in (1, 1.0, True, "1")}) == 4


def test_steps_hit_both_ends() -> None:
    assert Range(0.1, 0.7, step=0.2).values() == [0.1, 0.3, 0.5, 0.7]
    assert Range(64, 128, step=32, whole=True).values() == [64, 96, 128]
    assert Range(1, 3, whole=True).values() == [1, 2, 3]
    assert Range(0.0, 1.0).values() is None


def test_a_grid_holds_every_combination_once() -> None:
    space = SearchSpace({"a": Choices((1, 2)), "b": Range(0, 1, step=0.5), "c": Choices(("x",))})
    found = list(space.grid())
    assert space.grid_size() == len(found) == 6
    assert len({combined(params) for params in found}) == 6
    assert found[0] == {"a": 1, "b": 0, "c": "x"}


def test_keys_become_sections() -> None:
    assert nested({"train.lr": 1, "train.batch": 2, "imgsz": 3}) == {"train": {"lr": 1, "batch": 2}, "imgsz": 3}


@pytest.mark.parametrize(("value", "text"), [(0.00123456, "0.001235"), ([8, 16], "[8, 16]"), (True, "true")])
def test_values_are_shown_shortly(value: object, text: str) -> None:
    assert combined({"k": value}) == f"k={text}"
