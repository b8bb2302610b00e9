"""From an opened picture to its pixels: decoded, checked for missing parts, upright, 8 bits, RGB."""

from __future__ import annotations

from contextlib import nullcontext

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from lightdet.arrays import AnyArray, Image
from lightdet.data.decoding_work import check_parts
from lightdet.data.deep_pixels import UnsupportedError, check_deep, check_samples, deep_pixels, to_bytes
from lightdet.data.jpeg_whole import check_whole
from lightdet.data.picture_header import PictureFacts
from lightdet.data.png_rows import check_rows
from lightdet.data.quiet_warnings import quiet_warnings
from lightdet.data.tiff_whole import check_tiff_whole

_PHOTOMETRIC = 262  # a TIFF tag


def opened_pixels(picture: Pil.Image, facts: PictureFacts, data: bytes, page: int = 0) -> AnyArray:
    """The pixels of the current page of `picture`."""
    inverted = picture.format == "TIFF" and picture.tag_v2.get(_PHOTOMETRIC) == 0  # type: ignore[attr-defined]
    if facts.format == "TIFF":
        with quiet_warnings():  # tags are read on first use
            check_samples(picture)
            check_parts(picture, data)
    if facts.bits > 8:
        check_deep(picture, facts.bits)
    if facts.format == "TIFF":
        check_tiff_whole(picture, data)
    if facts.format == "PNG" and page == 0:
        check_rows(picture, data)
    with quiet_warnings() if facts.format == "TIFF" else nullcontext():
        picture.load()
    if facts.format in ("JPEG", "MPO") and page == 0:
        check_whole(np.asarray(picture), data)
    deep = facts.bits > 8
    pixels = deep_pixels(picture, facts.bits, data, inverted, page) if deep else _byte_pixels(picture)
    if facts.format != "TIFF":
        pixels = np.ascontiguousarray(_upright(pixels, facts.orientation))
    if (pixels.shape[1], pixels.shape[0]) != facts.size:
        raise UnsupportedError("the picture's header and pixels disagree about its size; export it again")
    return pixels


def _byte_pixels(picture: Pil.Image) -> NDArray[np.uint8]:
    if picture.mode in ("L", "RGB"):
        return np.array(picture)
    if picture.mode in ("1", "LA"):
        return np.array(picture.convert("L"))
    if picture.mode in ("P", "PA"):
        # Via RGBA: converting a palette with transparency to RGB warns. Dropping alpha keeps the colour.
        picture = picture.convert("RGBA")
    if picture.mode in ("RGBA", "RGBX"):
        return np.ascontiguousarray(np.asarray(picture)[:, :, :3])
    if picture.mode == "LAB":
        raise UnsupportedError("LAB colours; save the picture as RGB")
    if picture.mode == "F":
        raise UnsupportedError("floating-point pixels; save the picture with 8 or 16 bits")
    return np.array(picture.convert("RGB"))


def _stored_depth(facts: PictureFacts) -> int | None:
    """The bit depth that the file itself gives: 9-15 bits per sample in TIFF; Pillow scales any PNM to 16."""
    if facts.bits < 16:
        return facts.bits
    return 16 if facts.format == "PPM" else None


def _upright(pixels: AnyArray, orientation: int) -> AnyArray:
    """Rotate or mirror ``[H, W, ...]`` by EXIF orientation 1-8."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def to_rgb(pixels: AnyArray, facts: PictureFacts, bit_depth: int) -> Image:
    """Scale pixels of `opened_pixels` to 8 bits (`bit_depth` unless the file gives its own) and make gray RGB."""
    if pixels.dtype == np.uint16:
        pixels = to_bytes(pixels, _stored_depth(facts) or bit_depth)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]
    return pixels
