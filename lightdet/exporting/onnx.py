"""A network → ONNX: traced, cleaned, its card in the file's own metadata; NMS in the graph where wanted."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from lightdet.card import METADATA_KEY
from lightdet.exporting.network import Deployable
from lightdet.inference.export_card import ExportCard
from lightdet.seal import SEAL_KEY, UNSEALED, sealed

OPSET = 18
IR_VERSION = 9
"""Of the file format: what runtimes from 2023 on read."""
INPUT = "images"
DETECTIONS = "detections"


def to_onnx(network: Deployable, imgsz: int, *, batch: int | None, dynamic_size: bool) -> onnx.ModelProto:
    """Trace a network.

    Args:
        network: see `lightdet.exporting.network.deployable`.
        imgsz: side of the square input in pixels, a multiple of 32.
        batch: pictures at once; None: any number.
        dynamic_size: leave height and width free, in multiples of 32.
    """
    planar = network.layout == "planar"
    # Tracing takes a size of 1 for a constant, so what is to be free is traced with two pictures.
    count = 2 if batch is None else batch
    shape = (count, 3, imgsz, imgsz) if planar else (count, imgsz, imgsz, 3)
    free: dict[int, Any] = {}
    if batch is None:
        free[0] = torch.export.Dim("batch", min=1, max=65_536)
    if dynamic_size:
        rows, columns = (2, 3) if planar else (1, 2)
        free[rows] = 32 * torch.export.Dim("rows", min=1, max=1024)
        free[columns] = 32 * torch.export.Dim("columns", min=1, max=1024)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network.module,
            (torch.zeros(shape, dtype=torch.uint8),),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
            input_names=[INPUT],
            output_names=list(network.names),
            dynamic_shapes=(free,) if free else None,
        )
    assert program is not None  # noqa: S101 - for the type checker
    return clean(program.model_proto)


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without what tracing noted beside it (source lines, paths on this computer)."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:]
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "lightdet", ""
    graph.name = "lightdet"
    for import_ in list(model.opset_import):
        if import_.domain not in ("", "ai.onnx"):
            model.opset_import.remove(import_)
    onnx.checker.check_model(model)
    return model


def with_card(model: onnx.ModelProto, card: ExportCard) -> bytes:
    """Return the file's bytes, everything in one, with the card and the check sum in its metadata."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.producer_version = card.version
    helper.set_model_props(copy, {METADATA_KEY: card.as_json(), SEAL_KEY: UNSEALED})
    return sealed(copy.SerializeToString())


def add_nms(
    model: onnx.ModelProto, *, confidence: float, iou: float, max_detections: int, agnostic: bool = False
) -> onnx.ModelProto:
    """Put non-maximum suppression behind the output ``candidates``; the output is ``detections`` then.

    Boxes of one class suppress each other, with `agnostic` those of all; each picture keeps its `max_detections` best.
    See `lightdet.inference.export_card.Outputs` for what the rows hold.
    """
    graph = model.graph
    (candidates,) = (output.name for output in graph.output)
    # ONNX keeps scores above its threshold, we keep those that reach it.
    lowest = float(np.nextafter(np.float32(confidence), np.float32(-1)))
    build = _Builder()
    centre, sides = build.slice(candidates, 0, 2, 2), build.slice(candidates, 2, 4, 2)
    scores = build.add("Mul", build.slice(candidates, 4, 5, 2), build.slice(candidates, 5, math.inf, 2))
    classes = scores
    if agnostic:  # of the classes of one candidate, which share a box, the best suppresses the others
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
    half = build.add("Mul", build.add("GatherND", sides, place), build.constant(np.array(0.5, np.float32)))
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
    _keep_best(build, rows, candidates, max_detections)
    graph.node.extend(build.nodes)
    graph.initializer.extend(build.constants)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(DETECTIONS, TensorProto.FLOAT, ["detections", 7]))
    onnx.checker.check_model(model)
    return model


def _keep_best(build: _Builder, rows: str, candidates: str, most: int) -> None:
    """Order rows by picture and score, and leave `most` of each picture."""
    one = build.constant(np.array(1, np.int64))
    zero = build.constant(np.array(0, np.int64))
    # Scores are at most 1, so this falls from picture to picture, and within one with the score.
    two = build.constant(np.array(2, np.float32))
    key = build.add("Sub", build.slice(rows, 5, 6, 1), build.add("Mul", build.slice(rows, 0, 1, 1), two))
    flat = build.add("Squeeze", key, build.constant(np.array([1], np.int64)))
    _, order = build.add_many("TopK", 2, flat, build.add("Shape", flat), largest=1, sorted=1)
    ordered = build.add("Gather", rows, order, axis=0)
    pictures = build.add("Gather", build.add("Shape", candidates), zero, axis=0)
    numbers = build.add("Cast", build.add("Range", zero, pictures, one), to=TensorProto.FLOAT)
    own = build.add("Cast", build.add("Equal", build.slice(ordered, 0, 1, 1), numbers), to=TensorProto.FLOAT)  # [M, B]
    counted = build.add("Mul", build.add("CumSum", own, zero), own)
    rank = build.add("ReduceSum", counted, build.constant(np.array([1], np.int64)), keepdims=0)  # from 1 on
    kept = build.add("LessOrEqual", rank, build.constant(np.array(most, np.float32)))
    build.nodes.append(helper.make_node("Compress", [ordered, kept], [DETECTIONS], axis=0))


class _Builder:
    """Nodes and constants under names of their own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:
        name = f"nms_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tracer's remarks on its own insides off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
