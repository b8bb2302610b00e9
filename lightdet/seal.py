"""A checksum of a whole file, stored in the file itself: damage is found before the file is used for judging.

The writer puts `UNSEALED` where the checksum will be, as a value of `SEAL_KEY` in the file's metadata, and then calls
`seal`. The checksum is the SHA-256 of all bytes, with `UNSEALED` in its own place. It guards against accidents, not
against malice: whoever changes a file can seal it again.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from lightdet.errors import UserError

log = logging.getLogger(__name__)

SEAL_KEY = "lightdet_sha256"
UNSEALED = "0" * 64
_SUM = re.compile("[0-9a-f]{64}")
_told: set[Path] = set()


def sealed(data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Return a file's bytes with the checksum over them, and over those of files that belong to it, in its place.

    Raises:
        ValueError: there is no place for it.
    """
    start = _place(data, UNSEALED)
    return data[:start] + _sum_of(data, start, others).encode() + data[start + 64 :]


def seal(path: Path, others: Sequence[Path] = ()) -> None:
    """Seal a file that was just written, in place; `others` belong to it and follow in the checksum.

    Raises:
        OSError: it cannot be written.
        ValueError: there is no place for the checksum.
    """
    data = path.read_bytes()
    start = _place(data, UNSEALED)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(_sum_of(data, start, [other.read_bytes() for other in others]).encode())


def check_seal(path: str | Path, data: bytes, claimed: str | None, others: Sequence[bytes] = ()) -> bool:
    """Compare a file with the checksum in its metadata; False if it has none, which is reported once.

    Args:
        path: the file, for messages.
        data: its bytes.
        claimed: the value of `SEAL_KEY` in its metadata; None: older than checksums.
        others: the bytes of files that belong to it, in the order in which they were sealed.

    Raises:
        UserError: it has changed since it was written.
    """
    if claimed is None:
        if Path(path) not in _told:
            _told.add(Path(path))
            log.warning("%s: verified: no; it is older than the checksums in model files", path)
        return False
    damaged = UserError(
        "is damaged: its checksum does not match; copy it again, or train or export it again", path=path
    )
    if not _SUM.fullmatch(claimed):
        raise damaged
    try:
        start = _place(data, claimed)
    except ValueError:
        raise damaged from None
    if _sum_of(data, start, others) != claimed:
        raise damaged
    return True


def _place(data: bytes, text: str) -> int:
    """Where the checksum is after its key; the key's last occurrence counts, because a card may hold anything."""
    key = data.rfind(SEAL_KEY.encode())
    start = data.find(text.encode(), key)
    if key < 0 or not 0 <= start - key <= len(SEAL_KEY) + 32:
        raise ValueError("no place for a checksum")
    return start


def _sum_of(data: bytes, start: int, others: Sequence[bytes]) -> str:
    """The checksum over a file whose own checksum is at `start`, and over others."""
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(UNSEALED.encode())
    digest.update(view[start + 64 :])
    for other in others:
        digest.update(other)
    return digest.hexdigest()
