"""ONNX → OpenVINO IR: an ``.xml`` with the card in its ``rt_info``, and the ``.bin`` with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from lightdet.card import METADATA_KEY
from lightdet.inference.export_card import WEIGHTS_KEY, ExportCard, weights_checksum
from lightdet.inference.no_telemetry import import_openvino
from lightdet.seal import SEAL_KEY, UNSEALED, seal


def to_openvino(model: onnx.ModelProto) -> Any:
    """Return the ``openvino.Model`` of a traced network.

    Via ``Core.read_model``: the converter tool would report its use to its maker.
    """
    return import_openvino().Core().read_model(model.SerializeToString())


def save_ir(model: Any, path: Path, card: ExportCard) -> None:
    """Write ``path`` (``.xml``) and the ``.bin`` beside it; fp16 halves the weights' bytes.

    Raises:
        OSError: they cannot be written.
    """
    openvino = import_openvino()
    model.set_rt_info(card.as_json(), METADATA_KEY)
    model.set_rt_info(UNSEALED, SEAL_KEY)
    weights = path.with_suffix(".bin")
    # The checksum is known once the weights are written; written again they are the same.
    for _ in range(2):
        try:
            openvino.save_model(model, path, compress_to_fp16=card.precision == "fp16")
        except RuntimeError:
            raise OSError("OpenVINO cannot write there; is the disk full?") from None
        model.set_rt_info(weights_checksum(weights.read_bytes()), WEIGHTS_KEY)
    seal(path, [weights])
