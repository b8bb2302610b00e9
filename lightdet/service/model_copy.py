"""The copy of a model file that workers load: whatever happens to the file itself, the service keeps the same model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lightdet.errors import UserError
from lightdet.files import run_name
from lightdet.model_kind import model_kind
from lightdet.seal import SEAL_KEY
from lightdet.service.inspection import ModelIdentity


@dataclass(frozen=True)
class ModelCopy:
    """A model file as it was when it was copied.

    Attributes:
        file: the copy, in a folder named by its SHA-256.
        model: its identity.
        sealed: whether it has a checksum, which is compared on loading.
    """

    file: Path
    model: ModelIdentity
    sealed: bool


def copy_model(model: Path, folder: Path, name: str = "") -> ModelCopy:
    """Copy a model file (of an OpenVINO model both its files), as it is now, into `folder`.

    With `name`, the model is called so; otherwise as its file.

    Raises:
        UserError: it cannot be read, or the copy not be written.
    """
    contents = _read(model)
    identity = _identity(name or run_name(model)[:200], list(contents.values()))
    place = folder / identity.sha256
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        for each, data in contents.items():
            target = place / each
            target.unlink(missing_ok=True)
            target.write_bytes(data)
            target.chmod(0o400)
    except OSError as error:
        raise UserError(f"the service's copy of the model cannot be written: {error.strerror}", path=place) from None
    sealed = SEAL_KEY.encode() in contents[model.name]
    return ModelCopy(place / model.name, identity, sealed)


def identify(model: Path, file: Path | None = None, name: str = "") -> ModelIdentity:
    """Return a model's name, and the SHA-256 of its content, as stored in `file`; None: in `model` itself.

    Raises:
        UserError: it cannot be read.
    """
    return _identity(name or run_name(model)[:200], list(_read(file or model).values()))


def _read(model: Path) -> dict[str, bytes]:
    """The model file's bytes by name, and those of the weights beside an OpenVINO model."""
    weights = model.with_suffix(".bin")
    both = model_kind(model) == "openvino" and weights.is_file()
    try:
        return {path.name: path.read_bytes() for path in [model, *([weights] if both else [])]}
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=model) from None


def _identity(name: str, contents: list[bytes]) -> ModelIdentity:
    digest = hashlib.sha256()
    for data in contents:
        digest.update(data)
    return ModelIdentity(name, digest.hexdigest()[:12], digest.hexdigest())
