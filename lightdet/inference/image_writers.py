"""Pictures and videos with the findings drawn on them, written to an output folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from lightdet.arrays import Image
from lightdet.errors import UserError
from lightdet.files import atomic_path, make_folder, write_bytes
from lightdet.inference.video import quiet_ffmpeg

JPEG_QUALITY = 92
JPEG_MAX_SIDE = 65_500
"""libjpeg's limit is 65535 pixels; larger pictures become PNG."""


def write_picture(path: Path, image: Image, *, check: Callable[[Path], None] | None = None) -> Path:
    """Write uint8 RGB ``[H, W, 3]`` as JPEG, or as PNG if it is too large for that; returns the file.

    Args:
        path: ends in ``.jpg``.
        image: the picture.
        check: refuses the file that would be written; its name depends on the picture's size.

    Raises:
        UserError: the file cannot be written; what `check` raises.
    """
    large = max(image.shape[:2]) > JPEG_MAX_SIDE
    target = path.with_name(f"{path.name.removesuffix('.jpg')}.png") if large else path
    if check is not None:
        check(target)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if large else [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    # Encoded in memory: OpenCV's own file names are limited to the system's character set.
    good, data = cv2.imencode(target.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not good:
        raise UserError("the marked-up picture cannot be encoded", path=target)
    write_bytes(target, data.tobytes(), sync=False)
    return target


class VideoWriter:
    """An MP4 (MPEG-4 part 2) written frame by frame; the file appears under its name when the writer is closed."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        # OpenCV goes by the suffix, so `atomic_path` cannot provide this name.
        self._part = path.with_name(f".{path.name}.part.mp4")
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finish the file, also after an error: what was done is kept."""
        self.close()

    def write(self, image: Image) -> None:
        """Append uint8 RGB ``[H, W, 3]``; later frames are scaled to the first one's size.

        Raises:
            UserError: no video can be written here.
        """
        height, width = image.shape[:2]
        even = (width + width % 2, height + height % 2)
        if self._writer is None:
            self._writer = self._open(even)
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if even != self._size:
            bgr = cv2.resize(bgr, self._size)
        elif even != (width, height):
            # The codec takes only even sides, and would cut off the last row or column.
            bgr = cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        self._writer.write(bgr)

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        quiet_ffmpeg()
        make_folder(self.path.parent)
        self._size = size
        writer = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, size)
        if not writer.isOpened():
            raise UserError(f"an MP4 video of {size[0]} x {size[1]} pixels cannot be written here", path=self.path)
        return writer

    def close(self) -> None:
        """Finish the file; without frames there is none.

        Raises:
            UserError: the file cannot be written.
        """
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        try:
            if not self._part.exists() or self._part.stat().st_size == 0:
                raise UserError("the marked-up video was not written; is the disk full?", path=self.path)
            with atomic_path(self.path) as temporary:
                self._part.replace(temporary)
        finally:
            self._part.unlink(missing_ok=True)
