"""A TIFF with a part of its data gone is refused, or shows every pixel all the same; whole ones are read."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL import TiffImagePlugin

from lightdet.data.images import read_image, read_pages
from lightdet.errors import UserError

DRAW = np.random.default_rng(3)
GRAY = np.clip(np.cumsum(DRAW.normal(0, 20, (90, 70)), axis=1) + 128, 0, 255).astype(np.uint8)
COLOURS = np.ascontiguousarray(np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=-1))
DEEP = GRAY.astype(np.uint16) * 257
MODES = ("1", "L", "P", "RGB", "CMYK", "RGBA", "I;16")
PACKED = ("tiff_adobe_deflate", "tiff_deflate", "lzma", "jpeg")
"""Compressions whose data have an end of their own, so that zeros in their place are noticed too."""
ENDLESS = ("raw", "tiff_lzw", "packbits", "zstd")
FAX = ("tiff_ccitt", "group3", "group4", "tiff_raw_16")


@cache
def written(packing: str, mode: str, strip: int) -> bytes | None:
    """By Pillow in strips of about so many bytes; None where it writes no such TIFF."""
    picture = Pil.fromarray(DEEP) if mode == "I;16" else Pil.fromarray(COLOURS).convert(mode)
    stream, before = io.BytesIO(), TiffImagePlugin.STRIP_SIZE
    TiffImagePlugin.STRIP_SIZE = strip
    try:
        picture.save(stream, "TIFF", compression=packing)
    except (OSError, RuntimeError):
        return None
    finally:
        TiffImagePlugin.STRIP_SIZE = before
    return stream.getvalue()


@cache
def by_tifffile(pixels: str, options: tuple[tuple[str, Any], ...]) -> bytes:
    stream = io.BytesIO()
    shown = {"gray": GRAY, "colours": COLOURS, "deep": np.stack([DEEP] * 3, axis=-1), "planes": COLOURS}[pixels]
    if pixels == "planes":
        shown, options = np.moveaxis(shown, -1, 0), (*options, ("planarconfig", "separate"))
    tifffile.imwrite(stream, shown, photometric="minisblack" if pixels == "gray" else "rgb", **dict(options))
    return stream.getvalue()


def parts(data: bytes, page: int = 0) -> tuple[list[int], list[int], Callable[[int, int], bytes]]:
    """Places and lengths of a page's strips or tiles, and a function that gives one of them another length."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[page].tags
        offsets, counts = (tags.get(strip) or tags[tile] for strip, tile in ((273, 324), (279, 325)))
        order, size = file.byteorder, {3: 2, 4: 4, 16: 8}[int(counts.dtype)]
        place = counts.valueoffset
        lists = [list(each.value) for each in (offsets, counts)]

    def cut(index: int, length: int) -> bytes:
        new = length.to_bytes(size, "little" if order == "<" else "big")
        return data[: place + size * index] + new + data[place + size * (index + 1) :]

    return lists[0], lists[1], cut


def check(broken: bytes, whole: bytes, page: int = 0, jpeg: bool = False) -> None:
    """Refused in one line, or every pixel is there."""
    wanted = [each.image for each in read_pages(whole, name="part.tif")]
    try:
        found = [each.image for each in read_pages(broken, name="part.tif")]
    except UserError as error:
        assert str(error).startswith(f"part.tif#{page + 1}: " if len(wanted) > 1 else "part.tif: "), error
        assert "truncated" in str(error) or "damaged" in str(error), error
        assert "\n" not in str(error)
    else:
        assert all(
            np.array_equal(*each) or (jpeg and lacks_a_corner(*each)) for each in zip(found, wanted, strict=True)
        )


def lacks_a_corner(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Of a JPEG, no more than the last block of a strip is missing, which is 16 x 16 pixels where colour is halved."""
    rows, columns = np.nonzero(np.abs(found.astype(int) - wanted).max(axis=2) > 8)  # not the last bits of others
    return not len(rows) or (np.ptp(rows) <= 17 and columns.min() >= (wanted.shape[1] - 1) // 16 * 16 - 1)


def check_damage(data: bytes, page: int, draw: Any, packing: str) -> None:
    """Take something away behind the first bytes of a strip or tile."""
    offsets, counts, cut = parts(data, page)
    index = draw(st.integers(0, len(offsets) - 1))
    start, length = offsets[index], counts[index]
    assume(length > 4)
    kept = draw(st.integers(2, length - 1))
    jpeg = packing == "jpeg"
    check(cut(index, kept), data, page, jpeg)
    check(cut(index, 0), data, page, jpeg)
    if packing in PACKED:
        for end, junk in ((start + length, b"\0"), (offsets[-1] + counts[-1], b"\0"), (start + length, b"\xff\xd9")):
            gone = end - start - kept
            if gone > 0:
                check(data[: start + kept] + (junk * gone)[:gone] + data[end:], data, page, jpeg)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("packing", PACKED + ENDLESS)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), strip=st.sampled_from([700, 65536]))
def test_what_is_gone_is_noticed(packing: str, mode: str, data: st.DataObject, strip: int) -> None:
    whole = written(packing, mode, strip)
    if whole is None:
        assert packing == "jpeg" and mode in ("1", "P", "I;16")
        return
    check_damage(whole, 0, data.draw, packing)


KINDS = {
    "strips": {"rowsperstrip": 8},
    "tiles": {"tile": (32, 32)},
    "BigTIFF": {"bigtiff": True, "rowsperstrip": 40},
    "big-endian": {"byteorder": ">"},
    "a predictor": {"predictor": True},
}


@pytest.mark.parametrize("pixels", ["gray", "colours", "deep", "planes"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_layout(pixels: str, kind: str, data: st.DataObject) -> None:
    packed = {"compression": "zlib"} if kind == "a predictor" or data.draw(st.booleans()) else {}
    whole = by_tifffile(pixels, tuple((KINDS[kind] | packed).items()))
    check_damage(whole, 0, data.draw, "tiff_deflate" if packed else "raw")


@pytest.mark.parametrize("packing", PACKED)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_page(packing: str, data: st.DataObject) -> None:
    stream = io.BytesIO()
    pages = [Pil.fromarray(each) for each in (COLOURS, COLOURS[::-1], COLOURS[:, ::-1])]
    pages[0].save(stream, "TIFF", compression=packing, save_all=True, append_images=pages[1:])
    check_damage(stream.getvalue(), data.draw(st.integers(0, 2)), data.draw, packing)


@pytest.mark.parametrize("packing", [None, "zlib"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short(kind: str, packing: str | None) -> None:
    """`tifffile` writes the directory first, so the rest can be missing."""
    options = KINDS[kind] | ({"compression": packing} if packing else {})
    if kind == "a predictor" and packing is None:
        return
    whole = by_tifffile("colours", tuple(options.items()))
    offsets, counts, _ = parts(whole)
    for end in np.linspace(offsets[0], max(map(sum, zip(offsets, counts, strict=True))) - 1, 40).astype(int):
        check(whole[:end], whole)
    with pytest.raises(UserError, match=r"truncated|damaged"):
        read_image(whole[: offsets[-1] + 3])


@pytest.mark.parametrize("packing", FAX)
def test_a_compression_that_hides_damage_is_refused(packing: str) -> None:
    """libtiff paints something for any bits of a fax, and for most colours that it converts itself."""
    whole = written(packing, "1", 65536)
    assert whole is not None
    with pytest.raises(UserError, match=r"compression \(CCITT.*save it as PNG"):
        read_image(whole, name="part.tif")


@pytest.mark.parametrize("packing", [each for each in PACKED + ENDLESS if each != "jpeg"])
def test_ycbcr_is_read_only_as_jpeg(packing: str) -> None:
    whole = written(packing, "YCbCr", 65536)
    assert whole is not None
    with pytest.raises(UserError, match="YCbCr"):
        read_image(whole, name="part.tif")
    jpeg = written("jpeg", "YCbCr", 700)
    assert jpeg is not None and read_image(jpeg).shape == COLOURS.shape


def bare(strips: list[bytes], *, rows: int, height: int = 64, fill: int = 1, packing: int = 8, bits: int = 8) -> bytes:
    """A gray TIFF 64 pixels wide, written from the specification."""
    where = 8 + 2 + 12 * 10 + 4
    start, count = where + 8 * len(strips), len(strips)
    places = [start + sum(map(len, strips[:n])) for n in range(count)]
    table = [
        (256, 4, 1, 64), (257, 4, 1, height), (258, 4, 1, bits), (259, 4, 1, packing), (262, 4, 1, 1),
        (266, 4, 1, fill),
        (273, 4, count, where if count > 1 else places[0]), (277, 4, 1, 1), (278, 4, 1, rows),
        (279, 4, count, where + 4 * count if count > 1 else len(strips[0])),
    ]  # fmt: skip
    head = struct.pack("<2sHIH", b"II", 42, 8, len(table)) + b"".join(struct.pack("<HHII", *row) for row in table)
    return head + bytes(4) + struct.pack(f"<{2 * count}I", *places, *map(len, strips)) + b"".join(strips)


@given(rows=st.integers(1, 80), height=st.integers(2, 80), bits=st.sampled_from([1, 8]), fill=st.sampled_from([1, 2]))
@settings(deadline=None)
def test_lengths_by_the_specification(rows: int, height: int, bits: int, fill: int) -> None:
    """The last strip may be as long as the others or end with the picture; bits may be stored in either order."""
    line, above = 64 * bits // 8, range(0, height, rows)

    def packed(rows_of: Callable[[int], int]) -> bytes:
        strips = [zlib.compress(bytes(range(line)) * rows_of(top)) for top in above]
        turned = [bytes(int(f"{each:08b}"[::-1], 2) for each in strip) for strip in strips]
        return bare(turned if fill == 2 else strips, rows=rows, height=height, fill=fill, bits=bits)

    short = read_image(packed(lambda top: min(rows, height - top)), name="part.tif")
    assert short.shape == (height, 64, 3)
    assert np.array_equal(read_image(packed(lambda _: min(rows, height)), name="part.tif"), short)
    with pytest.raises(UserError, match="truncated"):
        read_image(packed(lambda top: min(rows, height - top) - (top == above[-1])), name="part.tif")


def test_strips_that_never_were_written() -> None:
    """A sparse file: the place of a strip is 0."""
    for packing, strip in ((1, bytes(64 * 32)), (8, zlib.compress(bytes(64 * 32)))):
        data = bare([strip, strip], rows=32, packing=packing)
        assert read_image(data).shape == (64, 64, 3)
        place = 8 + 2 + 12 * 10 + 4
        with pytest.raises(UserError, match=r"truncated|damaged"):
            read_image(data[:place] + bytes(4) + data[place + 4 :])


def test_a_jpeg_of_another_size_than_its_strip() -> None:
    def jpeg(height: int) -> bytes:
        stream = io.BytesIO()
        Pil.fromarray(np.resize(GRAY, (height, 64))).save(stream, "JPEG")
        return stream.getvalue()

    assert read_image(bare([jpeg(32), jpeg(32)], rows=32, packing=7)).shape == (64, 64, 3)
    assert read_image(bare([jpeg(32), jpeg(32)], rows=32, height=60, packing=7)).shape == (60, 64, 3)
    for other in (24, 40):
        with pytest.raises(UserError, match=r"truncated|damaged"):
            read_image(bare([jpeg(other), jpeg(32)], rows=32, packing=7))


def test_what_unpacks_to_far_more_than_its_picture_ends_at_once() -> None:
    bomb = zlib.compress(bytes(1 << 25))
    began = time.process_time()
    with pytest.raises(UserError, match="damaged"):
        read_image(bare([bomb], rows=64))
    with pytest.raises(UserError):
        read_image(bare([bomb] * 64, rows=1))
    tiled = by_tifffile("gray", (("tile", (32, 32)), ("compression", "zlib")))
    for tag in (322, 323):
        with tifffile.TiffFile(io.BytesIO(tiled)) as file:
            place = file.pages[0].tags[tag].offset
        tiled = tiled[: place + 2] + struct.pack("<HII", 4, 1, 32_768) + tiled[place + 12 :]
    with pytest.raises(UserError, match="far larger than its picture"):
        read_image(tiled)
    assert time.process_time() - began < 2
