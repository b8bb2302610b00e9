"""Proposals kept beside pictures: read as written, and a broken file is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.data.proposal_file import PLACE, KeptProposal, KeptProposals, read_proposals, write_proposals
from lightdet.errors import UserError

corner = st.floats(0, 5000)
proposal = st.builds(
    lambda x, y, w, h, name, score: KeptProposal((x, y, x + w, y + h), name, score),
    corner, corner, st.floats(1, 900), st.floats(1, 900), st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    st.floats(0, 1),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["a.png", "b/c.png"]), st.lists(proposal, max_size=3)))
def test_read_as_written(tmp_path_factory: pytest.TempPathFactory, pictures: dict[str, list[KeptProposal]]) -> None:
    folder = tmp_path_factory.mktemp("set")
    kept = KeptProposals("best", ("dent", "scratch"), pictures)
    write_proposals(folder, kept)
    assert read_proposals(folder) == kept


def test_no_file(tmp_path: Path) -> None:
    assert read_proposals(tmp_path) is None


GOOD = {"model": "m", "classes": ["a"], "pictures": {"x.png": [{"name": "a", "box": [0, 1, 2, 3], "score": 0.5}]}}
WRONG: list[Any] = [
    [],
    {},
    {**GOOD, "classes": "a"},
    {**GOOD, "classes": [1]},
    {**GOOD, "model": None},
    {**GOOD, "pictures": []},
    {**GOOD, "pictures": {"x": {}}},
    *({**GOOD, "pictures": {"x": [{"name": "a", "box": [0, 1, 2, 3], "score": 0.5} | change]}} for change in (
        {"box": [0, 1, 2]}, {"box": [2, 1, 0, 3]}, {"box": [0, 1, 2, "3"]}, {"box": [0, 1, 2, True]}, {"score": 2},
        {"name": 1},
    )),
]  # fmt: skip


@pytest.mark.parametrize("wrong", range(len(WRONG) + 3))
def test_a_broken_file_is_one_line(tmp_path: Path, wrong: int) -> None:
    texts = [*map(json.dumps, WRONG), "{", json.dumps(GOOD).replace("0.5", "NaN"), "[" * 100_000]
    (tmp_path / PLACE).parent.mkdir()
    (tmp_path / PLACE).write_text(texts[wrong])
    with pytest.raises(UserError, match="is damaged; delete it"):
        read_proposals(tmp_path)
