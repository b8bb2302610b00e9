"""A model judges alike whatever its file is called: in its own runtime, with its own rule."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightdet.errors import UserError
from lightdet.models.weights import load_model, save_model
from lightdet.runs.load import load
from lightdet.tasks import DETECTION, known_task_of_model

LOADED = ("cal", "cal.onnx")
"""Loading takes seconds."""
CALLED = ("cal", "cal.pt", "cal.onnx", "cal.xml", "Cal.SAFETENSORS", "cal.v2.1")


@pytest.mark.parametrize("kind", ["safetensors", "onnx", "xml"])
def test_a_model_by_any_name(
    kind: str, checkpoint: Path, exported: Callable[..., Path], pictures: np.ndarray, tmp_path: Path
) -> None:
    original = tmp_path / "best.safetensors" if kind == "safetensors" else exported(kind)
    if kind == "safetensors":
        weights, card = load_model(checkpoint)
        save_model(original, weights, replace(card, decision={"rule": {"threshold": 0.1059}, "promise": {}}))
    wanted = load(original)
    assert kind != "safetensors" or wanted.rule.threshold == 0.1059
    found = wanted(pictures[0])
    for name in CALLED:
        copy = tmp_path / name
        shutil.copyfile(original, copy)
        if kind == "xml":
            with pytest.raises(UserError, match=r"its weights are missing: .*\.bin belongs beside it"):
                load(copy)
            shutil.copyfile(original.with_suffix(".bin"), copy.with_suffix(".bin"))
        assert known_task_of_model(copy) is DETECTION
        if name in LOADED:
            same = load(copy)
            assert type(same.runtime) is type(wanted.runtime)
            assert same.rule == wanted.rule
            assert np.array_equal(same(pictures[0]).boxes, found.boxes)
        copy.unlink()  # names that differ in case alone may be the same
        copy.with_suffix(".bin").unlink(missing_ok=True)
