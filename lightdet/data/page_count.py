"""How many pictures a file holds, and whether it may hold more than it lists: a part must not pass half inspected."""

from __future__ import annotations

import re
import struct

from PIL import Image as Pil

from lightdet.data.deep_pixels import UnsupportedError

MAX_PAGES = 1000
"""Most pictures of one file."""
_DESCRIPTION = 270
_MORE_THAN_LISTED = re.compile(r"^ImageJ=.*^images=(?:[2-9]|1[0-9])|\"truncated\": *true", re.DOTALL | re.MULTILINE)
_NEXT_PNM = re.compile(rb"\s*P[1-7]\s")


def count_pages(picture: Pil.Image) -> int:
    """Return how many pictures the file of an opened `picture` holds: pages of a TIFF, frames of a GIF, WebP or PNG.

    Raises:
        UnsupportedError: they cannot be counted, or there are too many.
    """
    if picture.format == "MPO":
        return 1  # a phone's JPEG with a preview or depth map after the picture
    if picture.format == "TIFF":
        return _tiff_pages(picture)
    try:
        pages = int(getattr(picture, "n_frames", 1))
    except Exception:  # counting walks the file; this damage shows when the pixels are read
        return 1
    if pages > MAX_PAGES:
        raise UnsupportedError(f"{pages} pictures in one file, and at most {MAX_PAGES} are read; split it")
    return pages


def check_end(picture: Pil.Image, data: bytes) -> None:
    """Refuse a file that breaks off after a complete picture, or holds pictures beyond those listed.

    Raises:
        UnsupportedError: it does.
    """
    if picture.format == "GIF" and not data.rstrip(b"\0\r\n ").endswith(b";"):
        raise UnsupportedError("the picture is truncated; copy or export it again")
    if picture.format == "PPM" and _pnm_goes_on(picture, data):
        raise UnsupportedError("several pictures in one PNM file, of which only the first can be read; split it")
    if picture.format == "TIFF":
        text = picture.tag_v2.get(_DESCRIPTION, "")  # type: ignore[attr-defined]
        if isinstance(text, str) and _MORE_THAN_LISTED.search(text) and _tiff_pages(picture) == 1:
            raise UnsupportedError("a stack of pictures of which only the first is listed; save it as an ordinary TIFF")


def _tiff_pages(picture: Pil.Image) -> int:
    """Follow the chain of directories (TIFF 6.0, section 2): decoders treat a break as its end."""
    file = getattr(picture, "fp", None)
    if file is None:
        return int(getattr(picture, "n_frames", 1))
    before = file.tell()
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    count, entry, link = ("Q", 20, "Q") if big else ("H", 12, "I")
    offset = struct.unpack_from(order + link, head, 8 if big else 4)[0]
    seen: set[int] = set()
    while offset:
        if len(seen) == MAX_PAGES:
            raise UnsupportedError(f"more than {MAX_PAGES} pictures in one file; split it")
        if offset in seen:
            raise UnsupportedError("the pages of the TIFF are circular; export it again")
        file.seek(offset)
        start = file.read(struct.calcsize(order + count))
        if len(start) == struct.calcsize(order + count):
            file.seek(entry * struct.unpack(order + count, start)[0], 1)
        following = file.read(struct.calcsize(order + link))
        if len(following) < struct.calcsize(order + link):
            raise UnsupportedError(f"the TIFF breaks off after {len(seen)} complete pages; copy or export it again")
        seen.add(offset)
        offset = struct.unpack(order + link, following)[0]
    file.seek(before)
    return len(seen)


def _pnm_goes_on(picture: Pil.Image, data: bytes) -> bool:
    """Whether another picture follows: the format allows several files in a row in one file."""
    kind, tiles = data[:2], getattr(picture, "tile", None)
    if kind in (b"P4", b"P5", b"P6") and tiles:
        width, height = picture.size
        bits = {b"P4": 1, b"P5": 8, b"P6": 24}[kind] * (2 if picture.mode.startswith("I") or _deep_pnm(tiles) else 1)
        return _NEXT_PNM.match(data, tiles[0][2] + height * ((width * bits + 7) // 8)) is not None
    return _NEXT_PNM.search(data, 2) is not None


def _deep_pnm(tiles: list[tuple[object, ...]]) -> bool:
    arguments = tiles[0][3]
    return isinstance(arguments, tuple) and isinstance(arguments[-1], int) and arguments[-1] > 0xFF
