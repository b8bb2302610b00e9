"""Trained weights of a backbone from a user's file: safetensors, or a file from ``torch.save``."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from lightdet.errors import UserError
from lightdet.files import with_home
from lightdet.missing import require_file
from lightdet.model_kind import model_kind
from lightdet.models.weights import read_safetensors

_NESTED = ("state_dict", "model_state_dict", "model")
"""Training scripts store the weights under one of these keys, beside other things."""


def read_backbone(path: str | Path) -> dict[str, Tensor]:
    """Read tensors by name; from torch's format nothing but tensors and plain containers is accepted.

    Raises:
        UserError: the file is missing, unreadable, truncated, or holds no tensors by name.
    """
    source = with_home(path)
    if model_kind(source) == "checkpoint":
        return read_safetensors(source)[0]
    require_file(source)
    found = _load(source)
    for key in _NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = found if isinstance(found, Mapping) else {}
    weights = {str(name): value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not weights:
        raise UserError("holds no weights by name; save the state_dict alone, best as .safetensors", path=path)
    return weights


def _load(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
    except Exception:  # torch.load has no error of its own: a truncated file alone raises four kinds
        intact = zipfile.is_zipfile(path)
        what = (
            "holds more than weights" if intact else "is neither safetensors nor an intact file of weights from torch"
        )
        raise UserError(f"{what}; save the state_dict alone, best as .safetensors", path=path) from None
