"""Weights to start from: torchvision's, downloaded when asked for, or a file on this computer. The head stays fresh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision import models

from lightdet.errors import UserError
from lightdet.files import with_home
from lightdet.models.backbone_file import read_backbone

HEADS = ("classifier.", "fc.", "head.")
"""Names of the tensors that belong to the classes of the data a network was trained on."""
_PREFIXES = ("module.", "_orig_mod.", "model.")
_OFFERED: dict[str, Any] = {
    "mobilenet_v2": models.MobileNet_V2_Weights.IMAGENET1K_V1,
    "resnet18": models.ResNet18_Weights.IMAGENET1K_V1,
    "efficientnet_b0": models.EfficientNet_B0_Weights.IMAGENET1K_V1,
}


def download_backbone(network: nn.Module, name: str) -> str:
    """Load torchvision's ImageNet weights into all of `network` but its head; kept in torch's cache once loaded.

    Returns:
        Where they came from.

    Raises:
        UserError: they cannot be had (no network, a damaged download).
    """
    url = _OFFERED[name].url
    try:
        state = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"model.pretrained: {url} cannot be downloaded ({' '.join(str(reason).split())[:120]}); give a local file "
            "(model.pretrained=FILE), or train from scratch (model.pretrained=false)"
        ) from None
    _load(network, state, url)
    return str(url)


def load_backbone(network: nn.Module, path: str | Path) -> str:
    """Load weights from a ``.safetensors`` or torch file (read without running code) into all but the head.

    Returns:
        The file's path.

    Raises:
        UserError: the file is missing, damaged, holds more than tensors, or is another network's.
    """
    source = with_home(path)
    _load(network, read_backbone(source), source)
    return str(source)


def _load(network: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy every tensor but the head's; names may carry the prefixes that wrappers add."""
    given = {_bare(name): value for name, value in state.items()}
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith(HEADS)}
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    if missing:
        raise UserError(
            f"holds other tensors than this network: {len(missing)} of {len(wanted)} are missing, such as "
            f"'{missing[0]}'; take weights of the same network",
            path=source,
        )
    other = next((name for name in wanted if name in given and given[name].shape != wanted[name].shape), None)
    if other is not None:
        shapes = f"{tuple(given[other].shape)} instead of {tuple(wanted[other].shape)}"
        raise UserError(f"'{other}' has the shape {shapes}; take weights of the same network", path=source)
    broken = next((n for n in wanted if n in given and not torch.isfinite(given[n].float()).all()), None)
    if broken is not None:
        raise UserError(f"'{broken}' holds values that are not numbers; take other weights", path=source)
    network.load_state_dict({name: given[name] for name in wanted if name in given}, strict=False)


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
