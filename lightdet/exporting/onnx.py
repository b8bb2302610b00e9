"""A network → ONNX: traced, cleaned, its card in the file's own metadata."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from onnx import helper
from torch import nn

from lightdet.card import METADATA_KEY
from lightdet.exporting.network import Deployable
from lightdet.inference.export_card import ExportCard
from lightdet.seal import SEAL_KEY, UNSEALED, sealed

OPSET = 18
IR_VERSION = 9
"""Version of the file format: readable by runtimes from 2023 on."""
INPUT = "images"


def to_onnx(network: Deployable, imgsz: int, *, batch: int | None, dynamic_size: bool) -> onnx.ModelProto:
    """Trace a network.

    Args:
        network: see `lightdet.exporting.network.deployable`.
        imgsz: side of the square input in pixels, a multiple of 32.
        batch: batch size; None: any.
        dynamic_size: leave height and width free, in multiples of 32.
    """
    planar = network.layout == "planar"
    # Tracing treats a size of 1 as a constant, so a free batch size is traced with two pictures.
    count = 2 if batch is None else batch
    shape = (count, 3, imgsz, imgsz) if planar else (count, imgsz, imgsz, 3)
    free: dict[int, Any] = {}
    if batch is None:
        free[0] = torch.export.Dim("batch", min=1, max=65_536)
    if dynamic_size:
        rows, columns = (2, 3) if planar else (1, 2)
        free[rows] = 32 * torch.export.Dim("rows", min=1, max=1024)
        free[columns] = 32 * torch.export.Dim("columns", min=1, max=1024)
    with _quiet(), _nothing_in_place(network.module), torch.no_grad():
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
    """Return the model without the tracer's notes (source lines, paths on this computer)."""
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


@contextmanager
def _nothing_in_place(module: nn.Module) -> Iterator[None]:
    """Let no activation write over its input: the same graph, but the tracer takes much longer to undo that."""
    inside = [part for part in module.modules() if getattr(part, "inplace", False) is True]
    for part in inside:
        part.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for part in inside:
            part.inplace = True  # type: ignore[assignment]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tracer's internal messages off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
