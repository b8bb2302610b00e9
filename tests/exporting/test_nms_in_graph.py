"""Suppression and voting in the network against those in numpy, by class and over all classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lightdet.exporting.onnx_nms import add_nms
from lightdet.exporting.openvino import to_openvino
from lightdet.inference.decode import select, split_detections
from lightdet.options.export import ExportOptions
from lightdet.tasks import DETECTION

CLASSES = 3


def passed_on(*, agnostic: bool, most: int) -> onnx.ModelProto:
    """A network that gives its input as candidates, with suppression behind it."""
    return add_nms(candidates_alone(), confidence=0.25, iou=0.5, max_detections=most, agnostic=agnostic)


def candidates_alone() -> onnx.ModelProto:
    given, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "cells", 5 + CLASSES])
        for name in ("images", "candidates")
    )
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["candidates"])], "g", [given], [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def in_onnxruntime(model: onnx.ModelProto) -> Callable[[np.ndarray], np.ndarray]:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda candidates: session.run(None, {"images": candidates})[0]


def in_openvino(model: onnx.ModelProto) -> Callable[[np.ndarray], np.ndarray]:
    openvino = pytest.importorskip("openvino")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # as our runtime asks for; some processors take bf16 by themselves
    compiled = openvino.Core().compile_model(to_openvino(model), "CPU", exact)
    return lambda candidates: compiled([candidates])[0]


@pytest.mark.parametrize("lowest", [0.1595, 0.0007, 0.25, 1.0])
def test_what_reaches_the_lowest_score_as_reported_is_in_the_file(lowest: float) -> None:
    options = ExportOptions(weights=Path("none.safetensors"), nms=True, confidence=lowest)
    run = in_onnxruntime(DETECTION.exporting.complete_graph(candidates_alone(), options))
    scores = np.linspace(max(0.0, lowest - 2e-4), lowest, 100, dtype=np.float32)
    candidates = np.zeros((1, len(scores), 5 + CLASSES), np.float32)
    candidates[0, :, 0] = np.arange(len(scores)) * 50
    candidates[0, :, 2:4], candidates[0, :, 4], candidates[0, :, 5] = 10, scores, 1
    reached = {float(score) for score in scores if round(float(score), 4) >= lowest}
    assert reached <= set(run(candidates)[:, 5].tolist()) and len(reached) > 20


@pytest.mark.parametrize("run", [in_onnxruntime, in_openvino])
@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("most", [5, 100])
def test_the_network_suppresses_as_we_do(
    run: Callable[[onnx.ModelProto], Callable[[np.ndarray], np.ndarray]], agnostic: bool, most: int
) -> None:
    found = run(passed_on(agnostic=agnostic, most=most))
    for seed in range(6):
        draw = np.random.default_rng(seed)
        spread = 60 if seed < 4 else 8  # the last ones lie close together
        sizes = [
            draw.uniform(0, spread, (2, 150, 2)),
            draw.uniform(5, 30, (2, 150, 2)),
            draw.uniform(0.2, 1, (2, 150, 1)),
        ]
        candidates = np.concatenate([*sizes, draw.random((2, 150, CLASSES))], axis=2).astype(np.float32)
        rows = split_detections(found(candidates), 2, confidence=0.25, max_detections=most)
        for own, (boxes, scores, labels) in zip(candidates, rows, strict=True):
            wanted = select(own, confidence=0.25, iou=0.5, max_detections=most, agnostic=agnostic)
            assert labels.tolist() == wanted[2].tolist()
            assert np.allclose(scores, wanted[1]) and np.allclose(boxes, wanted[0], atol=1e-3)


@pytest.mark.parametrize("run", [in_onnxruntime, in_openvino])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_candidate_that_is_no_number_shows_among_the_detections(
    run: Callable[[onnx.ModelProto], Callable[[np.ndarray], np.ndarray]], value: float
) -> None:
    candidates = np.full((2, 9, 5 + CLASSES), 0.1, np.float32)
    found = run(passed_on(agnostic=False, most=5))
    for place in ((0, 0, 0), (1, 8, 4), (1, 3, 5 + CLASSES - 1)):
        spoilt = candidates.copy()
        spoilt[place] = value
        assert not np.isfinite(found(spoilt)).all()


@pytest.mark.parametrize("run", [in_onnxruntime, in_openvino])
def test_nothing_found_in_one_picture_or_in_all(
    run: Callable[[onnx.ModelProto], Callable[[np.ndarray], np.ndarray]],
) -> None:
    found = run(passed_on(agnostic=False, most=5))
    candidates = np.full((2, 9, 5 + CLASSES), 0.1, np.float32)
    assert found(candidates).shape == (0, 7)
    candidates[1, 3] = [20, 20, 10, 10, 1, 0.1, 0.9, 0.1]
    assert np.allclose(found(candidates), [[1, 15, 15, 25, 25, 0.9, 1]])
