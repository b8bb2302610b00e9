"""A model on disk: one safetensors file, weights with everything needed to rebuild and use them as JSON metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from lightdet.card import METADATA_KEY, ModelCard, parse_model_card
from lightdet.errors import UserError
from lightdet.files import atomic_path
from lightdet.missing import require_file
from lightdet.seal import SEAL_KEY, UNSEALED, check_seal, seal

Network = TypeVar("Network", bound=nn.Module)
KEPT_TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.bool)
"""The types in which trained weights and counters are stored."""
MAX_HEADER = 24 << 20
"""Longest header that is read, in bytes: the card, and some hundred bytes per tensor."""


def save_model(path: str | Path, weights: dict[str, Tensor], card: ModelCard) -> None:
    """Write weights and card to a safetensors file, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_safetensors(path, tensors, card.as_metadata())


def load_model(path: str | Path) -> tuple[dict[str, Tensor], ModelCard]:
    """Read weights (on the CPU) and card.

    Raises:
        UserError: the file is missing, truncated, damaged, not safetensors, or not one of ours.
    """
    tensors, metadata = read_safetensors(path)
    return tensors, parse_model_card(metadata, path)


def write_safetensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and metadata, whole or not at all, with the file's check sum (see `lightdet.seal`).

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata | {SEAL_KEY: UNSEALED})
        except SafetensorError as error:  # a full disk comes as one, not as an OSError
            reason = str(error).removeprefix("Error while serializing: ").removeprefix("I/O error: ")
            raise UserError(f"cannot be written: {reason}", path=path) from None
        seal(temporary)


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read every tensor and the metadata of a safetensors file.

    The file is read once: the checked bytes are those the tensors come from, even if the file is replaced meanwhile.

    Raises:
        UserError: the file is missing, unreadable, truncated, not safetensors, or its checksum does not match.
    """
    source = Path(path)
    require_file(source, give="the .safetensors in it")
    try:
        data = source.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
    length = int.from_bytes(data[:8], "little")
    if _begins_like_safetensors(data) and MAX_HEADER < length < len(data):
        raise UserError(f"has a header of {length >> 20} MiB; no model needs one", path=path)
    try:
        tensors = dict(sorted(load(data).items()))  # they come in no order
        header = json.loads(data[8 : 8 + length])
        metadata = dict(header.get("__metadata__", {}))
    except (SafetensorError, ValueError) as error:
        if not _begins_like_safetensors(data):
            raise UserError("not a safetensors file; give a best.safetensors or last.safetensors", path=path) from None
        raise UserError(f"not a whole safetensors file ({error}); was it truncated?", path=path) from None
    if METADATA_KEY in metadata:
        check_seal(path, data, metadata.get(SEAL_KEY))
    return tensors, metadata


def _begins_like_safetensors(data: bytes) -> bool:
    """Whether a file is empty or begins with the length of a JSON header and its brace: otherwise it never was one."""
    # Eight letters of a text read as a length would be a header of exabytes; safetensors allows 100 MB.
    return data[8:9] in (b"{", b"") and int.from_bytes(data[:8], "little") < 100_000_000


def rebuilt(build: Callable[[], Network], weights: dict[str, Tensor], path: str | Path) -> Network:
    """Return the network that the card of the file `path` describes, with the file's weights.

    Args:
        build: makes the network. It is first called on the meta device, where tensors have no memory: a card
            may describe a network of any size, and only one that fits the weights is built.
        weights: from `load_model`.
        path: for messages.

    Raises:
        UserError: they do not fit, or hold values that are not numbers.
    """
    with torch.device("meta"):
        outline = {name: value.shape for name, value in build().state_dict().items()}
    if outline != {name: value.shape for name, value in weights.items()}:
        raise UserError("its weights do not fit the model in its card; was it edited?", path=path)
    broken = next((name for name, value in weights.items() if not _are_numbers(value)), None)
    if broken is not None:
        raise UserError(f"'{broken}' holds values that are not numbers; the training diverged", path=path)
    network = build()
    network.load_state_dict(weights)
    return network


def weights_digest(network: nn.Module) -> str:
    """Return the SHA-256 over the name, type, shape and values of each tensor of a network."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        kept = value.detach().cpu().contiguous()
        digest.update(f"{name} {kept.dtype} {list(kept.shape)}".encode())
        digest.update(kept.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _are_numbers(values: Tensor) -> bool:
    """Whether each is a finite real number, in a format used for computing."""
    if values.dtype not in KEPT_TYPES:
        return False
    return bool(torch.isfinite(values).all())
