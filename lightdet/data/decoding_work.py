"""How much work a picture's bytes are for a decoder, estimated before anything is decoded.

A file of 300 KB may take minutes: a progressive JPEG passes over all its pixels in every scan, and may have any
number of scans.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from PIL import Image as Pil

from lightdet.data.deep_pixels import UnsupportedError
from lightdet.data.jpeg_segments import FRAMES, SCAN, jpeg_segments
from lightdet.data.tiff_parts import tiff_parts

MAX_SCANS = 100
"""Most scans of a JPEG; encoders write 1 to 20."""
MAX_SCANNED = 4_000_000_000
"""Most pixels of a JPEG times its scans: half a minute."""
MAX_SEGMENTS = 100_000
"""Most segments of a JPEG, chunks of a PNG, and strips or tiles of a TIFF page."""
QUICK = 64_000_000
"""Pixels times scans that are decoded well within a second."""
_MANY_CHUNKS = 10_000
"""Most chunks of a PNG; libpng writes 8 KB into each."""
_JPEG, _PNG, _BMP = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM"
_TIFF_COMPRESSION, _TIFF_JPEG = 259, 7


def check_work(data: bytes) -> None:
    """Refuse a JPEG with too many scans or segments and a PNG with too many chunks, before a decoder sees it.

    Raises:
        UnsupportedError: it is one.
    """
    if data.startswith(_JPEG):
        check_scans(data, 0)
    elif data.startswith(_PNG):
        for number, _ in enumerate(_png_chunks(data)):
            if number > MAX_SEGMENTS:
                raise UnsupportedError(f"a PNG of more than {MAX_SEGMENTS} chunks; save it again")


def check_scans(data: bytes, start: int) -> int:
    """Return how many bytes the JPEG that begins at `start` has.

    Raises:
        UnsupportedError: it has more than `MAX_SCANS` scans, more than `MAX_SCANNED` pixels in all of them together,
            or more than `MAX_SEGMENTS` segments.
    """
    scans = pixels = 0
    end = start
    for number, (marker, place, behind) in enumerate(jpeg_segments(data, start)):
        end = behind
        if number > MAX_SEGMENTS:
            raise UnsupportedError(f"a JPEG of more than {MAX_SEGMENTS} segments; save it again")
        scans += marker == SCAN
        if marker in FRAMES:
            pixels = max(pixels, _frame_pixels(data, place))
        if scans > MAX_SCANS or scans * pixels > MAX_SCANNED:
            raise UnsupportedError(f"a JPEG that passes over its pixels {scans} times or more; save it again")
    return end - start


def check_parts(picture: Pil.Image, data: bytes) -> None:
    """Refuse a TIFF page with too many strips or tiles, or one whose JPEGs have too many scans.

    Raises:
        UnsupportedError: it is one.
    """
    tags = picture.tag_v2  # type: ignore[attr-defined]
    parts = tiff_parts(tags)
    if len(parts.offsets) > MAX_SEGMENTS:
        raise UnsupportedError(f"a TIFF of more than {MAX_SEGMENTS} strips or tiles; save it again")
    if len(parts.offsets) < parts.needed:
        listed = f"{len(parts.offsets)} of its {parts.needed}"
        raise UnsupportedError(f"the picture is truncated: it lists {listed} strips or tiles")
    if tags.get(_TIFF_COMPRESSION) != _TIFF_JPEG:
        return
    left = 2 * len(data)  # overlapping parts would be read again and again
    for offset in set(parts.offsets):
        left -= check_scans(data, offset)
        if left < 0:
            raise UnsupportedError("a TIFF whose parts overlap or are damaged; copy or export it again")


def is_quick(data: bytes) -> bool:
    """Whether a picture certainly decodes well within a second, see `quick_work`."""
    return quick_work(data) <= QUICK


def quick_work(data: bytes) -> float:
    """Return the pixels times scans of a JPEG, PNG or BMP; infinity where that does not say how long decoding takes.

    This itself is quick, and errs on the side of more.
    """
    if data.startswith(_JPEG):
        scans = data.count(bytes((0xFF, SCAN)))
        for number, (marker, place, _) in enumerate(jpeg_segments(data, 0)):
            if marker in FRAMES:
                return _frame_pixels(data, place) * scans
            if marker == SCAN or number > MAX_SCANS:
                return math.inf
        return math.inf
    if data.startswith(_PNG):
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        animated = b"acTL" in data  # possibly by chance within the pixels: then it is merely decoded elsewhere
        return math.inf if animated or data.count(b"IDAT") > _MANY_CHUNKS else width * height
    if data.startswith(_BMP):
        width, height = int.from_bytes(data[18:22], "little"), int.from_bytes(data[22:26], "little", signed=True)
        return width * abs(height)
    return math.inf


def _frame_pixels(data: bytes, place: int) -> int:
    """Pixels of a frame whose parameters begin at `place`: precision, height, width (ITU T.81, B.2.2)."""
    height, width = (int.from_bytes(data[at : at + 2], "big") for at in (place + 1, place + 3))
    return max(1, height) * max(1, width)  # with a height of 0, the height follows the first scan


def _png_chunks(data: bytes) -> Iterator[int]:
    """Yield the start of each chunk."""
    place = len(_PNG)
    while place + 12 <= len(data):
        yield place
        place += 12 + int.from_bytes(data[place : place + 4], "big")
