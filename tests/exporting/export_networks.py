"""A small network, and files that were changed on purpose."""

from __future__ import annotations

from pathlib import Path

import onnx

from lightdet.config import ModelConfig
from lightdet.seal import SEAL_KEY, UNSEALED, sealed

NAMES = ("dent", "scratch", "stain")
CONFIG = ModelConfig(widths=[8, 8, 16, 16, 16])
SIDE = 96


def save_onnx(model: onnx.ModelProto, path: Path) -> Path:
    """Write a changed model under a check sum of its own, as one that was made so."""
    for entry in model.metadata_props:
        if entry.key == SEAL_KEY:
            entry.value = UNSEALED
    path.write_bytes(sealed(model.SerializeToString()))
    return path
