"""A short run of the fuzzing, the same cases every time; `make fuzz` runs the long one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_few_thousand_broken_files(tmp_path: Path) -> None:
    campaign = Path(__file__).with_name("campaign.py")
    command = [sys.executable, campaign, "--cases", "1000", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "state.json").read_text())
    assert sum(each["cases"] for each in counts.values()) >= 1000
    assert all(each["accepted"] for each in counts.values())  # else nothing was compared
