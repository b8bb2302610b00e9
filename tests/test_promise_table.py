"""Every option of detect, val and serve has a place in the table of what is promised."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_no_option_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    promises = pytest.importorskip(
        "promises", reason="needs the extra: pip install 'lightdet[service]'", exc_type=ImportError
    )
    assert promises.unplaced() == [], "say in benchmarks/promises.py whether it changes what is found"
