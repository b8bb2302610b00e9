"""Pillow pictures handed in from Python: the pixels of the same picture in a file, or a refusal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.inference.inputs import to_picture

RNG = np.random.default_rng(11)
COLOURS = RNG.integers(0, 256, (9, 13, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (9, 13), dtype=np.uint16)
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "La", "RGBa", "I", "F")


def made(mode: str) -> Image.Image:
    if mode == "LAB":
        return Image.frombytes("LAB", (13, 9), COLOURS.tobytes())  # Pillow has no way there
    if mode in ("La", "RGBa", "PA"):
        between = {"La": "LA", "RGBa": "RGBA", "PA": "P"}[mode]
        return Image.fromarray(COLOURS).convert(between).convert(mode)
    return Image.fromarray(COLOURS).convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_modes_are_read_as_their_colours_or_refused(mode: str) -> None:
    picture = made(mode)
    try:
        found = to_picture(picture)
    except UserError as error:
        assert mode in ("La", "RGBa", "LAB", "I", "F"), error
        return
    wanted = COLOURS.astype(int)
    if mode in ("1", "L", "LA"):
        wanted = np.repeat(np.asarray(Image.fromarray(COLOURS).convert("1" if mode == "1" else "L"))[..., None], 3, 2)
        wanted = wanted * (255 if mode == "1" else 1)
    if mode in ("P", "PA"):
        wanted = np.asarray(Image.fromarray(COLOURS).convert("P").convert("RGB"))
    assert found.dtype == np.uint8 and np.abs(found - wanted).max() <= (8 if mode in ("YCbCr", "HSV") else 0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_in_either_byte_order(order: str) -> None:
    picture = Image.frombytes("I;16" if order == "<" else "I;16B", (13, 9), DEEP.astype(f"{order}u2").tobytes())
    assert np.array_equal(to_picture(picture, bit_depth=12), to_picture(DEEP, bit_depth=12))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_as_from_their_files(mode: str, form: str) -> None:
    picture = Image.fromarray(DEEP) if mode == "I;16" else made(mode)
    stream = io.BytesIO()
    picture.save(stream, form)
    opened = Image.open(io.BytesIO(stream.getvalue()))
    assert np.array_equal(to_picture(opened), read_image(stream.getvalue()))


def test_a_turned_picture_is_turned() -> None:
    exif = Image.Exif()
    exif[274] = 6
    stream = io.BytesIO()
    Image.fromarray(COLOURS).save(stream, "PNG", exif=exif)
    assert np.array_equal(to_picture(Image.open(stream)), np.rot90(COLOURS, -1))
