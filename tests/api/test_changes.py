"""Changes of a configuration: sections and dotted keys mean what key.path=value means on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.config import RunConfig, YamlFile, load_config, load_yaml
from lightdet.config.yaml_file import parse_overrides
from lightdet.errors import UserError
from lightdet.runs.train import changed

KEYS = st.sampled_from(["imgsz", "train.lr", "train.epochs", "augment.flip_ud", "model.spp.size"])


@given(st.dictionaries(KEYS, st.integers(0, 9)))
def test_both_ways_mean_the_same(values: dict[str, int]) -> None:
    sections: dict[str, object] = parse_overrides(f"{key}={value}" for key, value in values.items())
    assert changed(values) == changed(sections) == sections


def test_a_changed_key_names_no_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("train:\n  epochs: 5\n  lr: -1\n")
    with pytest.raises(UserError, match=r"^'train.epochs' should be"):
        load_config(load_yaml(path).over({"train": {"epochs": 0, "lr": 1}}))
    with pytest.raises(UserError, match=r"run.yaml:3: 'train.lr'"):
        load_config(load_yaml(path).over({"train": {"epochs": 2}}))
    assert isinstance(load_config(YamlFile({}).over({"imgsz": 64})), RunConfig)
