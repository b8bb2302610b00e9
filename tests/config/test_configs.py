"""Each configuration that we ship loads, and the main one spells out the schema's defaults."""

from pathlib import Path

import pytest

from lightdet.config import Config, load_config, load_yaml, validate
from lightdet.tasks import CLASSIFICATION, task_of_config

CONFIGS = Path(__file__).parents[2] / "configs"
ALL = sorted(CONFIGS.rglob("*.yaml"))


def test_the_main_configuration_is_the_defaults() -> None:
    file = load_yaml(CONFIGS / "lightdet.yaml")
    assert validate(Config, file) == Config()
    defaults = Config().model_dump()
    assert file.values.keys() == defaults.keys()
    for section, values in defaults.items():
        if isinstance(values, dict):
            assert file.values[section].keys() == values.keys(), f"{section}: every key is shown"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_each_configuration_is_valid(path: Path) -> None:
    file = load_yaml(path)
    if task_of_config(file) is not CLASSIFICATION:  # test_classification.py has those
        load_config(file)


def test_ablations_differ_by_few_lines() -> None:
    for path in (CONFIGS / "ablation").glob("*.yaml"):
        assert load_yaml(path).path == path
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert lines[0] == "extends: ../lightdet.yaml"
        assert lines[-1].startswith("train: {start: chance}")  # weights are kept for the full network alone
        assert len(lines) <= 5, path
