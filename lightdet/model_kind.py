"""The kind of a model file, by its bytes and not by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

ModelKind = Literal["checkpoint", "onnx", "openvino"]
_ENDINGS: dict[str, ModelKind] = {".safetensors": "checkpoint", ".onnx": "onnx", ".xml": "openvino"}
_HEAD = 1024
_LONGEST_HEADER = 100_000_000
"""Longest header that safetensors allows; eight letters of a text, read as a length, would be exabytes."""
_ONNX_TAGS = frozenset(b"\x12\x1a\x22\x28\x32\x3a\x42\x72")
"""What may follow the version in an ONNX ModelProto: producer, domain, version of the model, text, graph, metadata."""


def model_kind(path: str | Path) -> ModelKind | None:
    """Return the kind of a model file by its first bytes.

    If they are not a model's (a missing, damaged or foreign file), the suffix decides which reader reports the fault;
    None: the suffix says nothing either.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        head = b""
    return _kind_of_bytes(head) or _ENDINGS.get(source.suffix.lower())


def is_export(path: str | Path) -> bool:
    """Whether a model file is an export (by `lightdet export`) and not a checkpoint."""
    return model_kind(path) in ("onnx", "openvino")


def _kind_of_bytes(head: bytes) -> ModelKind | None:
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _LONGEST_HEADER:
        return "checkpoint"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and b"<net" in head:
        return "openvino"
    # field 1 of the message, a small number, then one of the fields of a model
    if len(head) > 2 and head[0] == 8 and 0 < head[1] < 64 and head[2] in _ONNX_TAGS:
        return "onnx"
    return None
