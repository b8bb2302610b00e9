"""The model files of a run: read once, so that all its processes load the same, whatever happens to the files."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lightdet.errors import UserError


@dataclass(frozen=True, eq=False)
class ModelContent:
    """A model's files as they were when they were read.

    Attributes:
        path: of the model file.
        files: the bytes by name: of the model file, and of OpenVINO's other one.
    """

    path: Path
    files: dict[str, bytes] = field(repr=False)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file; for an OpenVINO model, of the SHA-256 of both its files."""
        digests = [hashlib.sha256(data) for data in self.files.values()]
        if len(digests) == 1:
            return digests[0].hexdigest()
        return hashlib.sha256(b"".join(each.digest() for each in digests)).hexdigest()


@dataclass(frozen=True)
class KeptModel:
    """A copy of a model file that nobody changes, and where the file itself was."""

    copy: Path
    path: Path


def read_model(path: Path) -> ModelContent:
    """Read a model's files.

    Raises:
        UserError: one cannot be read.
    """
    both = (path, path.with_suffix(".bin")) if path.suffix.lower() == ".xml" else (path,)
    files = {}
    for each in both:
        try:
            files[each.name] = each.read_bytes()
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", path=each) from None
    return ModelContent(path, files)


def model_sha256(path: Path) -> str:
    """The SHA-256 of a model; see `ModelContent.sha256`, and `read_model` for the error."""
    return read_model(path).sha256


@contextmanager
def kept(models: Sequence[ModelContent]) -> Iterator[list[KeptModel]]:
    """Give copies of the models in a temporary folder that is there for this block.

    Raises:
        UserError: they cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="lightdet-", ignore_cleanup_errors=True) as name:
        yield [_put(each, Path(name) / str(place)) for place, each in enumerate(models)]


def _put(model: ModelContent, folder: Path) -> KeptModel:
    """Each has a folder of its own: two may have the same name."""
    try:
        folder.mkdir()
        for name, data in model.files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise UserError(f"no copy of the model can be written: {error.strerror}", path=folder) from None
    return KeptModel(folder / model.path.name, model.path)
