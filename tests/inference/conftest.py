"""What the tests of inference share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from color_network import ColorRuntime, paint

from lightdet.cli.app import main
from lightdet.inference import tiled
from lightdet.inference.predictor import Predictor
from lightdet.runs import detect as detection

Detect = Callable[..., tuple[int, str, str]]


@pytest.fixture
def painted() -> Callable[..., np.ndarray]:
    return paint


@pytest.fixture
def runtime() -> ColorRuntime:
    return ColorRuntime()


@pytest.fixture
def make_runtime() -> type[ColorRuntime]:
    return ColorRuntime


@pytest.fixture
def detect(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_runtime: Callable[..., Any],
) -> Detect:
    """Run the command in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def load(path: Path, *, imgsz: int | None, confidence: float | None, rect: bool, **other: Any) -> Any:
        lowest = 0.25 if confidence is None else confidence
        predictor = Predictor(make_runtime(imgsz or 96), confidence=lowest, rect=rect)
        if other["tile"] is None:
            return predictor
        overlap = tiled.OVERLAP if other["overlap"] is None else other["overlap"]
        return tiled.TiledPredictor(predictor, tile=other["tile"], overlap=overlap)

    monkeypatch.setattr(detection, "load", load)

    def run(*args: str) -> tuple[int, str, str]:
        code = main(["detect", "--weights", "w.safetensors", *args])
        return code, *capsys.readouterr()

    return run
