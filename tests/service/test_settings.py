"""How many threads compute where nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest
from one_model import one_model


@pytest.mark.parametrize(
    ("cores", "workers", "given", "threads"),
    [
        (4, 1, None, 3),
        (1, 1, None, 1),
        (None, 1, None, 1),
        (4, 4, None, 1),
        (8, 3, None, 2),
        (2, 4, None, 1),
        (4, 1, 4, 4),
    ],
)
def test_one_core_stays_free_and_workers_share(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int, given: int | None, threads: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    settings = one_model(Path("model.onnx"), workers=workers, threads=given)
    assert settings.compute_threads() == threads
