"""The output folder: every configuration that we ship is kept there as it is, and changes are noticed."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.config import load_config, load_yaml
from lightdet.errors import UserError
from lightdet.runs.compare.plan import CONFIG_NAME, MODELS, open_plan
from lightdet.runs.compare.request import Entry
from lightdet.runs.kept_config import differences
from lightdet.tasks import CLASSIFICATION, DETECTION, task_of_config

COMPARING = DETECTION.comparing
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
DETECTORS = [path for path in sorted(CONFIGS.rglob("*.yaml")) if task_of_config(load_yaml(path)) is not CLASSIFICATION]
DATA = {"classes": ["a"], "train": {"pictures": 2, "boxes": 3, "sum": 1.0, "bytes": 9}}
PLAIN = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=6,
)
NESTED = st.dictionaries(st.sampled_from("abcd"), PLAIN, max_size=4)


@pytest.mark.parametrize("path", DETECTORS, ids=lambda path: path.stem)
def test_a_configuration_comes_back_as_it_was(tmp_path: Path, path: Path) -> None:
    config = load_config(load_yaml(path))
    open_plan(tmp_path, DATA, [Entry("x", "trained", (path,), (0,), config=config)], COMPARING)
    assert load_config(load_yaml(tmp_path / MODELS / "x" / CONFIG_NAME)) == config


@given(NESTED, NESTED)
def test_differences_are_all_and_nothing_else(old: dict[str, Any], new: dict[str, Any]) -> None:
    found = differences(old, new)
    assert (not found) == (old == new)
    for key, before, now in found:
        assert before != now and key.split(".")[0] in {**old, **new}
    assert differences(old, old) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"classes": ["a", "b"]}, "started with the classes a, the data set now has a, b"),
        ({"train": {**DATA["train"], "pictures": 5}}, "2 pictures with 3 boxes then, 5 pictures with 3 boxes now"),  # type: ignore[dict-item]
        ({"train": {**DATA["train"], "sum": 2.0}}, "boxes or files were changed"),  # type: ignore[dict-item]
    ],
)
def test_other_data_are_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    open_plan(tmp_path, DATA, [], COMPARING)
    with pytest.raises(UserError, match=told):
        open_plan(tmp_path, {**DATA, **change}, [], COMPARING)


def test_a_comparison_from_before_the_digest_goes_on(tmp_path: Path) -> None:
    now = {**DATA, "train": {**DATA["train"], "sha256": "ab"}}  # type: ignore[dict-item]
    open_plan(tmp_path, DATA, [], COMPARING)
    open_plan(tmp_path, now, [], COMPARING)
    with pytest.raises(UserError, match="boxes or files were changed"):
        open_plan(tmp_path, {**now, "train": {**DATA["train"], "sha256": "cd"}}, [], COMPARING)  # type: ignore[dict-item]


def test_a_split_may_join(tmp_path: Path) -> None:
    open_plan(tmp_path, DATA, [], COMPARING)
    open_plan(tmp_path, {**DATA, "test": {"pictures": 1, "boxes": 0}}, [], COMPARING)
    open_plan(tmp_path, DATA, [], COMPARING)
    with pytest.raises(UserError, match="the split 'test'"):
        open_plan(tmp_path, {**DATA, "test": {"pictures": 2, "boxes": 0}}, [], COMPARING)
