"""Pictures of every kind that is read, broken in every way: an array of the size in the header, or one line."""

from __future__ import annotations

import io
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from fuzz_mutations import PICTURE_EDITS
from fuzz_target import Sound, Target, check_line, write
from hypothesis import strategies as st
from PIL import Image

from lightdet.data.images import picture_facts, read_deep, read_image
from lightdet.errors import UserError


def _saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def _tiff(pixels: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


@lru_cache(maxsize=1)
def pictures() -> tuple[bytes, ...]:
    """Small sound files, one of each kind of each format."""
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 256, (13, 17, 3), dtype=np.uint8)
    deep = rng.integers(0, 65536, (13, 17, 3), dtype=np.uint16)
    rgb = Image.fromarray(colours)
    exif = Image.Exif()
    exif[274] = 6
    modes = [rgb.convert(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]
    found = [_saved(each, "PNG") for each in modes]
    found += [_saved(rgb, "PNG", exif=exif), _saved(rgb.convert("P"), "PNG", transparency=0)]
    found += [bytes(cv2.imencode(".png", pixels)[1]) for pixels in (deep, deep[..., 0])]
    found += [_saved(each, "JPEG") for each in (rgb, rgb.convert("L"), rgb.convert("CMYK"))]
    found += [
        _saved(rgb, "JPEG", progressive=True, exif=exif),
        _saved(rgb, "JPEG", subsampling=2, restart_marker_rows=1),
    ]
    found += [_saved(each, "BMP") for each in (modes[0], modes[1], modes[3], rgb)]
    found += [_saved(each, "GIF") for each in (modes[1], modes[3])]
    found += [_saved(rgb, "GIF", save_all=True, append_images=[rgb.rotate(90)])]
    found += [_saved(rgb, "WEBP", lossless=True, exif=exif), _saved(modes[5], "WEBP"), _saved(rgb, "JPEG2000")]
    found += [_saved(each, "PPM") for each in modes[:2]] + [_saved(rgb, "PPM"), b"P2\n3 2\n255\n1 2 3\n4 5 6\n"]
    found += [b"P5\n17 13\n4095\n" + (deep[..., 0] >> 4).astype(">u2").tobytes(), b"P1 3 2 1 0 1 0 1 0"]
    for pixels in (colours, colours[..., 0], deep, deep[..., 0]):
        for order in ("<", ">"):
            found += [
                _tiff(pixels, byteorder=order),
                _tiff(pixels, byteorder=order, compression="zlib", predictor=True),
            ]
    found += [_tiff(np.moveaxis(colours, -1, 0), photometric="rgb", planarconfig="separate")]
    found += [
        _tiff(colours, tile=(16, 16)),
        _tiff(deep, rowsperstrip=4),
        _tiff(np.stack([colours] * 2), photometric="rgb"),
    ]
    found += [
        _saved(each, "TIFF", compression=kind)
        for each in (modes[0], modes[3], rgb)
        for kind in ("tiff_lzw", "packbits")
    ]
    found += [_saved(modes[0], "TIFF", compression="group4"), _saved(rgb, "TIFF", compression="jpeg")]
    return tuple(found)


pictures_drawn = st.integers(0, 10_000).map(lambda n: Sound(pictures()[n % len(pictures())], None, None))


def judge_picture(data: bytes, _: Any, folder: Path) -> Any:
    """Read a picture; what decoders print on stderr beside our line is a failure, too."""
    with tempfile.TemporaryFile() as printed:
        terminal = os.dup(2)
        os.dup2(printed.fileno(), 2)
        try:
            found = _judged(data, folder)
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
        printed.seek(0)
        assert not (lines := printed.read()), lines
    return found


def _judged(data: bytes, folder: Path) -> Any:
    path = write(folder, "a.png", data)
    try:
        facts = picture_facts(path)
    except UserError as error:
        check_line(error)
        facts = None
    try:
        pixels, deep_facts = read_deep(data)
        picture = read_image(data)
    except UserError as error:
        check_line(error)
        return None
    assert facts is not None, "the pixels can be read, but not the header"
    assert picture.dtype == np.uint8 and picture.shape == (facts.size[1], facts.size[0], 3), (picture.shape, facts)
    assert pixels.shape[:2] == picture.shape[:2] and deep_facts.size == facts.size and facts.pages == 1
    return picture


PICTURE_TARGETS = (Target("picture", 0.15, pictures_drawn, judge_picture, (), PICTURE_EDITS),)
