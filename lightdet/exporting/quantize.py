"""A network in int8, with value ranges from pictures (static calibration)."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import onnx

from lightdet.arrays import Image
from lightdet.exporting.onnx import INPUT
from lightdet.inference.no_telemetry import import_nncf, import_onnxruntime

QUANTIZED = ("Conv", "MaxPool", "Concat", "Resize", "Add", "LeakyRelu")
"""Kinds of nodes that ONNX Runtime computes in int8; attention weights are few and need their precision."""


def quantize_onnx(model: onnx.ModelProto, inputs: Sequence[Image], kinds: Sequence[str] = QUANTIZED) -> onnx.ModelProto:
    """Return the model with 8-bit convolutions (QDQ form: unsigned activations, signed weights by channel).

    The weights use 7 of the 8 bits. x86 processors without VNNI add two products of an unsigned and a signed byte in
    16 bits, which saturate: 2 * 255 * 127 is more than 32 767, and 2 * 255 * 64 is less. So a score does not depend on
    which of them computes it, and neither does a promise.

    Args:
        model: as `lightdet.exporting.onnx.to_onnx` gives it.
        inputs: batches in the model's own layout, of the pictures that give the ranges.
        kinds: of the nodes to compute in int8.
    """
    import_onnxruntime()
    from onnxruntime import quantization  # noqa: PLC0415 - an extra
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.waiting = iter(inputs)

        def get_next(self) -> dict[str, Image] | None:
            batch = next(self.waiting, None)
            return None if batch is None else {INPUT: batch}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, prepared, target = (Path(folder) / name for name in ("in.onnx", "prepared.onnx", "out.onnx"))
        onnx.save(model, source)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            target,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=list(kinds),
            nodes_to_exclude=_last_convolutions(onnx.load(prepared).graph),
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        return onnx.load(target)


def _last_convolutions(graph: onnx.GraphProto) -> list[str]:
    """The nodes that give the outputs: rounding there would round the boxes and scores themselves."""
    makers = {name: node for node in graph.node for name in node.output}
    return [makers[output.name].name for output in graph.output if output.name in makers]


def quantize_openvino(model: Any, inputs: Sequence[Image]) -> Any:
    """Return the ``openvino.Model`` with 8-bit convolutions, by NNCF's post-training quantization.

    The weights use 7 of the 8 bits, for the reason that `quantize_onnx` gives.

    Args:
        model: as `lightdet.exporting.openvino.to_openvino` gives it.
        inputs: as for `quantize_onnx`.
    """
    nncf = import_nncf()
    from nncf.quantization import range_estimator  # noqa: PLC0415

    with _quiet():
        return nncf.quantize(
            model,
            nncf.Dataset(list(inputs)),
            preset=nncf.QuantizationPreset.MIXED,  # LeakyReLU gives negative values
            subset_size=len(inputs),
            # The extremes over all pictures, not their mean: clipping costs more than coarse steps. On
            # NEU-DET at 224 pixels the mean lost 1.1 points of mAP@0.5:0.95, the extremes nothing.
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE,  # by default for the first layer alone
                activations_range_estimator_params=range_estimator.RangeEstimatorParametersSet.MINMAX,
            ),
            # Pools stay in bfloat16, and their results are rounded once, where they are joined: with few channels
            # OpenVINO pools bytes five times as slowly.
            ignored_scope=nncf.IgnoredScope(names=_last_operations(model), types=["MaxPool"], validate=False),
        )


def _last_operations(model: Any) -> list[str]:
    """As `_last_convolutions`; the bias is an operation of its own here."""
    names = []
    for result in model.get_results():
        node = result.input_value(0).get_node()
        names.append(node.get_friendly_name())
        if node.get_type_name() == "Add":
            names.append(node.input_value(0).get_node().get_friendly_name())
    return names


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantizers' own messages and progress bars off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
