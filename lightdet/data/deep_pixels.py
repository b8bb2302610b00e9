"""Pictures of more than 8 bits: gray by Pillow, colour by OpenCV, which Pillow would cut to 8 bits.

OpenCV decodes some TIFFs to other pixels than the file's without a word (16 bits in separate planes, for one). So only
the kinds go there that were compared with an independent decoder; every other is refused.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from lightdet.arrays import AnyArray

_SAMPLES, _PLANES, _PHOTOMETRIC, _COMPRESSION, _SAMPLE_FORMAT, _BITS = 277, 284, 262, 259, 339, 258  # TIFF tags
_EXTRA = 338  # the meaning of samples beyond the colours: 1 and 2 are alpha
_COMPRESSIONS = {1: "none", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits"}


class UnsupportedError(Exception):
    """An intact picture of an unsupported kind; the text says what to do."""


def check_samples(picture: Pil.Image) -> None:
    """Refuse a TIFF with signed samples, or with more channels than its kind has colours, from its header alone.

    Decoders read signed values as unsigned, and only the first of separate planes that are not declared as colours.

    Raises:
        UnsupportedError: it is of such a kind.
    """
    tags = picture.tag_v2  # type: ignore[attr-defined]
    formats, samples, extra = tags.get(_SAMPLE_FORMAT, (1,)), tags.get(_SAMPLES, 1), tags.get(_EXTRA, ())
    if not set(formats if isinstance(formats, tuple) else (formats,)) <= {1, 4}:  # unsigned, not told
        raise UnsupportedError("signed or floating-point pixels; save the picture with 8 or 16 unsigned bits")
    alphas = sum(kind in (1, 2) for kind in (extra if isinstance(extra, tuple) else (extra,)))
    if tags.get(_PHOTOMETRIC) in (0, 1, 3) and samples > 1 + alphas:
        raise UnsupportedError(f"{samples} channels that are not colours; save the one you need as a gray picture")


def check_deep(picture: Pil.Image, bits: int) -> None:
    """Refuse a picture of more than 8 bits per channel that would not be decoded right; from its header alone.

    Raises:
        UnsupportedError: it is of such a kind.
    """
    if picture.format != "TIFF" and bits <= 16:
        return
    if bits > 16 or picture.mode in ("I", "F"):
        raise UnsupportedError("signed, 32-bit or floating-point pixels; save the picture with 8 or 16 unsigned bits")
    fault = "" if picture.mode.startswith("I") else _tiff_fault(picture)
    if fault:
        raise UnsupportedError(f"a {bits}-bit TIFF {fault}; save it as 16-bit PNG")


def deep_pixels(picture: Pil.Image, bits: int, data: bytes, inverted: bool, page: int = 0) -> AnyArray:
    """More than 8 bits per channel: uint16 ``[H, W]`` or ``[H, W, 3]``, unscaled.

    Args:
        picture: opened by Pillow.
        bits: per channel.
        data: the file.
        inverted: 0 is white.
        page: number of the picture in the file, from 0.
    """
    if picture.mode.startswith("I"):
        pixels: AnyArray = np.asarray(picture).astype(np.uint16)
    else:
        pixels = _colour(picture, bits, data, page)
    return np.uint16((1 << bits) - 1) - pixels if inverted else pixels


def _colour(picture: Pil.Image, bits: int, data: bytes, page: int) -> AnyArray:
    if picture.format == "PNG":
        _check_sums(data)
    buffer, flags = np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
    if page == 0:
        decoded = cv2.imdecode(buffer, flags)
    else:
        _, pages = cv2.imdecodemulti(buffer, flags, range=(page, page + 1))
        decoded = pages[0] if len(pages) == 1 else None
    if decoded is None or decoded.dtype != np.uint16 or decoded.shape[:2] != (picture.height, picture.width):
        raise UnsupportedError(f"a {bits}-bit {picture.format} of an unknown kind; save it as 16-bit PNG")
    return decoded if decoded.ndim == 2 else np.ascontiguousarray(decoded[:, :, 2::-1])


def _tiff_fault(picture: Pil.Image) -> str:
    """Why OpenCV cannot be trusted with a TIFF; empty if it can."""
    tags = picture.tag_v2  # type: ignore[attr-defined]
    samples, sides = tags.get(_SAMPLES, 1), tags.get(_BITS, (1,))
    formats = tags.get(_SAMPLE_FORMAT, (1,))
    if tags.get(_PLANES, 1) != 1:
        return "with separate planes"
    if tags.get(_PHOTOMETRIC) != 2 or samples not in (3, 4):
        return "whose colours are not RGB"
    if set(sides if isinstance(sides, tuple) else (sides,)) != {16}:
        return "of unequal or odd depth"
    if set(formats if isinstance(formats, tuple) else (formats,)) != {1}:
        return "with signed or floating-point pixels"
    if tags.get(_COMPRESSION, 1) not in _COMPRESSIONS:
        return f"whose compression is none of {', '.join(dict.fromkeys(_COMPRESSIONS.values()))}"
    return ""


def _check_sums(data: bytes) -> None:
    """Refuse a PNG with a wrong checksum, about which libpng would print its own message."""
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4])
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise UnsupportedError("the picture is damaged (a checksum is wrong); copy or export it again")
        if data[position + 4 : position + 8] == b"IEND":
            return
        position = end + 4
    raise UnsupportedError("the picture is truncated; copy or export it again")


def to_bytes(pixels: AnyArray, bit_depth: int) -> NDArray[np.uint8]:
    """uint16 pixels of `bit_depth` significant bits (9-16) scaled to uint8, rounded, clipped at 255."""
    return _depth_table(bit_depth)[pixels]


@lru_cache(maxsize=8)
def _depth_table(bit_depth: int) -> NDArray[np.uint8]:
    """The 65536 8-bit values of 16-bit ones."""
    if not 8 < bit_depth <= 16:
        raise ValueError(f"bit_depth must lie in 9-16, got {bit_depth}")
    scaled = np.arange(65536, dtype=np.float64) * (255.0 / (2**bit_depth - 1))
    table: NDArray[np.uint8] = np.minimum(np.rint(scaled), 255).astype(np.uint8)
    return table
