"""Weights in int8 are small enough for sums of 16 bits, in which some processors add, to hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lightdet.exporting import classifier, quantize
from lightdet.exporting.onnx import INPUT
from lightdet.exporting.openvino import to_openvino

SIDE = 16
LARGEST_BYTE, LARGEST_SUM = 255, 2**15 - 1


def network() -> onnx.ModelProto:
    """Three convolutions and two matrices, with weights of either sign as large as each other."""
    rng = np.random.default_rng(0)
    shapes = {"a": (8, 3, 3, 3), "b": (8, 8, 3, 3), "c": (4, 8), "d": (2, 4)}
    weights = [
        numpy_helper.from_array(rng.choice([-1.0, 0.3, 1.0], shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Cast", [INPUT], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "a"], ["y"], name="first", pads=[1] * 4),
        helper.make_node("LeakyRelu", ["y"], ["z"], name="bent", alpha=0.1),
        helper.make_node("Conv", ["z", "b"], ["p"], name="second", pads=[1] * 4),
        helper.make_node("GlobalAveragePool", ["p"], ["q"], name="pool"),
        helper.make_node("Flatten", ["q"], ["r"], name="flat"),
        helper.make_node("Gemm", ["r", "c"], ["s"], name="third", transB=1),
        helper.make_node("Gemm", ["s", "d"], ["out"], name="last", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 2])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def pictures() -> list[Any]:
    return list(np.random.default_rng(1).integers(0, 256, (4, 1, 3, SIDE, SIDE), dtype=np.uint8))


def of_onnx() -> list[Any]:
    made = quantize.quantize_onnx(network(), pictures(), classifier.QUANTIZED)
    stored = [numpy_helper.to_array(each) for each in made.graph.initializer]
    return [each for each in stored if each.dtype == np.int8 and each.ndim > 1]


def of_openvino() -> list[Any]:
    made = quantize.quantize_openvino(to_openvino(network()), pictures())
    stored = [each for each in made.get_ops() if each.get_type_name() == "Constant"]
    bytes_alone = [each.data for each in stored if each.get_element_type().get_type_name() == "i8"]
    return [each for each in bytes_alone if each.ndim > 1]


@pytest.mark.parametrize("weights_of", [of_onnx, of_openvino])
def test_two_products_never_saturate_16_bits(weights_of: Any) -> None:
    weights = weights_of()
    assert len(weights) >= 3
    for each in weights:
        largest = int(np.abs(each.astype(int)).max())
        assert 60 <= largest <= 64, each.shape  # and nothing is given away beyond that
        assert 2 * LARGEST_BYTE * largest <= LARGEST_SUM
