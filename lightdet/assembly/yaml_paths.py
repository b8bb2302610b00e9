"""The paths in a data set's YAML: of the root, and below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightdet.config import YamlFile
from lightdet.data.paths import find_folder, refuse_two
from lightdet.errors import UserError
from lightdet.files import with_home
from lightdet.storage.datasets import local_dataset
from lightdet.storage.urls import as_url

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def yaml_path(file: YamlFile) -> Path:
    """The file, or what it would be called."""
    return file.path or Path("dataset.yaml")


def error_at(message: str, file: YamlFile, *key: str) -> UserError:
    """An error that names the line of a key."""
    path, line = file.place(key)
    return UserError(message, path=path, line=line)


def data_folder(text: str, key: tuple[str, ...], file: YamlFile, data_root: str | Path | None) -> Path:
    """The data's folder: `data_root`, or what the YAML says under `key`, whose environment variables are filled in.

    Raises:
        UserError: it is not there, or a variable is not set.
    """
    if data_root is not None:
        root = with_home(local_dataset(data_root))
        if not root.is_dir():
            raise UserError("the folder given with --data-root does not exist", path=root)
        return root

    def variable(match: re.Match[str]) -> str:
        name = match.group(1)
        value = os.environ.get(name)
        if not value:
            message = f"the environment variable {name} is not set; set it, or give the data's folder with --data-root"
            raise error_at(message, file, *key)
        return value

    written = _VARIABLE.sub(variable, text)
    if as_url(written) is not None:
        with _told_of(file):
            return local_dataset(written)
    expanded = with_home(written)
    _refuse_impossible(yaml_path(file).parent, str(expanded), file)
    root = yaml_path(file).parent / expanded
    if not root.is_dir():
        message = f"the data's folder {root} does not exist; correct '{key[0]}', or give the folder with --data-root"
        raise error_at(message, file, *key)
    return root


def below(root: Path, name: str, file: YamlFile) -> Path:
    """A path relative to the root, or to the YAML if it lies only there."""
    _refuse_impossible(root, name, file)
    _refuse_impossible(yaml_path(file).parent, name, file)
    below, beside = root / with_home(name), yaml_path(file).parent / name
    with _told_of(file):
        refuse_two(name, (below, beside))
    return beside if not below.exists() and beside.exists() else below


def _refuse_impossible(root: Path, name: str, file: YamlFile) -> None:
    """Refuse a name that no file can have: most often text that ended up in the line of a path."""
    try:
        (root / with_home(name)).lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"'{name[:40]}...' cannot be a path: {reason}", path=file.path) from None


def picture_folder(root: Path, name: str, file: YamlFile) -> Path:
    """A folder of pictures, relative to the root."""
    _refuse_impossible(root, name, file)
    with _told_of(file):
        return find_folder(name, root)


@contextmanager
def _told_of(file: YamlFile) -> Iterator[None]:
    """Put the YAML's name before a message without a path."""
    try:
        yield
    except UserError as error:
        raise UserError(error.message, path=error.path or file.path, line=error.line) from None
