"""What corrections say together: the newest holds, and what contradicts is noticed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.service.collecting.truth import Truth, truth_of

A, B = {"name": "a", "box": [1.0, 2.0, 3.0, 4.0]}, {"name": "b", "box": [5.0, 6.0, 7.0, 8.0]}
REMARK, OK, NG = (None, None), ("OK", None), ("NG", None)


def said(*each: tuple[str | None, list[Any] | None]) -> list[dict[str, Any]]:
    return [
        {"id": f"{place:032x}", "decision": decision, "boxes": boxes} for place, (decision, boxes) in enumerate(each)
    ]


CASES: dict[str, tuple[list[Any], Truth]] = {
    "nothing": ([], Truth()),
    "remarks alone": ([REMARK, REMARK], Truth()),
    "it is OK": ([OK], Truth(True, [])),
    "it is NG": ([NG], Truth(True, None)),
    "NG with a box": ([("NG", [A])], Truth(True, [A])),
    "findings ticked off": ([(None, [])], Truth(True, [])),
    "a remark changes nothing": ([("NG", [A]), REMARK], Truth(True, [A])),
    "the boxes are drawn later": ([NG, ("NG", [A])], Truth(True, [A])),
    "NG is confirmed": ([("NG", [A]), NG], Truth(True, [A])),
    "other boxes": ([("NG", [A]), ("NG", [B])], Truth(True, [B], True)),
    "the same in another order": ([("NG", [A, B]), (None, [B, A])], Truth(True, [B, A])),
    "OK after NG": ([("NG", [A]), OK], Truth(True, [], True)),
    "NG after OK": ([OK, NG], Truth(True, None, True)),
    "NG after ticked off": ([(None, []), NG], Truth(True, None)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_newest_that_says_something_holds(case: str) -> None:
    given_, wanted = CASES[case]
    assert truth_of(said(*given_)) == wanted


statement = st.tuples(st.sampled_from([None, "OK", "NG"]), st.sampled_from([None, [], [A], [B], [A, B]]))


@given(st.lists(statement, max_size=5), st.randoms())
def test_the_order_is_that_of_time_and_a_last_statement_of_boxes_holds(each: list[Any], random: Any) -> None:
    rows = said(*each)
    mixed = list(rows)
    random.shuffle(mixed)
    assert truth_of(mixed) == truth_of(rows)
    last = truth_of([*rows, *said(*[REMARK] * len(rows), ("NG", [B]))[len(rows) :]])
    assert last.corrected and last.boxes == [B]
