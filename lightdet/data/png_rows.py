"""Whether a PNG holds all of its rows: decoders silently fill up what is missing."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from PIL import Image as Pil

from lightdet.data.deep_pixels import UnsupportedError

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Values per pixel by colour type (PNG, third edition, 11.2.1)."""
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and the steps between them, of each pass of an interlaced picture (8.1)."""
_PIECE = 1 << 20


def check_rows(picture: Pil.Image, data: bytes) -> None:
    """Refuse a PNG whose compressed data end before its last row; its first picture, of several.

    Pillow fills missing rows with zeros, so most pictures need no second check. OpenCV, which decodes 16 bits,
    guarantees nothing.

    Raises:
        UnsupportedError: they do.
    """
    depth, interlaced = data[24], data[28]
    if depth <= 8 and not interlaced:
        picture.load()
        last = picture.crop((0, picture.height - 1, *picture.size))
        if last.getbbox(alpha_only=False) is not None:
            return
    count_rows(data)


def count_rows(data: bytes) -> None:
    """As `check_rows`, by the length of the decompressed data."""
    missing = _length(data)
    try:
        for piece in _inflated(data):
            missing -= piece
            if missing <= 0:
                return
    except zlib.error:
        raise UnsupportedError("the picture is damaged; copy or export it again") from None
    raise UnsupportedError("the picture is truncated: its last rows are missing; copy or export it again")


def _length(data: bytes) -> int:
    """Number of bytes of all rows, each with its filter byte, by the header."""
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    depth, colour, interlaced = data[24], data[25], data[28]
    bits = depth * _CHANNELS.get(colour, 0)
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for left, top, across, down in _PASSES:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        total += max(0, rows) * (1 + (columns * bits + 7) // 8) if columns > 0 else 0
    return total


def _inflated(data: bytes) -> Iterator[int]:
    """Lengths of the decompressed data, piece by piece."""
    inflate = zlib.decompressobj()
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4])
        if data[position + 4 : position + 8] == b"IDAT":
            rest = data[position + 8 : end]
            while rest and not inflate.eof:
                yield len(inflate.decompress(rest, _PIECE))
                rest = inflate.unconsumed_tail
        position = end + 4
    yield len(inflate.flush(_PIECE))
