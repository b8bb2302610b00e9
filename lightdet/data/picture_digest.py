"""Pictures recognised again by the bytes of their files, whatever they are called now."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lightdet.errors import UserError


def picture_digest(path: Path) -> str:
    """Return 32 hexadecimal digits that are equal for equal files.

    Raises:
        UserError: the file can no longer be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None
