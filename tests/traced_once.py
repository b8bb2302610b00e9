"""Tracing a network for an export takes seconds: one that was traced already is not traced again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import pytest
import torch

from lightdet.exporting import onnx as tracing
from lightdet.exporting.network import Deployable

PLAIN = (int, float, str, bool, tuple, type(None))


@contextmanager
def traced_once() -> Iterator[None]:
    """Give a copy of what `to_onnx` returned before for the same structure, weights, settings and shapes."""
    trace, kept = tracing.to_onnx, dict[str, onnx.ModelProto]()

    def to_onnx(network: Deployable, imgsz: int, **shape: Any) -> onnx.ModelProto:
        key = _key(network, imgsz, shape)
        if key not in kept:
            kept[key] = trace(network, imgsz, **shape)
        copy = onnx.ModelProto()
        copy.CopyFrom(kept[key])
        return copy

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "to_onnx", to_onnx)
        yield


def _key(network: Deployable, imgsz: int, shape: dict[str, Any]) -> str:
    module = network.module
    assert isinstance(module, torch.nn.Module)
    told = hashlib.sha256(repr((imgsz, sorted(shape.items()), network.layout, network.names, str(module))).encode())
    for name, part in module.named_modules():
        told.update(repr((name, [(k, v) for k, v in vars(part).items() if isinstance(v, PLAIN)])).encode())
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        told.update(name.encode() + tensor.detach().contiguous().numpy().tobytes())
    return told.hexdigest()
