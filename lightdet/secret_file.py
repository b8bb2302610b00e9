"""Files that hold a password, a key or a secret."""

from __future__ import annotations

from pathlib import Path

from lightdet.errors import UserError


def read_text(file: Path) -> str:
    """Return the text of a small file in UTF-8, without the byte order mark that Windows' programs put before it.

    Raises:
        UserError: it cannot be read, or is no such text.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or type(error).__name__}", path=file) from None
    except UnicodeDecodeError:
        raise UserError("cannot be read: not in UTF-8; save it so", path=file) from None


def read_secret(file: Path, what: str = "secret") -> str:
    """Return what a file holds, without white space around it.

    Args:
        file: holds nothing else.
        what: it is, for messages.

    Raises:
        UserError: see `read_text`; or it is empty.
    """
    secret = read_text(file).strip()
    if not secret:
        raise UserError(f"the file is empty; write the {what} into it", path=file)
    return secret
