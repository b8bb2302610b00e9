"""Whether a video ended where its header says, or broke off before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lightdet.errors import UserError

ISO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".3gp"})
FILE = "it is truncated or damaged"
CONNECTION = "the connection broke off, or the file is truncated or damaged"


@dataclass(frozen=True)
class VideoEnd:
    """Where a video ended.

    Attributes:
        read: how many frames could be read.
        frame_count: how many its header promises, 0 if it says nothing.
        fps: frames per second.
        last: time of the last frame in seconds from the start.
    """

    read: int
    frame_count: int
    fps: float
    last: float

    def check(
        self, suffix: str, path: str | Path, *, truncated: Callable[[], bool] = lambda: False, over: str = FILE
    ) -> None:
        """Refuse a video that broke off.

        Args:
            suffix: of its file, in lower case.
            path: it, for messages.
            truncated: whether the file is known to be.
            over: what may be the reason, in words.

        Raises:
            UserError: frames are missing.
        """
        if self.read == 0:
            raise UserError(f"not one frame can be read; {over}", path=path)
        if self.frame_count - self.read > 2 and self._broken_off(suffix, truncated):
            raise UserError(
                f"the video ends early: {self.read} of {self.frame_count} frames can be read; {over}", path=path
            )

    def _broken_off(self, suffix: str, truncated: Callable[[], bool]) -> bool:
        """Whether missing frames mean damage: the header of an intact video may count more than are shown."""
        missing = self.frame_count - self.read
        if suffix in ISO_SUFFIXES:
            # A file trimmed without encoding keeps frames before its start: they are counted and never shown.
            return missing > 0.1 * self.frame_count or truncated()
        if suffix == ".avi":
            return True
        # Elsewhere the count is the duration times a mean rate, wrong if the rate changes; the duration is right.
        return self.frame_count / self.fps - self.last > 0.25 + 1 / self.fps


def iso_truncated(path: Path) -> bool:
    """Whether an MP4 or MOV ends inside one of its boxes (ISO/IEC 14496-12: size, type, content, repeated)."""
    end, position = path.stat().st_size, 0
    kinds = set()
    with path.open("rb") as file:
        while position < end:
            file.seek(position)
            header = file.read(16)
            size = int.from_bytes(header[:4], "big")
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            elif size == 0:  # up to the end of the file
                size = end - position
            if len(header) < 8 or size < 8 or position + size > end:
                return True
            kinds.add(header[4:8])
            position += size
    return b"moov" not in kinds
