"""Tracing a network for an export takes seconds: one that was traced already is not traced again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from lightdet.exporting import onnx as tracing
from lightdet.exporting.network import Deployable
from lightdet.files import atomic_path

PLAIN = (int, float, str, bool, tuple, type(None))


@contextmanager
def traced_once(folder: Path) -> Iterator[None]:
    """Give what `to_onnx` returned before for the same structure, weights, settings and shapes.

    Args:
        folder: keeps it, for all processes of a run.
    """
    trace = tracing.to_onnx

    def to_onnx(network: Deployable, imgsz: int, **shape: Any) -> onnx.ModelProto:
        kept = folder / f"{_key(network, imgsz, shape)}.onnx"
        if not kept.exists():
            with atomic_path(kept) as whole:
                onnx.save(trace(network, imgsz, **shape), whole)
        return onnx.load(kept)

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
