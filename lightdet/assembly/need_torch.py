"""The message if a checkpoint needs torch and it is not installed."""

from __future__ import annotations

from pathlib import Path

from lightdet.errors import UserError


def need_torch(path: str | Path) -> None:
    """Import torch.

    Raises:
        UserError: it is not installed; `path` is the file that needs it.
    """
    try:
        import torch  # noqa: F401, PLC0415 - only when a checkpoint is wanted
    except ImportError:
        raise UserError(
            "needs torch, which is not installed here; export it where it was trained: lightdet export",
            path=path,
        ) from None
