"""A small file that asks a decoder for minutes is refused at once; what encoders write is not."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from lightdet.data.decoding_work import MAX_SCANS, QUICK, check_scans, is_quick
from lightdet.data.images import read_image
from lightdet.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Pil.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def scanned(image: np.ndarray, times: int) -> bytes:
    """A progressive JPEG whose last scan stands there `times` more."""
    data = encoded(image, "JPEG", progressive=True)
    scan = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + scan * times + b"\xff\xd9"


def png_of(chunks: int) -> bytes:
    empty = b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    data = encoded(NOISE, "PNG")
    first = data.find(b"IDAT") - 4
    return data[:first] + empty * chunks + data[first:]


HOSTILE = {
    "scans": lambda: scanned(np.zeros((3000, 4000, 3), np.uint8), 1500),
    "scans hidden behind a thumbnail's end": lambda: (
        scanned(NOISE, 0)[:2] + b"\xff\xe1\x00\x06\xff\xd9\xff\xd8" + scanned(NOISE, 1500)[2:]
    ),
    "segments": lambda: scanned(NOISE, 0)[:2] + b"\xff\xfe\x00\x02" * 200_000 + scanned(NOISE, 0)[2:],
    "chunks": lambda: png_of(200_000),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_asks_for_too_much_is_refused_at_once(kind: str) -> None:
    data = HOSTILE[kind]()
    assert kind != "scans" or not is_quick(data)
    began = time.process_time()
    with pytest.raises(UserError, match="save it again"):
        read_image(data, name="part.jpg")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("place", ["at the start", "in a scan", "in the last scan", "behind the end"])
def test_a_long_row_of_0xff_is_passed_at_once(place: str, progressive: bool) -> None:
    """As flash memory holds where nothing was written, and the format allows it before each marker."""
    data = encoded(NOISE, "JPEG", progressive=progressive)
    at = {"at the start": 2, "in a scan": data.find(b"\xff\xda") + 30, "in the last scan": len(data) - 2}
    where = at.get(place, len(data))
    began = time.process_time()
    with suppress(UserError):
        read_image(data[:where] + b"\xff" * 300_000 + data[where:], name="part.jpg")
    with suppress(UserError):
        read_image(data[:where] + b"\xff" * 300_000, name="part.jpg")
    assert time.process_time() - began < 2


def tiff_of(jpegs: list[bytes], same: bool) -> bytes:
    """A TIFF of 64 x 64 pixels a strip, each a JPEG; with `same` every strip is the first one."""
    places = [8 + sum(map(len, jpegs[:i])) for i in range(len(jpegs))]
    if same:
        places = [8 + 2 * i for i in range(len(jpegs))]
    body = jpegs[0] if same else b"".join(jpegs)
    lists = 8 + len(body)
    count = len(jpegs)
    tags = [(256, 64), (257, 64 * count), (258, 8), (259, 7), (262, 1), (277, 1), (278, 64)]
    where = lists + 2 + 12 * 9 + 4
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags]
    one = count == 1
    entries.insert(5, struct.pack("<HHII", 273, 4, count, places[0] if one else where))
    entries.append(struct.pack("<HHII", 279, 4, count, len(jpegs[0]) if one else where + 4 * count))
    end = struct.pack(f"<{count}I", *places) + struct.pack(f"<{count}I", *map(len, jpegs))
    return b"II*\0" + struct.pack("<I", lists) + body + struct.pack("<H", 9) + b"".join(entries) + bytes(4) + end


def test_a_tiff_of_jpegs() -> None:
    gray = NOISE[..., 0]
    assert read_image(tiff_of([scanned(gray, 0)] * 3, same=False), name="part.tif").shape == (192, 64, 3)
    with pytest.raises(UserError, match="passes over its pixels 101 times"):
        read_image(tiff_of([scanned(gray, 0), scanned(gray, 1500)], same=False), name="part.tif")
    with pytest.raises(UserError, match="whose parts overlap"):
        read_image(tiff_of([scanned(gray, 20)] * 300, same=True), name="part.tif")


def test_a_tiff_of_too_many_strips() -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((150_000, 2), np.uint8), rowsperstrip=1)
    with pytest.raises(UserError, match="more than 100000 strips"):
        read_image(stream.getvalue(), name="part.tif")


@settings(deadline=None)
@given(
    height=st.integers(1, 64), width=st.integers(1, 64), progressive=st.booleans(), restart=st.integers(0, 3),
    quality=st.integers(1, 100), comment=st.binary(max_size=400), again=st.integers(0, 12), gray=st.booleans(),
)  # fmt: skip
def test_what_encoders_write_is_read(
    height: int, width: int, progressive: bool, restart: int, quality: int, comment: bytes, again: int, gray: bool
) -> None:
    image = NOISE[:height, :width, 0] if gray else NOISE[:height, :width]
    data = encoded(image, "JPEG", progressive=progressive, quality=quality, comment=comment,
                   restart_marker_blocks=restart)  # fmt: skip
    assert is_quick(data) or b"\xff\xda" in comment
    assert check_scans(data, 0) == len(data)
    assert check_scans(b"before" + data + b"behind", 6) == len(data)
    assert read_image(data).shape == (height, width, 3)
    if progressive:
        scan = data[data.rfind(b"\xff\xda") : -2]
        assert check_scans(data[:-2] + scan * again + b"\xff\xd9", 0) == len(data) + again * len(scan)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xc0", b"\x89PNG\r\n\x1a\n", b"BM"]))
def test_any_bytes_end_in_an_answer(data: bytes, head: bytes) -> None:
    is_quick(head + data)
    assert 0 <= check_scans(head + data, 0) <= len(head + data) + 65536


def test_what_is_quick() -> None:
    assert is_quick(encoded(NOISE, "PNG")) and is_quick(encoded(NOISE, "BMP"))
    assert not is_quick(encoded(NOISE, "TIFF")) and not is_quick(encoded(NOISE, "GIF"))
    written = cv2.imencode(".png", np.random.default_rng(1).integers(0, 256, (900, 900, 3), dtype=np.uint8))[
        1
    ].tobytes()
    assert written.count(b"IDAT") > MAX_SCANS and is_quick(written)  # an ordinary one, in pieces of 8 KB
    stream = io.BytesIO()
    Pil.fromarray(NOISE).save(stream, "PNG", save_all=True, append_images=[Pil.fromarray(NOISE[::-1])])
    assert not is_quick(stream.getvalue())
    large = bytearray(encoded(NOISE, "BMP"))
    large[18:26] = struct.pack("<ii", QUICK, -2)
    assert not is_quick(bytes(large))
    assert not is_quick(scanned(NOISE, MAX_SCANS * 1000))


@pytest.mark.parametrize("tag", ["height", "tiles"])
def test_a_tiff_that_claims_more_than_it_lists(tag: str) -> None:
    """A file of 2 KB that would have been given 570 MB."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, NOISE, **({"tile": (16, 16)} if tag == "tiles" else {"rowsperstrip": 8}))
    assert read_image(stream.getvalue()).shape == NOISE.shape
    data = stream.getvalue()
    entry = struct.pack("<HHII", 257, 4, 1, 64) if struct.pack("<HHII", 257, 4, 1, 64) in data else None
    entry = entry or struct.pack("<HHIHH", 257, 3, 1, 64, 0)
    assert data.count(entry) == 1
    with pytest.raises(UserError, match=r"it lists (8 of its|16 of its)"):
        read_image(data.replace(entry, struct.pack("<HHII", 257, 4, 1, 2_000_000)), name="part.tif")


def test_odd_tags_and_exif_are_read_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    """Pillow warns of both, where it reads them: tags when they are first asked for, EXIF on opening."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, NOISE, rowsperstrip=8)
    data = stream.getvalue()
    place = next(at for kind in (3, 4) if (at := data.find(struct.pack("<HHI", 278, kind, 1))) > 0)
    tiff = data[: place + 4] + struct.pack("<I", 2) + data[place + 8 :]  # two numbers of rows
    exif = b"\xff\xe1" + struct.pack(">H", 2 + 6 + 14) + b"Exif\0\0II*\0\x08\0\0\0\x03\0\x12\x01\x03\0"
    jpeg = encoded(NOISE, "JPEG", progressive=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with suppress(UserError):
            read_image(tiff)
        assert read_image(jpeg[:2] + exif + jpeg[2:]).shape == NOISE.shape
    assert capfd.readouterr() == ("", "")
