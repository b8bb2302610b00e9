"""Small sound model files of every kind, and the bytes that a case of fuzzing has of them."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.inference.export_card import WEIGHTS_KEY, ExportCard
from lightdet.seal import SEAL_KEY, UNSEALED, sealed
from lightdet.structures import Preprocessing

SIDE = 32
NAMES = ("dent", "größe")
CELLS = ((4.0, 4.0), (10.0, 6.0))
BETWEEN = b"\0weights\0"
"""Stands between the ``.xml`` and the ``.bin`` of an OpenVINO model where both are one case."""
_SEAL = re.compile(SEAL_KEY.encode() + rb".{0,32}?([0-9a-f]{64})", re.DOTALL)
_WEIGHTS = re.compile(WEIGHTS_KEY.encode() + rb'" value="([0-9a-f]{8})"')
RULE = {"rule": {"threshold": 0.31, "thresholds": {"dent": 0.2}, "min_size": 0.0, "min_sizes": {}}, "promise": {}}
CLASS_RULE = {"rule": {"bad": ["dent"], "threshold": 0.31, "thresholds": {}}, "promise": {}}


def parts(data: bytes) -> tuple[bytes, bytes | None]:
    """The model file of a case, and the weights beside it; None where there are none."""
    model, between, weights = data.partition(BETWEEN)
    return model, weights if between else None


def joined(model: bytes, weights: bytes | None) -> bytes:
    """The opposite of `parts`."""
    return model if weights is None else model + BETWEEN + weights


def resealed(data: bytes) -> bytes:
    """The same with check sums of what it holds now, as one who means harm would write them."""
    import zlib

    model, weights = parts(data)
    if weights is not None and (found := _last(_WEIGHTS, model)):
        model = model[: found.start(1)] + b"%08x" % zlib.crc32(weights) + model[found.end(1) :]
    if not (found := _last(_SEAL, model)):
        return data
    model = model[: found.start(1)] + UNSEALED.encode() + model[found.end(1) :]
    try:
        return joined(sealed(model, [] if weights is None else [weights]), weights)
    except ValueError:
        return data


def unsealed(data: bytes) -> bytes:
    """The same without check sums, as files of 0.1 are."""
    for key in (SEAL_KEY, WEIGHTS_KEY):
        data = data.replace(key.encode(), b"x" * len(key))
    return data


def _last(pattern: re.Pattern[bytes], data: bytes) -> re.Match[bytes] | None:
    return max(pattern.finditer(data), key=lambda match: match.start(), default=None)


# What a network is made of ------------------------------------------------------------------------------------------


def write_checkpoints(folder: Path) -> None:
    """``detector-N`` and ``classifier-N``, as a training writes them."""
    import torch

    from lightdet.assembly.classifier import build_classifier, classifier_card
    from lightdet.assembly.detector import build_detector
    from lightdet.card import ModelCard
    from lightdet.config import ModelConfig
    from lightdet.config.classification import CnnConfig, DnnConfig
    from lightdet.models.weights import save_model

    torch.manual_seed(0)
    facts = {"epoch": 3, "complexity": {"params": 7, "flops": 7}}
    config = ModelConfig(widths=[8] * 5)
    network = build_detector(config, len(NAMES), SIDE)
    card = ModelCard(config.model_dump(mode="json"), NAMES, Preprocessing(SIDE), facts, RULE)
    save_model(folder / "detector-0", network.state_dict(), card)
    classifiers = (CnnConfig(widths=(8,), hidden=(8,), pool="mean"), DnnConfig(hidden=(2,)))
    for number, each in enumerate(classifiers):
        card = ModelCard(classifier_card(each), NAMES, Preprocessing(SIDE), facts, CLASS_RULE)
        weights = build_classifier(each, len(NAMES), SIDE).state_dict()
        save_model(folder / f"classifier-{number}", weights, card)


def write_exports(folder: Path) -> None:
    """``onnx-N`` and ``openvino-N``, as an export writes them; the networks are simpler than ours."""
    from lightdet.exporting.onnx import with_card
    from lightdet.exporting.onnx_nms import add_nms
    from lightdet.exporting.openvino import save_ir, to_openvino

    usual = ExportCard(
        NAMES,
        Preprocessing(SIDE),
        "planar",
        "grids",
        (CELLS,),
        (8,),
        version="1.2",
        facts={"complexity": {"params": 7, "flops": 7}},
    )
    suppressed = add_nms(_network("candidates"), confidence=0.25, iou=0.5, max_detections=40)
    made = [
        (
            _network("probabilities"),
            replace(usual, outputs="probabilities", anchors=(), strides=(), decision=CLASS_RULE),
        ),
        (_network("grids"), replace(usual, decision=RULE)),
        (suppressed, replace(usual, outputs="detections", anchors=(), strides=(), max_detections=40)),
    ]
    for number, (model, card) in enumerate(made):
        (folder / f"onnx-{number}").write_bytes(with_card(model, card))
        if card.outputs != "detections":
            path = folder / "model.xml"
            save_ir(to_openvino(model), path, card)
            data = joined(path.read_bytes(), path.with_suffix(".bin").read_bytes())
            (folder / f"openvino-{number}").write_bytes(data)


@cache
def _network(outputs: str) -> Any:
    """A network of a few nodes with such `outputs` (see `lightdet.inference.export_card.Outputs`)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    values = len(CELLS) * (5 + len(NAMES))
    constants: dict[str, Any] = {"scale": np.float32(1 / 255)}
    nodes = [("Cast", ["images"], {"to": TensorProto.FLOAT}), ("Mul", ["Cast", "scale"], {})]
    if outputs == "probabilities":
        constants["weights"] = draw.normal(size=(3, len(NAMES))).astype(np.float32)
        nodes += [("GlobalAveragePool", ["Mul"], {}), ("Flatten", ["GlobalAveragePool"], {})]
        nodes += [("Gemm", ["Flatten", "weights"], {}), ("Softmax", ["Gemm"], {})]
        shape: list[int] = [1, len(NAMES)]
    else:
        constants["weights"] = draw.normal(size=(values, 3, 8, 8)).astype(np.float32)
        nodes += [("Conv", ["Mul", "weights"], {"strides": [8, 8]})]
        shape = [1, values, 4, 4]
    if outputs == "candidates":
        constants["shape"] = np.array([1, -1, 5 + len(NAMES)], np.int64)
        nodes += [("Reshape", ["Conv", "shape"], {}), ("Sigmoid", ["Reshape"], {})]
        shape = [1, len(CELLS) * 16, 5 + len(NAMES)]
    made = [helper.make_node(kind, given, [kind], name=kind, **options) for kind, given, options in nodes]
    made[-1].output[0] = outputs
    graph = helper.make_graph(
        made,
        "lightdet",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(outputs, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model
