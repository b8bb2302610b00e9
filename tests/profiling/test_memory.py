"""The peak rises with what is held, and can begin anew."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import json, torch
from lightdet.profiling import peak_memory_mib as peak, reset_peak_memory
cpu = torch.device("cpu")
told = [peak(cpu)]
torch.ones(64 << 20, dtype=torch.uint8)
told.append(peak(cpu))
reset_peak_memory(cpu)
print(json.dumps([*told, peak(cpu)]))
"""


@pytest.fixture(scope="module")
def peaks() -> list[float]:
    """Before 64 MiB, with them, and anew without: in a process of its own, whose heap holds nothing for later."""
    told = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: list[float] = json.loads(told)
    if found[0] is None:
        pytest.skip("this system does not tell")
    return found


def test_the_peak_rises_with_what_is_held(peaks: list[float]) -> None:
    before, high, _ = peaks
    assert 60 <= high - before <= 80


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux can begin anew")
def test_the_peak_begins_anew(peaks: list[float]) -> None:
    _, high, low = peaks
    assert low < high - 40
