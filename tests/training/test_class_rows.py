"""What a network has learned of a class goes to the same class of another network."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from lightdet.assembly.class_rows import ClassRows

NAMES = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1, max_size=6)


@given(NAMES, NAMES, st.integers(0, 5), st.integers(1, 3))
def test_rows_are_copied_by_name(names, before, lead, anchors):
    theirs = torch.arange(anchors * (lead + len(before)) * 2.0).view(-1, 2)
    own = -1 - torch.arange(anchors * (lead + len(names)) * 2.0).view(-1, 2)
    fresh = own.clone()
    rows = ClassRows(names, before, lead, anchors)
    copied = rows.copy(own, theirs)
    for anchor in range(anchors):
        mine, other = anchor * (lead + len(names)), anchor * (lead + len(before))
        assert torch.equal(own[mine : mine + lead], theirs[other : other + lead])
        for label, name in enumerate(names):
            known = name in before and len(before) > 1  # one class has nothing to be told apart from
            at = mine + lead + label
            assert torch.equal(own[at], theirs[other + lead + before.index(name)] if known else fresh[at])
    assert copied == bool(lead or rows.known) and set(rows.known) <= set(names) & set(before)


def test_tensors_of_another_make_are_left_alone():
    rows = ClassRows(("a", "b"), ("b", "c"))
    for shape, theirs in (((2, 3), (2, 4)), ((3, 3), (2, 3)), ((2, 3), (3, 3)), ((2,), (2, 1)), ((), ())):
        own = torch.zeros(shape)
        assert not rows.copy(own, torch.ones(theirs)) and not own.any()
    assert not rows.copy(torch.zeros(2), None)


def test_it_says_which_classes_keep_their_weights():
    assert ClassRows(("a", "b", "c"), ("b", "a")).summary() == "a, b keep their weights; c starts from random ones"
    assert ClassRows(("x", "y"), ("b", "a")).summary() == "x, y start from random ones"
    assert ClassRows(("a",), ("b", "a")).summary() == "a keeps its weights"
