"""A file that is read only within its size, whatever lengths it claims for its parts."""

from __future__ import annotations

import io
import os
from pathlib import Path


class BoundedReader(io.BufferedReader):
    """A file open for reading that requests no more bytes than are left in it.

    Decoders trust the length that a part of a file claims, and allocate memory for it before reading anything.
    """

    def __init__(self, path: Path) -> None:
        raw = path.open("rb", buffering=0)
        self._size = os.fstat(raw.fileno()).st_size
        super().__init__(raw)

    def read(self, size: int | None = -1, /) -> bytes:
        """As `io.BufferedReader.read`."""
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))
