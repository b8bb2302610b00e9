"""A model on disk: one safetensors file, weights with everything needed to rebuild and use them as JSON metadata."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file
from torch import Tensor

from lightdet.card import ModelCard, parse_model_card
from lightdet.errors import UserError
from lightdet.files import atomic_path
from lightdet.seal import SEAL_KEY, UNSEALED, check_seal, seal


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
    card = parse_model_card(metadata, path)
    check_seal(path, metadata.get(SEAL_KEY))
    return tensors, card


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

    Raises:
        UserError: the file is missing, unreadable, truncated or not safetensors.
    """
    source = Path(path)
    if not source.is_file():
        raise UserError(
            "no such file" if not source.is_dir() else "is a folder; give the .safetensors in it", path=path
        )
    try:
        str(source).encode()
    except UnicodeEncodeError:  # safe_open takes no path that is not UTF-8
        return _from_bytes(source)
    try:
        with safe_open(source, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
    except (SafetensorError, ValueError) as error:
        if not _begins_like_safetensors(source):
            raise UserError("not a safetensors file; give a best.safetensors or last.safetensors", path=path) from None
        raise UserError(f"not a whole safetensors file ({error}); was it truncated?", path=path) from None


def _from_bytes(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """As `read_safetensors`, by way of the file's bytes."""
    try:
        data = path.read_bytes()
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
    except (SafetensorError, ValueError) as error:
        raise UserError(f"not a whole safetensors file ({error})", path=path) from None
    return tensors, dict(header.get("__metadata__", {}))


def _begins_like_safetensors(path: Path) -> bool:
    """Whether the file is empty or begins with the length of a JSON header and its brace: else it never was one."""
    with path.open("rb") as file:
        start = file.read(9)
    # Eight letters of a text read as a length would be a header of exabytes; safetensors allows 100 MB.
    return start[8:9] in (b"{", b"") and int.from_bytes(start[:8], "little") < 100_000_000
