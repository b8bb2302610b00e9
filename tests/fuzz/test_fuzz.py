"""A short run of the fuzzing, the same cases every time; `make fuzz` runs the long one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("families", "cases", "jobs"), [(["labels", "tools", "sets", "pictures"], 100, 1), (["models"], 150, 0)]
)
def test_a_few_hundred_broken_files(tmp_path: Path, families: list[str], cases: int, jobs: int) -> None:
    campaign = Path(__file__).with_name("campaign.py")
    command = [sys.executable, campaign, "--cases", str(cases), "--jobs", str(jobs)]
    command += ["--folder", tmp_path, "--only", *families]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: each for name, each in json.loads((tmp_path / "state.json").read_text()).items() if each["pieces"]}
    assert sum(each["cases"] for each in counts.values()) >= cases
    assert all(each["accepted"] for each in counts.values())  # else nothing was compared
