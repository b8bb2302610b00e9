"""The lists of docs/compare.md are understood, and its configurations are there (commands: tests/test_readme.py)."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from lightdet.config import YamlFile, validate
from lightdet.config.comparison import ModelList

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for tag, block in BLOCKS if not tag for line in block.replace("\\\n", " ").splitlines() if line.strip()
]


@pytest.mark.parametrize("line", COMMANDS)
def test_its_configurations_are_there(line: str) -> None:
    words = shlex.split(line)
    assert words[:2] == ["lightdet", "compare"]
    for word in words[2:]:
        if word.startswith("configs/"):
            assert list(ROOT.glob(word)), word


@pytest.mark.parametrize("block", [block for tag, block in BLOCKS if tag == "yaml"])
def test_a_list_is_understood(block: str) -> None:
    assert len(validate(ModelList, YamlFile(yaml.safe_load(block))).models) == 4


def test_there_is_something_to_understand() -> None:
    assert len(COMMANDS) >= 5
