"""A file that is read within its bounds, whatever lengths it claims for its parts."""

from __future__ import annotations

import io
import os
from pathlib import Path


class BoundedReader(io.BufferedReader):
    """A file open for reading that asks for no more bytes than are left in it.

    Decoders believe the length that a part of a file claims, and memory for it is taken before anything is read.
    """

    def __init__(self, path: Path) -> None:
        raw = path.open("rb", buffering=0)
        self._size = os.fstat(raw.fileno()).st_size
        super().__init__(raw)

    def read(self, size: int | None = -1, /) -> bytes:
        """As `io.BufferedReader.read`."""
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))
