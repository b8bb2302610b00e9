"""The peak rises with what is held, and can begin anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lightdet.profiling import peak_memory_mib, reset_peak_memory

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


def test_the_peak_rises_with_what_is_held() -> None:
    before = peak_memory_mib(CPU)
    if before is None:
        pytest.skip("this system does not tell")
    code = (
        "import torch; from lightdet.profiling import peak_memory_mib as peak;"
        "cpu = torch.device('cpu'); before = peak(cpu);"
        "torch.ones(64 << 20, dtype=torch.uint8); print(peak(cpu) - before)"
    )
    risen = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 60 <= float(risen) <= 80


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux can begin anew")
def test_the_peak_begins_anew() -> None:
    torch.ones(256 << 20, dtype=torch.uint8)
    high = peak_memory_mib(CPU)
    reset_peak_memory(CPU)
    low = peak_memory_mib(CPU)
    assert high is not None and low is not None
    assert low < high - 150
