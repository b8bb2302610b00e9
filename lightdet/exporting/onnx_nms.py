"""Non-maximum suppression and box voting as nodes of an ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lightdet.geometry.nms import VOTER_IOU, VOTER_SCORE

DETECTIONS = "detections"
TINY = 1e-12
FAR = 1e9
"""A candidate with larger numbers than this does not vote: infinity times the weight 0 would spoil the mean."""


def add_nms(
    model: onnx.ModelProto, *, confidence: float, iou: float, max_detections: int, agnostic: bool = False
) -> onnx.ModelProto:
    """Put non-maximum suppression and box voting after the output ``candidates``; the output is then ``detections``.

    Boxes of one class suppress each other, with `agnostic` those of all; each picture keeps its `max_detections` best.
    See `lightdet.inference.export_card.Outputs` for what the rows hold.
    """
    graph = model.graph
    (candidates,) = (output.name for output in graph.output)
    # ONNX keeps scores above its threshold, we also keep those equal to it.
    lowest = float(np.nextafter(np.float32(confidence), np.float32(-1)))
    build = _Builder()
    centre, sides = build.slice(candidates, 0, 2, 2), build.slice(candidates, 2, 4, 2)
    scores = build.add("Mul", build.slice(candidates, 4, 5, 2), build.slice(candidates, 5, math.inf, 2))
    classes = scores
    if agnostic:  # among the classes of one candidate, which share a box, the best suppresses the others
        scores = build.add("ReduceMax", scores, build.constant(np.array([2], np.int64)), keepdims=1)
    by_class = build.add("Transpose", scores, perm=[0, 2, 1])  # [B, C, N], or [B, 1, N]
    chosen = build.add(
        "NonMaxSuppression",
        build.slice(candidates, 0, 4, 2),
        by_class,
        build.constant(np.array([max_detections], np.int64)),
        build.constant(np.array([iou], np.float32)),
        build.constant(np.array([lowest], np.float32)),
        center_point_box=1,
    )  # [M, 3]: picture, class, candidate
    picture, label = build.slice(chosen, 0, 1, 1), build.slice(chosen, 1, 2, 1)
    place = build.add("Concat", picture, build.slice(chosen, 2, 3, 1), axis=1)
    if agnostic:
        label = build.add("GatherND", build.add("ArgMax", classes, axis=2, keepdims=1), place)
    middle = build.add("GatherND", centre, place)
    half = build.add("Mul", build.add("GatherND", sides, place), build.number(0.5))
    score = build.add("Unsqueeze", build.add("GatherND", by_class, chosen), build.constant(np.array([1], np.int64)))
    number = build.add("Cast", picture, to=TensorProto.FLOAT)
    rows = build.add(
        "Concat",
        number,
        build.add("Sub", middle, half),
        build.add("Add", middle, half),
        score,
        build.add("Cast", label, to=TensorProto.FLOAT),
        axis=1,
    )  # [M, 7]
    best = _keep_best(build, rows, candidates, max_detections)
    moved = _vote(build, best, candidates, scores, lowest, agnostic=agnostic)
    found = build.add("Concat", build.slice(best, 0, 1, 1), moved, build.slice(best, 5, 7, 1), axis=1)
    build.nodes.append(helper.make_node("Concat", [found, _broken(build, candidates)], [DETECTIONS], axis=0))
    graph.node.extend(build.nodes)
    graph.initializer.extend(build.constants)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(DETECTIONS, TensorProto.FLOAT, ["detections", 7]))
    onnx.checker.check_model(model)
    return model


def _keep_best(build: _Builder, rows: str, candidates: str, most: int) -> str:
    """The rows ordered by picture and score, `most` of each picture."""
    one = build.constant(np.array(1, np.int64))
    zero = build.constant(np.array(0, np.int64))
    # Scores are at most 1, so this decreases from picture to picture, and within a picture with the score.
    two = build.number(2)
    key = build.add("Sub", build.slice(rows, 5, 6, 1), build.add("Mul", build.slice(rows, 0, 1, 1), two))
    flat = build.add("Squeeze", key, build.constant(np.array([1], np.int64)))
    _, order = build.add_many("TopK", 2, flat, build.add("Shape", flat), largest=1, sorted=1)
    ordered = build.add("Gather", rows, order, axis=0)
    pictures = build.add("Gather", build.add("Shape", candidates), zero, axis=0)
    numbers = build.add("Cast", build.add("Range", zero, pictures, one), to=TensorProto.FLOAT)
    own = build.add("Cast", build.add("Equal", build.slice(ordered, 0, 1, 1), numbers), to=TensorProto.FLOAT)  # [M, B]
    counted = build.add("Mul", build.add("CumSum", own, zero), own)
    rank = build.add("ReduceSum", counted, build.constant(np.array([1], np.int64)), keepdims=0)  # from 1 on
    kept = build.add("LessOrEqual", rank, build.number(most))
    return build.add("Compress", ordered, kept, axis=0)


def _broken(build: _Builder, candidates: str) -> str:
    """A row of NaN if a candidate is not a finite number, otherwise no row.

    NaN passes no threshold: without the row such a network would find nothing, and every part would pass.
    """
    row = np.array([[0, np.nan, np.nan, np.nan, np.nan, np.nan, 0]], np.float32)
    size = build.add("ReduceL1", candidates, keepdims=0)
    broken = build.add("Not", build.add("Less", size, build.number(math.inf)))
    flag = build.add("Reshape", broken, build.constant(np.array([1], np.int64)))
    return build.add("Compress", build.constant(row), flag, axis=0)


def _vote(build: _Builder, rows: str, candidates: str, scores: str, lowest: float, *, agnostic: bool) -> str:
    """Where the boxes of the rows ``[K, 7]`` lie by `lightdet.geometry.nms.vote`, ``[K, 4]``.

    Args:
        scores: ``[B, N, C]``, with `agnostic` ``[B, N, 1]``.
        lowest: only scores above it count.
    """
    one, ends = build.constant(np.array([1], np.int64)), build.constant(np.array([2], np.int64))
    size = build.add("ReduceL1", build.slice(candidates, 0, 4, 2), ends, keepdims=0)  # NaN is not below anything
    seen = build.add("Greater", build.add("ReduceMax", scores, ends, keepdims=0), build.number(lowest))
    near = build.add("And", seen, build.add("Less", size, build.number(FAR)))  # [B, N]
    place = build.add("Transpose", build.add("NonZero", near), perm=[1, 0])  # [n, 2]
    given = build.add("GatherND", candidates, place)
    half = build.add("Mul", build.slice(given, 2, 4, 1), build.number(0.5))
    middle = build.slice(given, 0, 2, 1)
    boxes = build.add("Concat", build.add("Sub", middle, half), build.add("Add", middle, half), axis=1)  # [n, 4]

    label = build.add("Cast", build.slice(rows, 6, 7, 1), to=TensorProto.INT64)
    label = build.add("Squeeze", build.add("Sub", label, label) if agnostic else label, one)  # [K]
    by_class = build.add("Transpose", build.add("GatherND", scores, place), perm=[1, 0])  # [C, n]
    theirs, own = build.add("Gather", by_class, label, axis=0), build.slice(rows, 5, 6, 1)  # [K, n], [K, 1]
    pictures = build.add("Cast", build.add("Transpose", build.slice(place, 0, 1, 1), perm=[1, 0]), to=TensorProto.FLOAT)
    valid = build.add("Greater", theirs, build.number(lowest))
    valid = build.add("And", valid, build.add("Equal", build.slice(rows, 0, 1, 1), pictures))
    least = build.add("Max", build.add("Mul", own, build.number(VOTER_SCORE)), build.number(lowest))
    voice = build.add("Sub", build.add("Min", theirs, own), least)
    closeness = build.add("Sub", _overlaps(build, build.slice(rows, 1, 5, 1), boxes), build.number(VOTER_IOU))
    weights = build.add("Mul", build.add("Relu", voice), build.add("Relu", closeness))
    weights = build.add("Where", valid, weights, build.number(0.0))  # [K, n]
    total = build.add("ReduceSum", weights, one, keepdims=1)
    shares = build.add("Div", weights, build.add("Max", total, build.number(TINY)))
    mean = build.add("MatMul", shares, boxes)
    return build.add("Where", build.add("Greater", total, build.number(0.0)), mean, build.slice(rows, 1, 5, 1))


def _overlaps(build: _Builder, rows: str, columns: str) -> str:
    """IoU ``[K, n]`` of corners ``[K, 4]`` and ``[n, 4]``; 0 of boxes without area."""
    across = build.add("Transpose", columns, perm=[1, 0])  # [4, n]
    sides, areas = [], []
    for axis in (0, 1):
        low = build.add("Max", build.slice(rows, axis, axis + 1, 1), build.slice(across, axis, axis + 1, 0))
        high = build.add("Min", build.slice(rows, axis + 2, axis + 3, 1), build.slice(across, axis + 2, axis + 3, 0))
        sides.append(build.add("Relu", build.add("Sub", high, low)))
    for boxes, along in ((rows, 1), (across, 0)):
        extents = build.add("Sub", build.slice(boxes, 2, 4, along), build.slice(boxes, 0, 2, along))
        areas.append(build.add("ReduceProd", extents, build.constant(np.array([along], np.int64)), keepdims=1))
    shared = build.add("Mul", *sides)
    union = build.add("Sub", build.add("Add", *areas), shared)
    return build.add("Div", shared, build.add("Max", union, build.number(TINY)))


class _Builder:
    """Nodes and constants with unique names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:
        name = f"nms_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.add_many(kind, 1, *inputs, **attributes)[0]

    def add_many(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> Sequence[str]:
        names = [f"nms_{len(self.nodes)}_{kind}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=names[0], **attributes))
        return names

    def slice(self, value: str, start: int, end: float, axis: int) -> str:
        stop = 2**62 if math.isinf(end) else int(end)
        parts = [self.constant(np.array([number], np.int64)) for number in (start, stop, axis)]
        return self.add("Slice", value, *parts)
