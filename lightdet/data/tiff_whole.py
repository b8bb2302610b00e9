"""Whether a TIFF page's strips or tiles hold all of their rows: decoders silently fill up what is missing.

Pillow's libtiff reports LZW, PackBits and Zstandard that end too early, and Pillow itself uncompressed rows. Of
Deflate, LZMA and JPEG it takes what there is; these are decoded here once more. Zeros in place of uncompressed pixels
are pixels: no reader can notice them.
"""

from __future__ import annotations

import io
import lzma
import zlib

import numpy as np
from PIL import Image as Pil
from PIL import UnidentifiedImageError

from lightdet.data.deep_pixels import UnsupportedError
from lightdet.data.jpeg_whole import check_whole
from lightdet.data.quiet_warnings import quiet_warnings
from lightdet.data.tiff_parts import TiffParts, tiff_parts

_COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _PLANAR, _JPEG_TABLES = 259, 262, 266, 284, 347
_PLAIN, _LZW, _JPEG, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _LZMA, _ZSTD = 1, 5, 7, 8, 32773, 32946, 34925, 50000
_CHECKED = frozenset({_PLAIN, _LZW, _JPEG, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _LZMA, _ZSTD})
_OTHERS = {2: "CCITT", 3: "CCITT group 3", 4: "CCITT group 4", 6: "JPEG as of 1992", 32771: "CCITT", 50001: "WebP"}
_YCBCR, _SEPARATE, _LOW_BIT_FIRST = 6, 2, 2
_START, _END = b"\xff\xd8", b"\xff\xd9"
_PIECE = 1 << 20
_LZMA_MEMORY = 1 << 28
_MAX_TABLES = 1 << 16
"""Most bytes of the tables that all JPEGs of a page share; four of each kind take 2 KB."""
_MAX_UNPACKED = 1 << 26
"""Bytes that the parts of a page may unpack to, whatever its own size, because tiles go beyond the edges."""
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_DAMAGED = "the picture is damaged; copy or export it again"
_TRUNCATED = "the picture is truncated: a part of its rows is missing; copy or export it again"


def check_tiff_whole(picture: Pil.Image, data: bytes) -> None:
    """Refuse a TIFF page with a part that does not hold its rows, or one where that would not be noticed.

    Args:
        picture: opened, at the page; `lightdet.data.decoding_work.check_parts` has passed it.
        data: the file.

    Raises:
        UnsupportedError: it is one.
    """
    with quiet_warnings():  # tags are read on first use
        tags = picture.tag_v2  # type: ignore[attr-defined]
        packing = tags.get(_COMPRESSION, _PLAIN)
        _check_kind(packing, tags.get(_PHOTOMETRIC), tags.get(_PLANAR))
        parts = tiff_parts(tags)
        tables, reverse = tags.get(_JPEG_TABLES, b""), tags.get(_FILL_ORDER) == _LOW_BIT_FIRST
    if min(parts.offsets) < len(b"II*\0"):
        raise UnsupportedError(_TRUNCATED)  # a sparse file: a part that was never written
    if packing not in (_JPEG, _DEFLATE, _OLD_DEFLATE, _LZMA):
        return
    if len(parts.counts) < len(parts.offsets):
        raise UnsupportedError("the picture is damaged: the lengths of its strips or tiles; copy or export it again")
    used = zip(parts.offsets, parts.counts, map(parts.rows, range(parts.needed)), strict=False)
    each_once = list(dict.fromkeys(used))
    if len(each_once) * parts.line * parts.height > max(_MAX_UNPACKED, 4 * parts.page_bytes):
        raise UnsupportedError("a TIFF whose strips or tiles are far larger than its picture; save it again")
    for place, count, rows in each_once:
        stream = data[place : place + count]
        if packing == _JPEG:
            _check_jpeg(stream, tables, rows, parts)
        else:
            _check_packed(stream.translate(_REVERSED) if reverse else stream, packing, rows, parts)


def _check_kind(packing: int, photometric: int | None, planes: int | None) -> None:
    """Refuse the kinds of which libtiff continues after damage, and nothing here can tell."""
    if packing not in _CHECKED:
        kind = _OTHERS.get(packing, f"number {packing}")
        raise UnsupportedError(f"a TIFF whose compression ({kind}) hides damage; save it as PNG")
    if photometric == _YCBCR and (packing != _JPEG or planes == _SEPARATE):
        raise UnsupportedError("a TIFF with YCbCr colours that are not an ordinary JPEG's; save it as PNG")


def _check_packed(stream: bytes, packing: int, rows: int, parts: TiffParts) -> None:
    """Unpack Deflate or LZMA to its end: what follows the rows is a checksum or an index, which tells damage."""
    most = parts.line * parts.height
    engine = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY) if packing == _LZMA else zlib.decompressobj()
    length = 0
    try:
        while not engine.eof and length <= most:
            piece = engine.decompress(stream, min(_PIECE, most + 1 - length))
            stream = getattr(engine, "unconsumed_tail", b"")  # LZMA keeps what it has not used
            length += len(piece)
            if not piece and not stream:
                break
    except (zlib.error, lzma.LZMAError):
        raise UnsupportedError(_DAMAGED) from None
    if length < parts.line * rows or (not engine.eof and length <= most):
        raise UnsupportedError(_TRUNCATED)
    if length > most:
        raise UnsupportedError(_DAMAGED)


def _check_jpeg(stream: bytes, tables: object, rows: int, parts: TiffParts) -> None:
    """Decode a part as a JPEG of its own, with the tables that all share."""
    shared = tables if isinstance(tables, bytes) else b""
    if not stream.startswith(_START) or len(shared) > _MAX_TABLES:
        raise UnsupportedError(_DAMAGED)
    whole = _START + shared.removeprefix(_START).removesuffix(_END) + stream[len(_START) :]
    try:
        with quiet_warnings():
            picture = Pil.open(io.BytesIO(whole), formats=("JPEG",))
    except UnidentifiedImageError:
        message = "the picture is damaged, or one of its strips or tiles is a JPEG of a kind that is not read"
        raise UnsupportedError(f"{message}; save it as PNG") from None
    with picture:
        width, height = picture.size
        if width < parts.width or height < rows:
            raise UnsupportedError(_TRUNCATED)
        if width > parts.width or height > parts.height:
            raise UnsupportedError(_DAMAGED)
        check_whole(np.asarray(picture), whole)
