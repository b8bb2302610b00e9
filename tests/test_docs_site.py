"""The documentation builds as a site, without a warning, and holds what its pages promise."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="needs the extra: pip install 'lightdet[docs]'"
)
def test_the_site_builds_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "packaging/build_docs.py"], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = ROOT / "build/site"
    assert "Detections" in (site / "docs/api/index.html").read_text(encoding="utf-8")
    assert (site / "benchmarks/results/neu_det.html").is_file()
