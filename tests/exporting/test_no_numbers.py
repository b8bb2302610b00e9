"""A network that gives no numbers gives no verdict: not one of its files, in no runtime, by no command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from export_networks import NAMES, SIDE, save_onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

import lightdet
from lightdet.card import METADATA_KEY
from lightdet.cli.app import main
from lightdet.decisions import DecisionRule
from lightdet.errors import NetworkError
from lightdet.inference.runtime import check_numbers
from lightdet.inference.torch_runtime import TorchRuntime
from lightdet.models import DetectionNetwork
from lightdet.structures import Preprocessing

Exported = Callable[..., Path]
NONE = [float("nan"), float("inf"), float("-inf")]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.sampled_from(NONE), st.data())
def test_one_value_anywhere_is_enough(sizes: list[int], value: float, data: st.DataObject) -> None:
    outputs = [np.zeros((1, size), np.float32) for size in sizes]
    check_numbers(outputs)
    hit = data.draw(st.sampled_from(range(len(outputs))))
    if sizes[hit]:
        outputs[hit][0, data.draw(st.integers(0, sizes[hit] - 1))] = value
        with pytest.raises(NetworkError, match=r"^m.onnx: the network's output is not a number"):
            check_numbers(outputs, "m.onnx")


@pytest.mark.parametrize("value", NONE)
def test_a_trained_network(network: DetectionNetwork, value: float) -> None:
    runtime = TorchRuntime(network, NAMES, Preprocessing(SIDE), confidence=0.25)
    whole = runtime.running

    def broken(images: torch.Tensor) -> object:
        first, *others = whole(images)
        spoilt = first.clone()
        spoilt[0, ..., -1] = value
        return [spoilt, *others]

    runtime.running = broken  # type: ignore[assignment]
    with pytest.raises(NetworkError, match="not a number"):
        runtime(np.zeros((1, SIDE, SIDE, 3), np.uint8))


def spoilt(source: Path, target: Path, value: float) -> Path:
    """Copy an .onnx of which one weight of the last convolution is no number."""
    model = onnx.load(source)
    weight = max((each for each in model.graph.initializer if len(each.dims) == 4), key=lambda each: each.dims[1])
    values = numpy_helper.to_array(weight).copy()
    values.reshape(-1)[0] = value
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    [entry] = [each for each in model.metadata_props if each.key == METADATA_KEY]
    entry.value = json.dumps(json.loads(entry.value) | {"decision": {"rule": DecisionRule(0.5).as_dict()}})
    return save_onnx(model, target)


@pytest.mark.parametrize("nms", [False, True])
@pytest.mark.parametrize("value", NONE)
def test_an_exported_network(exported: Exported, tmp_path: Path, value: float, nms: bool) -> None:
    source = exported("onnx", batch=None, dynamic=True, nms=True) if nms else exported("onnx")  # traced for others, too
    path = spoilt(source, tmp_path / "model.onnx", value)
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with pytest.raises(NetworkError, match=r"model\.onnx: .*not a number"):
        lightdet.load(path, threads=1)(picture)


def test_no_command_calls_a_part_good(exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoilt(exported("onnx"), tmp_path / "model.onnx", float("nan"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        cv2.imwrite(str(pictures / f"{number}.png"), noise)
    asked = ["detect", str(pictures), "-w", str(path), "--output", str(tmp_path / "found"), "--on-error", "skip"]
    assert main(asked) == 2
    told = capsys.readouterr()
    assert told.err.count("error: ") == 1 and "not a number" in told.err
    assert " OK" not in told.out + told.err
