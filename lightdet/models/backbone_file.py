"""Trained weights of a classifier from a file of the user's: safetensors, or what ``torch.save`` wrote."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lightdet.errors import UserError
from lightdet.files import with_home
from lightdet.model_kind import model_kind
from lightdet.models.weights import read_safetensors


def read_backbone(path: str | Path) -> dict[str, Tensor]:
    """Read tensors by name; from torch's format nothing but tensors and plain containers is accepted.

    Raises:
        UserError: the file is missing, unreadable, truncated, or holds no tensors by name.
    """
    source = with_home(path)
    if model_kind(source) == "checkpoint":
        return read_safetensors(source)[0]
    if not source.is_file():
        raise UserError("is a folder; give the file in it" if source.is_dir() else "no such file", path=path)
    try:
        found = torch.load(source, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
    except Exception:  # torch.load has no error of its own: a truncated file alone raises four kinds
        raise UserError(
            "is neither safetensors nor whole weights saved by torch (more than tensors is not accepted)", path=path
        ) from None
    if isinstance(found, dict):
        for key in ("state_dict", "model"):  # training scripts put more beside the weights
            found = found[key] if isinstance(found.get(key), dict) else found
        tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
    raise UserError("holds no weights by name; give a state_dict", path=path)
